"""A front desk without servers: runs use cases on streams in a dictionary, one after another."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from application.accounts import RegisterCustomer, RegisterOrganization, register_customer, register_organization
from application.booking import Book, book
from application.catalogue import (
    AddResource,
    OfferService,
    OpenLocation,
    add_resource,
    offer_service,
    open_location,
)
from application.decision import Decision, Stream, UseCase, View, evolved
from application.pooling import CreatePool, create_pool
from domain.account import Role
from domain.appointment import Appointment
from domain.fact import Fact
from domain.permissions import Actor
from domain.pool import Strategy
from domain.resource import Shift, Span
from domain.resource_day import ResourceDay, page_id
from domain.service import Requirement, Terms
from domain.wall_clock import WEEKDAYS

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NINE = MONDAY + timedelta(hours=9)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ALL_DAY = tuple(Shift(weekday, Span(0, 24 * 60)) for weekday in WEEKDAYS)
OFFICE_HOURS = tuple(Shift(weekday, Span(9 * 60, 17 * 60)) for weekday in WEEKDAYS)
SEED = UUID("0d9e1c3a-6a1f-4f53-8a39-d6f1b6f3c001")


class Desk:
    """Streams by id, a clock that is set by hand, and everyone who may act."""

    def __init__(self, *, seed: UUID = SEED, now: datetime = MONDAY, time_zone: str = "UTC") -> None:
        self.now = now
        self.streams: dict[UUID, Stream] = defaultdict(Stream)
        self.facts: list[tuple[UUID, Fact]] = []
        self._ids = (uuid5(seed, str(number)) for number in range(1_000_000))
        self.organization_id = self.new_id()
        self.owner = self._actor(Role.OWNER)
        self.staff = self._actor(Role.STAFF)
        self.clock = self._actor(Role.SERVICE)
        self.do(
            register_organization,
            RegisterOrganization(
                organization_id=self.organization_id,
                name="Clinic",
                time_zone=time_zone,
                account_id=self.owner.account_id,
                subject_id=self.owner.subject_id,
                sign_in_name_id=self.new_id(),
            ),
            self.owner,
        )

    def new_id(self) -> UUID:
        return next(self._ids)

    def _actor(self, role: Role) -> Actor:
        return Actor(self.new_id(), self.organization_id, self.new_id(), role)

    def get(self, stream_id: UUID) -> Stream:
        """For views: every stream is in memory."""
        return self.streams[stream_id]

    def do(self, use_case: UseCase[Any], command: object, actor: Actor | None = None) -> Mapping[str, Any]:
        """Decide, keep the facts, and return the answer."""
        decision: Decision = use_case(View(self), command, actor or self.staff, self.now)
        for stream_id, fact in decision.facts:
            stream = self.streams[stream_id]
            self.streams[stream_id] = Stream(stream.version + 1, evolved(stream.state, fact))
            self.facts.append((stream_id, fact))
        assert isinstance(decision.answer, dict)
        return decision.answer

    def appointment(self, appointment_id: UUID) -> Appointment:
        state = self.streams[appointment_id].state
        assert isinstance(state, Appointment)
        return state

    def claims_on(self, resource_id: UUID) -> list[UUID]:
        """The appointments that have a claim on a resource's diary page of the day of ``NINE``."""
        page = self.streams[page_id(resource_id, NINE.date())].state
        return [claim.appointment_id for claim in page.claims] if isinstance(page, ResourceDay) else []

    def customer(self) -> UUID:
        answer = self.do(register_customer, RegisterCustomer(customer_id=self.new_id()))
        return UUID(str(answer["id"]))

    def as_customer(self, customer_id: UUID) -> Actor:
        return Actor(self.new_id(), self.organization_id, customer_id, Role.CUSTOMER)

    def resource(
        self,
        kind: str = "room",
        *,
        capacity: int = 1,
        shifts: tuple[Shift, ...] = ALL_DAY,
        time_zone: str = "UTC",
        location_id: UUID | None = None,
    ) -> UUID:
        command = AddResource(
            resource_id=self.new_id(),
            kind=kind,
            capacity=capacity,
            shifts=shifts,
            time_zone=time_zone,
            location_id=location_id,
        )
        return UUID(str(self.do(add_resource, command, self.owner)["id"]))

    def location(self, time_zone: str = "UTC") -> UUID:
        command = OpenLocation(location_id=self.new_id(), name="Harbour", time_zone=time_zone)
        return UUID(str(self.do(open_location, command, self.owner)["id"]))

    def pool(self, *resource_ids: UUID, strategy: Strategy = Strategy.PRIORITY) -> UUID:
        command = CreatePool(pool_id=self.new_id(), name="Pool", resource_ids=resource_ids, strategy=strategy)
        return UUID(str(self.do(create_pool, command, self.owner)["id"]))

    def service(self, *requirements: Requirement, duration_min: int = 60, **terms: Any) -> UUID:
        needs = requirements or (Requirement(kind="room"),)
        offered = Terms(name="Visit", duration_min=duration_min, requirements=needs, **terms)
        answer = self.do(offer_service, OfferService(service_id=self.new_id(), terms=offered), self.owner)
        return UUID(str(answer["id"]))

    def booked(self, service_id: UUID, start: datetime = NINE, **wish: Any) -> Appointment:
        """A booking by the front desk for a new customer, or for ``customer_id``."""
        customer_id = wish.pop("customer_id", None) or self.customer()
        command = Book(
            appointment_id=self.new_id(), service_id=service_id, customer_id=customer_id, start=start, **wish
        )
        return self.appointment(UUID(str(self.do(book, command)["id"])))
