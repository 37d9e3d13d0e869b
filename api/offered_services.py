"""Services: what can be booked, on which terms."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field, Strict
from starlette.responses import Response

from api.catalogue_lists import catalogue_rows, place_in_catalogue
from api.commanding import Changed, Commanded, IfMatch, answered
from api.contract import command, query
from api.operation import Operation
from api.reading import Asked, Cursor, Limit, Listed, json_of, page, shown
from api.shapes import ServiceShape
from api.values import Body, Change, Count, Currency, Flag, KindName, Minutes, Name
from application.catalogue import ChangeTerms, OfferService, change_terms, offer_service
from domain.permissions import ensure_may
from domain.service import (
    LIMITS_MAX,
    REMINDERS_MAX,
    REQUIREMENTS_MAX,
    BookingLimit,
    Holder,
    Period,
    Price,
    Requirement,
    Service,
    Terms,
)

router = APIRouter(prefix="/v1/services", tags=["services"], route_class=Operation)

PRICE_MAX = 10**12


class WantedResource(Body):
    """``quantity`` units of one resource: of ``resource_id``, or of any one of ``kind`` or of a pool.

    Exactly one of the three is given.
    """

    resource_id: UUID | None = None
    kind: KindName | None = None
    pool_id: UUID | None = None
    quantity: Count = 1


class ServicePrice(Body):
    """``amount`` in minor units of the ISO 4217 ``currency``."""

    amount: Annotated[int, Strict(), Field(ge=0, le=PRICE_MAX)]
    currency: Currency


class WantedLimit(Body):
    """At most ``count`` bookings that start in one ``period``: of each customer, or of the service in all.

    Days, weeks (from Monday) and months are those of the organization's time zone.
    """

    per: Holder
    period: Period
    count: Count


Requirements = Annotated[list[WantedResource], Field(min_length=1, max_length=REQUIREMENTS_MAX)]
Limits = Annotated[list[WantedLimit], Field(max_length=LIMITS_MAX)]
Reminders = Annotated[list[Minutes], Field(max_length=REMINDERS_MAX)]


class NewService(Body):
    """``seats`` above 1: a group appointment, of which one booking may take several seats.

    ``offer_min``: how long an offer to the waitlist stands. So long after its start a visit to which nobody checked in
    is marked a no-show, or gives back what it claimed as well; null: never. ``remind_before_min``: when to remind.
    ``public``: on the booking page, for anyone to book without an account.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Consulta",
                "duration_min": 30,
                "slot_step_min": 15,
                "requirements": [{"kind": "practitioner"}, {"kind": "scanner", "quantity": 2}],
                "booking_limits": [{"per": "customer", "period": "week", "count": 2}],
                "no_show_after_min": 15,
                "remind_before_min": [1440, 60],
                "price": {"amount": 18000, "currency": "BRL"},
            }
        }
    )

    name: Name
    duration_min: Minutes
    buffer_before_min: Minutes = 0
    buffer_after_min: Minutes = 0
    slot_step_min: Minutes = 15
    min_notice_min: Minutes = 0
    max_advance_days: Count = 365
    cancellation_notice_min: Minutes = 0
    requirements: Requirements
    seats: Count = 1
    approval_required: Flag = False
    customer_overlap_allowed: Flag = False
    booking_limits: Limits = Field(default=[])
    offer_min: Minutes = 30
    no_show_after_min: Minutes | None = None
    release_after_min: Minutes | None = None
    remind_before_min: Reminders = Field(default=[])
    price: ServicePrice | None = None
    public: Flag = False


class ServiceChange(Change):
    """A null price: none is told. The new terms hold for new bookings."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Consulta", "min_notice_min": 120}})

    MAY_BE_NULL: ClassVar = frozenset({"price", "no_show_after_min", "release_after_min"})
    NEVER_NULL: ClassVar = frozenset(NewService.model_fields) - MAY_BE_NULL

    name: Name | None = None
    duration_min: Minutes | None = None
    buffer_before_min: Minutes | None = None
    buffer_after_min: Minutes | None = None
    slot_step_min: Minutes | None = None
    min_notice_min: Minutes | None = None
    max_advance_days: Count | None = None
    cancellation_notice_min: Minutes | None = None
    requirements: Requirements | None = None
    seats: Count | None = None
    approval_required: Flag | None = None
    customer_overlap_allowed: Flag | None = None
    booking_limits: Limits | None = None
    offer_min: Minutes | None = None
    no_show_after_min: Minutes | None = None
    release_after_min: Minutes | None = None
    remind_before_min: Reminders | None = None
    price: ServicePrice | None = None
    public: Flag | None = None


@router.post("", **command(ServiceShape, "offerService", "service.create", creates=True))
async def offer(body: NewService, call: Commanded) -> Response:
    service_id = call.new_id("service")
    terms = Terms(**_domain_values({name: getattr(body, name) for name in NewService.model_fields}))
    answer = await call.submit(offer_service, OfferService(service_id=service_id, terms=terms))
    return answered(answer, status=201, location=f"{call.path}/{service_id}", besides=shown_terms(terms))


@router.get("", **query(Listed[ServiceShape], "listServices", "service.read", problems=()))
async def list_services(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    ensure_may(asked.actor, "service.read")
    rows = await catalogue_rows(asked, Service, limit, cursor)
    return page(rows, limit, lambda row: _shown(row.state, row.version), place_in_catalogue)


@router.get("/{service_id}", **query(ServiceShape, "getService", "service.read", etag=True))
async def get_service(asked: Asked, service_id: UUID) -> Response:
    ensure_may(asked.actor, "service.read")
    service, version = await asked.require(Service, service_id)
    return shown(_shown(service, version), version=version)


@router.patch(
    "/{service_id}", **command(ServiceShape, "changeService", "service.change", key_required=False, if_match=True)
)
async def change(service_id: UUID, body: ServiceChange, call: Changed, if_version: IfMatch, asked: Asked) -> Response:
    ensure_may(call.actor, "service.change")
    before, seen = await asked.require(Service, service_id)
    terms = replace(before.terms, **_domain_values(body.changes()))
    wanted = ChangeTerms(service_id=service_id, terms=terms, if_version=seen if if_version is None else if_version)
    return answered(await call.submit(change_terms, wanted), besides=shown_terms(terms))


def _domain_values(given: dict[str, Any]) -> dict[str, Any]:
    values = dict(given)
    if "requirements" in values:
        values["requirements"] = tuple(Requirement(**one.model_dump()) for one in values["requirements"])
    if "booking_limits" in values:
        values["booking_limits"] = tuple(BookingLimit(**one.model_dump()) for one in values["booking_limits"])
    if "remind_before_min" in values:
        values["remind_before_min"] = tuple(values["remind_before_min"])
    if values.get("price") is not None:
        values["price"] = Price(**values["price"].model_dump())
    return values


def shown_terms(terms: Terms) -> dict[str, object]:
    shown_ones: dict[str, object] = json_of(terms)
    return shown_ones


def _shown(service: Service, version: int) -> dict[str, object]:
    return {"id": service.id, **shown_terms(service.terms), "version": version}
