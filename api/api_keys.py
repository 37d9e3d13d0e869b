"""API keys: how programs sign in. The secret is told once, when the key is issued."""

import base64
import binascii
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from api.catalogue_lists import catalogue_rows, place_in_catalogue
from api.commanding import Changed, Commanded, answered
from api.contract import command, query
from api.operation import Operation
from api.people import newcomer
from api.ports import ports_of
from api.reading import Asked, Cursor, Limit, Listed, Reading, page, shown
from api.sign_in_shapes import ApiKeyShape, IssuedApiKeyShape
from api.values import Body, Instant, Name
from application.machine_clients import (
    ClientRefused,
    IssueApiKey,
    RevokeApiKey,
    exchange,
    issue_api_key,
    revoke_api_key,
)
from application.vault import Person
from domain.access import SessionEnding
from domain.account import Role
from domain.api_key import ApiKey
from domain.permissions import Actor, ensure_may
from domain.refusals import Refusal

SCOPES_MAX = 100

router = APIRouter(prefix="/v1/api-keys", tags=["sign-in"], route_class=Operation)

Scope = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$")]


class NewApiKey(Body):
    """``scopes``: operations of the policy that the role may do; each operation of this document names its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Booking page",
                "role": "staff",
                "scopes": ["slots.read", "appointment.book", "appointment.read"],
                "expires_at": "2027-06-30T00:00:00Z",
            }
        }
    )

    name: Name
    role: Literal["manager", "staff", "auditor"] = "staff"
    scopes: Annotated[frozenset[Scope], Field(min_length=1, max_length=SCOPES_MAX)]
    expires_at: Instant


@router.post("", **command(IssuedApiKeyShape, "issueApiKey", "api_key.issue", creates=True))
async def issue(body: NewApiKey, call: Commanded, asked: Asked) -> Response:
    """By owner or manager. The secret is told this once; the answer to a retry is without it: issue another."""
    ensure_may(call.actor, "api_key.issue")
    key_id, account_id = call.new_subject_id("api key"), call.new_subject_id("account")
    subject_id = call.new_subject_id("program")
    wanted = IssueApiKey(
        api_key_id=key_id,
        account_id=account_id,
        subject_id=subject_id,
        role=Role(body.role),
        scopes=body.scopes,
        expires_at=body.expires_at,
    )
    organization_id, keys = call.actor.organization_id, call.ports.api_keys
    secret = keys.new_secret()
    program = Person(display_name=body.name)
    async with newcomer(call, organization_id, subject_id, program, stream_id=account_id):
        # As the person is stored: before the command, so that no key exists that nobody can use.
        await keys.keep(key_id, account_id, organization_id, secret, expires_at=body.expires_at)
        try:
            answer = await call.submit(issue_api_key, wanted)
        except Refusal:
            await keys.forget(key_id)
            raise
    key, version = await asked.require(ApiKey, key_id)
    told = (await _shown(asked, [(key, version)]))[key_id]
    told |= {"client_id": key_id, "client_secret": None if answer.replayed else secret}
    return answered(answer, status=201, location=f"{call.path}/{key_id}", besides=told)


@router.get("", **query(Listed[ApiKeyShape], "listApiKeys", "api_key.read", problems=()))
async def list_api_keys(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """In the order of their issue, those that are over among them."""
    ensure_may(asked.actor, "api_key.read")
    rows = await catalogue_rows(asked, ApiKey, limit, cursor)
    told = await _shown(asked, [(row.state, row.version) for row in rows])
    return page(rows, limit, lambda row: told[row.state.id], place_in_catalogue)


@router.get("/{api_key_id}", **query(ApiKeyShape, "getApiKey", "api_key.read", etag=True))
async def get_api_key(asked: Asked, api_key_id: UUID) -> Response:
    ensure_may(asked.actor, "api_key.read")
    key, version = await asked.require(ApiKey, api_key_id)
    return shown((await _shown(asked, [(key, version)]))[key.id], version=version)


@router.delete("/{api_key_id}", **command(ApiKeyShape, "revokeApiKey", "api_key.revoke", key_required=False))
async def revoke(api_key_id: UUID, call: Changed, asked: Asked) -> Response:
    """Its secret is good for nothing from now on, and its tokens within seconds."""
    ensure_may(call.actor, "api_key.revoke")
    key, _ = await asked.require(ApiKey, api_key_id)
    # First, since what must not fail is that access stops.
    await call.ports.door.sessions.end(key.account_id, key.id, because=SessionEnding.KEY_REVOKED)
    answer = await call.submit(revoke_api_key, RevokeApiKey(api_key_id=api_key_id))
    key, version = await asked.require(ApiKey, api_key_id)
    return answered(answer, besides=(await _shown(asked, [(key, version)]))[key.id])


async def client_of(request: Request, client_id: str | None, client_secret: str | None) -> Actor:
    """The program that shows its key, in the form or as HTTP Basic (RFC 6749, 2.3.1). Raises ``ClientRefused``."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and client_id is None and client_secret is None:
        try:
            client_id, _, client_secret = base64.b64decode(credentials, validate=True).decode("ascii").partition(":")
        except (binascii.Error, ValueError):
            raise ClientRefused from None
    try:
        key_id = UUID(client_id or "")
    except ValueError:
        raise ClientRefused from None
    ports = ports_of(request)
    return await exchange(ports.door, ports.api_keys, ports.access_log, key_id, client_secret or "")


async def _shown(asked: Reading, keys: list[tuple[ApiKey, int]]) -> dict[UUID, dict[str, object]]:
    ports, organization_id = asked.ports, asked.actor.organization_id
    people = await ports.vault.people(organization_id, [key.subject_id for key, _ in keys])
    used = await ports.api_keys.used_at([key.id for key, _ in keys])
    return {
        key.id: {
            "id": key.id,
            "name": people.get(key.subject_id, Person()).display_name,
            "account_id": key.account_id,
            "role": key.role,
            "scopes": key.scopes,
            "expires_at": key.expires_at,
            "revoked": key.revoked,
            "used_at": used.get(key.id),
            "version": version,
        }
        for key, version in keys
    }
