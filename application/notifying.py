"""What a fact gives reason to tell a customer, and whether there still is reason to. Pure: no clock, no provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from application.decision import State, evolved
from application.journal import Recorded
from application.vault import Person
from domain.appointment import (
    Appointment,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentRescheduled,
    Status,
)
from domain.fact import Fact
from domain.interval import Interval
from domain.location import Location
from domain.organization import Organization
from domain.resource import Resource
from domain.service import Service

MESSAGE_AGE_MAX = timedelta(hours=24)
"""Older news is not sent: a ledger that was lost or a feed that was replayed must not wake everyone up."""


class Template(StrEnum):
    CONFIRMATION = "confirmation"
    CHANGE = "change"
    CANCELLATION = "cancellation"


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Moot(StrEnum):
    """Why a message is not sent after all; the ledger's ``reason``."""

    NEVER_BOOKED = "never_booked"
    CANCELLED_SINCE = "cancelled_since"
    MOVED_SINCE = "moved_since"
    VISIT_BEGAN = "visit_began"
    TOO_OLD = "too_old"


TEMPLATES: Mapping[type[Fact], Template] = {
    AppointmentBooked: Template.CONFIRMATION,
    AppointmentConfirmed: Template.CONFIRMATION,
    AppointmentRescheduled: Template.CHANGE,
    AppointmentCancelled: Template.CANCELLATION,
}
"""A hold and its lapse are silent: whoever holds a slot sits in front of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A reason to write to a customer: fact ``version`` of an appointment's stream, at ``position``."""

    position: int
    template: Template
    organization_id: UUID
    appointment_id: UUID
    version: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one recipient over one channel. ``attempt`` counts the calls of the provider, from 1."""

    id: UUID
    notice: Notice
    channel: Channel
    recipient_id: UUID
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a message may speak of. Instants are in the zone in which the visit takes place."""

    organization_name: str
    service_name: str
    starts_at: datetime
    ends_at: datetime
    previously_at: datetime | None
    location_name: str | None
    address: str | None
    with_names: tuple[str, ...]
    customer_name: str | None
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A rendered message; ``subject`` is one line (of a push: its title), ``html`` only for e-mail."""

    subject: str
    text: str
    html: str | None = None


def notice_of(recorded: Recorded) -> Notice | None:
    """The notice that a fact gives rise to, None for most."""
    template = TEMPLATES.get(type(recorded.fact))
    if template is None:
        return None
    return Notice(
        position=recorded.position,
        template=template,
        organization_id=recorded.provenance.organization_id,
        appointment_id=recorded.stream_id,
        version=recorded.version,
        at=recorded.provenance.at,
    )


def deliveries_of(notice: Notice, customer_id: UUID, person: Person | None) -> list[Delivery]:
    """One message for each way in which the customer can be reached."""
    return [
        Delivery(id=delivery_id(notice, channel, customer_id), notice=notice, channel=channel, recipient_id=customer_id)
        for channel in Channel
        if person is not None and address_of(person, channel)
    ]


def delivery_id(notice: Notice, channel: Channel, recipient_id: UUID) -> UUID:
    """The id under which the ledger and the provider know a message: the same however often it is derived."""
    return uuid5(notice.appointment_id, f"{notice.position}/{notice.template}/{channel}/{recipient_id}")


def reference_of(message_id: UUID) -> str:
    """Ten characters of a message's id, written into an SMS: the only trace of ours that Twilio lists."""
    return f"{message_id.hex[:5]}-{message_id.hex[5:10]}".upper()


def address_of(person: Person, channel: Channel) -> str | None:
    return {Channel.EMAIL: person.email, Channel.SMS: person.phone, Channel.PUSH: person.push_token}[channel]


def folded(stream: Sequence[Recorded], *, upto: int | None = None) -> State | None:
    """The state of a stream, or what it was at version ``upto``."""
    state: State | None = None
    for recorded in stream:
        if upto is not None and recorded.version > upto:
            break
        state = evolved(state, recorded.fact)
    return state


