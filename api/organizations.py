"""Organizations: open sign-up makes one with its owner; members see their own."""

from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.commanding import AnonymouslyCommanded, Changed, IfMatch, answered
from api.contract import command, query
from api.operation import Operation
from api.passwords import NewPassword
from api.reading import Asked, Cursor, Limit, Listed, page, place_of, shown
from api.shapes import NewOrganizationShape, OrganizationShape
from api.signing_up import signed_up
from api.values import Body, Change, Count, Email, Flag, HouseRole, Name, ZoneName
from application.accounts import RegisterOrganization, register_organization
from application.catalogue import ChangeOrganization, change_organization, told_organization
from application.sign_in import sign_in_name_id
from application.vault import Person
from domain.account import Role
from domain.organization import Organization
from domain.permissions import ensure_may
from domain.refusals import NotFound
from domain.self_service import OPEN_MAX

router = APIRouter(prefix="/v1/organizations", tags=["organizations"], route_class=Operation)


class NewOwner(Body):
    email: Email
    password: NewPassword
    display_name: Name


class NewOrganization(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Clínica da Praia",
                "time_zone": "America/Sao_Paulo",
                "owner": {
                    "email": "owner@example.com",
                    "password": "a long sentence is a good password",
                    "display_name": "Olívia Prado",
                },
            }
        }
    )

    name: Name
    time_zone: ZoneName
    owner: NewOwner


class SelfServiceChange(Body):
    """What whoever books for themselves may have open at once: holds, and bookings to come."""

    open_holds_max: Annotated[Count, Field(ge=1, le=OPEN_MAX)] | None = None
    bookings_ahead_max: Annotated[Count, Field(ge=1, le=OPEN_MAX)] | None = None


class OrganizationChange(Change):
    """Who has one of ``second_factor_roles`` and has enrolled no second factor can do nothing but that, from the next
    token on. With ``verified_customers_only``, customers book once they have verified their e-mail address.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Clínica da Praia",
                "self_service": {"open_holds_max": 3, "bookings_ahead_max": 20},
                "second_factor_roles": ["owner", "manager"],
            }
        }
    )
    NEVER_NULL: ClassVar[frozenset[str]] = frozenset(
        {"name", "self_service", "second_factor_roles", "verified_customers_only"}
    )

    name: Name | None = None
    self_service: SelfServiceChange = SelfServiceChange()
    second_factor_roles: Annotated[list[HouseRole], Field(max_length=10)] | None = None
    verified_customers_only: Flag | None = None


@router.post("", **command(NewOrganizationShape, "signUpOrganization", None, creates=True))
async def sign_up(body: NewOrganization, call: AnonymouslyCommanded) -> Response:
    """Open sign-up: an organization and the account of its owner, both or neither.

    A link to verify the owner's e-mail address is sent to it. The answer is the same where the address has an account
    already: then there is no such organization, the account stays as it is, and its owner is told by mail.
    """
    organization_id, account_id = call.new_id("organization"), call.new_subject_id("account")
    owner = body.owner
    wanted = RegisterOrganization(
        organization_id=organization_id,
        name=body.name,
        time_zone=body.time_zone,
        account_id=account_id,
        subject_id=call.new_subject_id("owner"),
        sign_in_name_id=sign_in_name_id(call.ports.door.secret, owner.email),
        code_id=call.new_subject_id("verification"),
    )
    person = Person(display_name=owner.display_name, email=owner.email)
    answer = await signed_up(call, register_organization, wanted, person, owner.password, Role.OWNER)
    return answered(answer, status=201, location=f"{call.path}/{organization_id}")


@router.get("", **query(Listed[OrganizationShape], "listOrganizations", "organization.read", problems=()))
async def list_organizations(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """One's own: nobody sees another."""
    place_of(cursor, list[int])
    ensure_may(asked.actor, "organization.read")
    own, version = await asked.require(Organization, asked.actor.organization_id)
    return page([(own, version)], limit, lambda row: shown_organization(*row), lambda _: ())


@router.get("/{organization_id}", **query(OrganizationShape, "getOrganization", "organization.read", etag=True))
async def get_organization(asked: Asked, organization_id: UUID) -> Response:
    ensure_may(asked.actor, "organization.read")
    own, version = await asked.require(Organization, organization_id)
    return shown(shown_organization(own, version), version=version)


@router.patch(
    "/{organization_id}",
    **command(OrganizationShape, "changeOrganization", "organization.change", key_required=False, if_match=True),
)
async def change_one(organization_id: UUID, body: OrganizationChange, call: Changed, if_version: IfMatch) -> Response:
    if organization_id != call.actor.organization_id:
        raise NotFound("organization", organization_id)
    changes = ChangeOrganization(
        name=body.name,
        open_holds_max=body.self_service.open_holds_max,
        bookings_ahead_max=body.self_service.bookings_ahead_max,
        second_factor_roles=tuple(map(Role, body.second_factor_roles))
        if body.second_factor_roles is not None
        else None,
        verified_customers_only=body.verified_customers_only,
        if_version=if_version,
    )
    return answered(await call.submit(change_organization, changes))


def shown_organization(own: Organization, version: int) -> dict[str, object]:
    return told_organization(own, version)
