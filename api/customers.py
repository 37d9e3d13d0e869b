"""Customers: the people whom appointments are for. What they are called and where they are reached is in the vault."""

from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from api.catalogue_lists import catalogue_rows, place_in_catalogue
from api.commanding import Changed, Commanded, IfMatch, answered
from api.contract import command, query
from api.operation import Operation
from api.people import newcomer, shown_person, store_change
from api.reading import Asked, Cursor, Limit, Listed, Reading, page, shown
from api.shapes import CustomerShape
from api.values import Body, Change, Email, Locale, Name, Phone, Push
from application.accounts import ChangeCustomer, RegisterCustomer, change_customer, register_customer
from application.vault import Person
from domain.account import Customer
from domain.permissions import Reach, ensure_may, reach
from domain.refusals import NotFound
from projections.catalogue import Entry

router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=Operation)


class NewCustomer(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "display_name": "Ana Souza",
                "email": "ana@example.com",
                "phone": "+5527999990000",
                "locale": "pt-BR",
            }
        }
    )

    display_name: Name
    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = None
    push_token: Push | None = None


class CustomerChange(Change):
    """A null takes away what was known."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": "ana@example.com"}})

    NEVER_NULL: ClassVar = frozenset({"display_name"})

    display_name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = None
    push_token: Push | None = None


@router.post("", **command(CustomerShape, "registerCustomer", "customer.create", creates=True))
async def register(body: NewCustomer, call: Commanded) -> Response:
    """By the front desk, for someone without an account."""
    ensure_may(call.actor, "customer.create")
    customer_id = call.new_subject_id("customer")
    person = Person(**body.model_dump())
    async with newcomer(call, call.actor.organization_id, customer_id, person, stream_id=customer_id):
        answer = await call.submit(register_customer, RegisterCustomer(customer_id=customer_id))
    return answered(answer, status=201, location=f"{call.path}/{customer_id}", besides=shown_person(person))


@router.get("", **query(Listed[CustomerShape], "listCustomers", "customer.read", problems=()))
async def list_customers(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """In the order of their registration; a customer sees only themself."""
    if reach(asked.actor, "customer.read") is Reach.OWN:
        own, version = await asked.require(Customer, asked.actor.subject_id)
        rows = [Entry(state=own, version=version, created_position=0, position=0)]
    else:
        ensure_may(asked.actor, "customer.read")
        rows = await catalogue_rows(asked, Customer, limit, cursor)
    people = await asked.ports.vault.people(asked.actor.organization_id, [row.state.id for row in rows])
    return page(
        rows, limit, lambda row: _shown(row.state.id, row.version, people.get(row.state.id)), place_in_catalogue
    )


@router.get("/{customer_id}", **query(CustomerShape, "getCustomer", "customer.read", etag=True))
async def get_customer(asked: Asked, customer_id: UUID) -> Response:
    version = await _version(asked, customer_id)
    person = await asked.ports.vault.person(asked.actor.organization_id, customer_id)
    return shown(_shown(customer_id, version, person), version=version)


@router.patch(
    "/{customer_id}", **command(CustomerShape, "changeCustomer", "customer.change", key_required=False, if_match=True)
)
async def change(customer_id: UUID, body: CustomerChange, call: Changed, if_version: IfMatch) -> Response:
    """By the front desk, or by the customer."""
    changes = body.changes()
    wanted = ChangeCustomer(customer_id=customer_id, fields=tuple(changes), if_version=if_version)
    answer = await call.submit(change_customer, wanted)
    return answered(answer, besides=shown_person(await store_change(call, answer, customer_id, changes)))


async def _version(asked: Reading, customer_id: UUID) -> int:
    """Of a customer whom the actor may see. Raises ``NotFound``, ``Forbidden``."""
    customer, version = await asked.require(Customer, customer_id)
    if reach(asked.actor, "customer.read") is Reach.OWN and customer.id != asked.actor.subject_id:
        raise NotFound("customer", customer_id)
    ensure_may(asked.actor, "customer.read", subject_id=customer.id)
    return version


def _shown(customer_id: UUID, version: int, person: Person | None) -> dict[str, object]:
    return {"id": customer_id, **shown_person(person), "version": version}