def moot(notice: Notice, stream: Sequence[Recorded], *, now: datetime) -> Moot | None:
    """Why the notice has nothing to say any more, as the appointment's stream stands now; None: send it."""
    before, then, today = (_visit(stream, upto) for upto in (notice.version - 1, notice.version, None))
    silent_before = before is None or before.status is Status.HELD
    if then is None or today is None or (notice.template is not Template.CONFIRMATION and silent_before):
        return Moot.NEVER_BOOKED
    if now - notice.at > MESSAGE_AGE_MAX:
        return Moot.TOO_OLD
    return None if notice.template is Template.CANCELLATION else _overtaken(then, today, now)


def _overtaken(then: Appointment, today: Appointment, now: datetime) -> Moot | None:
    if today.status is Status.CANCELLED:
        return Moot.CANCELLED_SINCE
    if (today.visit, today.allotments) != (then.visit, then.allotments):
        return Moot.MOVED_SINCE  # the later notice tells where to
    if today.status is not Status.BOOKED or now >= today.visit.start:
        return Moot.VISIT_BEGAN
    return None


def streams_behind(visit: Appointment) -> tuple[UUID, ...]:
    """The streams that a message about the visit quotes; the resources' locations come on top."""
    return (visit.organization_id, visit.service_id, *(allotment.resource_id for allotment in visit.allotments))


def occasion(
    delivery: Delivery,
    stream: Sequence[Recorded],
    states: Mapping[UUID, State | None],
    people: Mapping[UUID, Person],
) -> Occasion:
    """What to say, from the appointment's stream, the states of what it names, and the people it is about."""
    notice = delivery.notice
    visit = _visit(stream, notice.version)
    before = _visit(stream, notice.version - 1)
    assert visit
    organization, service = states.get(visit.organization_id), states.get(visit.service_id)
    resources = [states.get(allotment.resource_id) for allotment in visit.allotments]
    location = _location(resources, states)
    zone = _zone(organization, resources, location)
    customer = people.get(delivery.recipient_id)
    names = (people[a.resource_id].display_name for a in visit.allotments if a.resource_id in people)
    return Occasion(
        organization_name=organization.name if isinstance(organization, Organization) else "",
        service_name=service.terms.name if isinstance(service, Service) else "",
        starts_at=visit.visit.start.astimezone(zone),
        ends_at=visit.visit.end.astimezone(zone),
        previously_at=_moved_from(notice, before, visit.visit, zone),
        location_name=location.name if location else None,
        address=location.address if location else None,
        with_names=tuple(name for name in names if name),
        customer_name=customer.display_name if customer else None,
        reference=reference_of(delivery.id),
    )


def _visit(stream: Sequence[Recorded], upto: int | None) -> Appointment | None:
    state = folded(stream, upto=upto)
    return state if isinstance(state, Appointment) else None


def _location(resources: Sequence[State | None], states: Mapping[UUID, State | None]) -> Location | None:
    for resource in resources:
        if isinstance(resource, Resource) and resource.location_id:
            location = states.get(resource.location_id)
            if isinstance(location, Location):
                return location
    return None


def _zone(organization: State | None, resources: Sequence[State | None], location: Location | None) -> ZoneInfo:
    """The zone of the place where the visit is; else of what is claimed; else of the organization."""
    if location:
        return ZoneInfo(location.time_zone)
    for candidate in (*resources, organization):
        if isinstance(candidate, (Resource, Organization)):
            return ZoneInfo(candidate.time_zone)
    return ZoneInfo("UTC")


def _moved_from(notice: Notice, before: Appointment | None, now: Interval, zone: ZoneInfo) -> datetime | None:
    """The former start, if a change moved it; a change of resource alone keeps the time."""
    if notice.template is not Template.CHANGE or before is None or before.visit.start == now.start:
        return None
    return before.visit.start.astimezone(zone)
