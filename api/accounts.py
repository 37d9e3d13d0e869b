"""Accounts: who signs in to the house. Customers sign up by themselves (see ``api.signing_in``)."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.account_shapes import AccountShape
from api.catalogue_lists import catalogue_rows, place_in_catalogue
from api.commanding import Changed, Commanded, IfMatchIfGiven, answered
from api.contract import command, query
from api.operation import Operation
from api.passwords import NewPassword
from api.people import newcomer
from api.reading import Asked, Cursor, Limit, Listed, Reading, page, shown
from api.values import Body, Email, HouseRole, Name, Nothing
from application.account_changes import (
    DisableAccount,
    EnableAccount,
    GrantRole,
    disable_account,
    enable_account,
    grant_role,
    told,
)
from application.accounts import AssignAccount, OpenAccount, assign_account, open_account
from application.sign_in import end_sessions, sign_in_name_id
from application.vault import Person
from application.writer import Answer
from domain.access import SessionEnding
from domain.account import Account, Role
from domain.permissions import Reach, ensure_may, reach
from domain.refusals import NotFound
from projections.catalogue import Entry

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=Operation)


ASSIGNED_MAX = 50
"""Resources of one member of staff: every token of theirs names them."""


class NewAccount(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "email": "front.desk@example.com",
                "password": "a long sentence is a good password",
                "display_name": "Rui Costa",
                "role": "staff",
            }
        }
    )

    email: Email
    password: NewPassword
    display_name: Name
    role: Literal["manager", "staff", "auditor"]


@router.post("", **command(AccountShape, "openAccount", "account.create", creates=True))
async def open_one(body: NewAccount, call: Commanded) -> Response:
    """By owner or manager, for someone of the house."""
    ensure_may(call.actor, "account.create")
    account_id, subject_id = call.new_subject_id("account"), call.new_subject_id("person")
    person = Person(display_name=body.display_name, email=body.email)
    async with newcomer(
        call,
        call.actor.organization_id,
        subject_id,
        person,
        stream_id=account_id,
        account_id=account_id,
        password=body.password,
    ):
        answer = await call.submit(
            open_account,
            OpenAccount(
                account_id=account_id,
                subject_id=subject_id,
                sign_in_name_id=sign_in_name_id(call.ports.door.secret, body.email),
                role=Role(body.role),
            ),
        )
    besides = {"display_name": body.display_name, "email": body.email}
    return answered(answer, status=201, location=f"{call.path}/{account_id}", besides=besides)


class RoleGrant(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"role": "manager"}})

    role: HouseRole


class Assignment(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"resource_ids": ["2f0e3a52-5a0c-4a39-9f55-4b8a6d0f8a11"]}})

    resource_ids: Annotated[list[UUID], Field(max_length=ASSIGNED_MAX)]


@router.put(
    "/{account_id}/assignment",
    **command(AccountShape, "assignAccount", "account.assign", key_required=False, if_match="optional"),
)
async def assign(
    account_id: UUID, body: Assignment, call: Changed, if_version: IfMatchIfGiven, asked: Asked
) -> Response:
    """Let a member of staff reach only what takes place on these resources; an empty list: all of the house again.

    Who is assigned books on one of them by name, and sees, moves and calls off what takes place there. The account's
    sessions end: the next one reaches what it says here.
    """
    wanted = AssignAccount(account_id=account_id, resource_ids=tuple(body.resource_ids), if_version=if_version)
    answer = await call.submit(assign_account, wanted)
    await _end_sessions(asked, account_id, SessionEnding.ASSIGNED)
    return await _changed(asked, account_id, answer)


@router.post("/{account_id}/disable", **command(AccountShape, "disableAccount", "account.disable", if_match="optional"))
async def disable(
    account_id: UUID,
    call: Commanded,
    if_version: IfMatchIfGiven,
    asked: Asked,
    body: Nothing | None = None,  # noqa: ARG001
) -> Response:
    """The account can no longer sign in, and its sessions end at once. Never one's own, nor the last owner's."""
    wanted = DisableAccount(account_id=account_id, if_version=if_version)
    answer = await call.submit(disable_account, wanted)
    await _end_sessions(asked, account_id, SessionEnding.ACCOUNT_DISABLED)
    return await _changed(asked, account_id, answer)


@router.post("/{account_id}/enable", **command(AccountShape, "enableAccount", "account.disable", if_match="optional"))
async def enable(
    account_id: UUID,
    call: Commanded,
    if_version: IfMatchIfGiven,
    asked: Asked,
    body: Nothing | None = None,  # noqa: ARG001
) -> Response:
    """The account can sign in again."""
    wanted = EnableAccount(account_id=account_id, if_version=if_version)
    return await _changed(asked, account_id, await call.submit(enable_account, wanted))


@router.put(
    "/{account_id}/role",
    **command(AccountShape, "grantRole", "account.grant_role", key_required=False, if_match="optional"),
)
async def grant(account_id: UUID, body: RoleGrant, call: Changed, if_version: IfMatchIfGiven, asked: Asked) -> Response:
    """By an owner, to someone of the house. The account's sessions end: the next one has the new role."""
    wanted = GrantRole(account_id=account_id, role=Role(body.role), if_version=if_version)
    answer = await call.submit(grant_role, wanted)
    await _end_sessions(asked, account_id, SessionEnding.ROLE_GRANTED)
    return await _changed(asked, account_id, answer)


async def _end_sessions(asked: Reading, account_id: UUID, because: SessionEnding) -> None:
    """Also of a command that is repeated: the process that did it first may have died before it came to this."""
    account, _ = await asked.require(Account, account_id)
    await end_sessions(asked.ports.door, account, because)


async def _changed(asked: Reading, account_id: UUID, answer: Answer) -> Response:
    account, _ = await asked.require(Account, account_id)
    person = (await _people(asked, [account])).get(account.subject_id, Person())
    return answered(answer, besides={"display_name": person.display_name, "email": person.email})


@router.get("", **query(Listed[AccountShape], "listAccounts", "account.read", problems=()))
async def list_accounts(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """In the order of their opening; who may see only their own account gets that."""
    if reach(asked.actor, "account.read") is Reach.OWN:
        own, version = await asked.require(Account, asked.actor.account_id)
        rows = [Entry(state=own, version=version, created_position=0, position=0)]
    else:
        ensure_may(asked.actor, "account.read")
        rows = await catalogue_rows(asked, Account, limit, cursor)
    people = await _people(asked, [row.state for row in rows])
    return page(rows, limit, lambda row: _shown(row.state, row.version, people), place_in_catalogue)


@router.get("/{account_id}", **query(AccountShape, "getAccount", "account.read", etag=True))
async def get_account(asked: Asked, account_id: UUID) -> Response:
    account, version = await asked.require(Account, account_id)
    if reach(asked.actor, "account.read") is Reach.OWN and account.subject_id != asked.actor.subject_id:
        raise NotFound("account", account_id)
    ensure_may(asked.actor, "account.read", subject_id=account.subject_id)
    return shown(_shown(account, version, await _people(asked, [account])), version=version)


async def _people(asked: Reading, accounts: list[Account]) -> dict[UUID, Person]:
    subject_ids = [account.subject_id for account in accounts]
    return dict(await asked.ports.vault.people(asked.actor.organization_id, subject_ids))


def _shown(account: Account, version: int, people: dict[UUID, Person]) -> dict[str, object]:
    person = people.get(account.subject_id, Person())
    return {**told(account, version), "display_name": person.display_name, "email": person.email}
