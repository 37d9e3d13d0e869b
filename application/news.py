"""What a notice has to say as the journal stands, or why there is nothing to say any more. Pure: no clock, no provider.

Which template it comes to follows from the past alone, so it is the same whenever it is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from application.decision import State, evolved
from application.journal import Recorded
from application.notifying import MESSAGE_AGE_MAX, Channel, Delivery, Moot, Notice, Occasion, Template, reference_of
from application.vault import Person
from domain.access import SignUpRepeated
from domain.account import Account
from domain.appointment import (
    Appointment,
    AppointmentApproved,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentHeld,
    AppointmentHoldLapsed,
    AppointmentRequested,
    AppointmentRescheduled,
    Status,
)
from domain.fact import Fact
from domain.location import Location
from domain.one_time_code import CodeRequested, Purpose
from domain.organization import Organization
from domain.reminder import ReminderDue
from domain.resource import Resource
from domain.series import Series, SeriesBegun, SeriesCancelled, SeriesRescheduled, start_of
from domain.service import Service

Streams = Mapping[UUID, Sequence[Recorded]]

_OF_FACT: Mapping[type[Fact], Template] = {
    AppointmentBooked: Template.CONFIRMATION,
    AppointmentConfirmed: Template.CONFIRMATION,
    AppointmentApproved: Template.CONFIRMATION,
    AppointmentRequested: Template.REQUEST,
    AppointmentHeld: Template.OFFER,
    ReminderDue: Template.REMINDER,
    SeriesBegun: Template.SERIES,
    SeriesRescheduled: Template.SERIES_CHANGE,
    SeriesCancelled: Template.SERIES_CANCELLATION,
    SignUpRepeated: Template.SIGN_UP_REPEATED,
}
_OF_PURPOSE: Mapping[Purpose, Template] = {
    Purpose.VERIFY_EMAIL: Template.VERIFY_EMAIL,
    Purpose.RESET_PASSWORD: Template.RESET_PASSWORD,
    Purpose.VISIT: Template.VISIT_CODE,
}
_OF_CHANGE: Mapping[tuple[type[Fact], Status], Template] = {
    (AppointmentRescheduled, Status.BOOKED): Template.CHANGE,
    (AppointmentRescheduled, Status.PENDING): Template.REQUEST,
    (AppointmentCancelled, Status.BOOKED): Template.CANCELLATION,
    (AppointmentCancelled, Status.PENDING): Template.REQUEST_CANCELLED,
    (AppointmentHoldLapsed, Status.PENDING): Template.REQUEST_LAPSED,
}
"""By the status before. What becomes of a hold is silent, but for an offer that lapses."""
_STANDS_WHILE: Mapping[Template, Status] = {
    Template.CONFIRMATION: Status.BOOKED,
    Template.CHANGE: Status.BOOKED,
    Template.REQUEST: Status.PENDING,
    Template.OFFER: Status.HELD,
}
"""What is over stays over: the other templates tell of that, whatever the visit is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What there is to tell of: ``visits`` as they are now, earliest first, never none; of a series several.

    ``manage_url``: where the visit is managed by whoever has no account.
    """

    visits: tuple[Appointment, ...]
    previously: datetime | None = None
    manage_url: str | None = None


def folded(stream: Sequence[Recorded], *, upto: int | None = None) -> State | None:
    """The state of a stream, or what it was at version ``upto``."""
    state: State | None = None
    for recorded in stream:
        if upto is not None and recorded.version > upto:
            break
        state = evolved(state, recorded.fact)
    return state


def template_of(notice: Notice, streams: Streams) -> Template | None:
    """What is written about a fact; None for one that is silent. ``streams``: the notice's two."""
    fact, before = fact_of(notice, streams), _visit(streams, notice.stream_id, notice.version - 1)
    if fact is None:
        return None
    if isinstance(fact, CodeRequested):
        return _OF_PURPOSE[fact.purpose]
    if isinstance(fact, AppointmentHoldLapsed) and before and before.status is Status.HELD and before.entry_id:
        return Template.OFFER_LAPSED
    return _OF_FACT.get(type(fact)) or (_OF_CHANGE.get((type(fact), before.status)) if before else None)


def recipient_of(notice: Notice, streams: Streams) -> UUID | None:
    """The person whom it is told."""
    fact, about = fact_of(notice, streams), folded(streams.get(notice.about_id, ()))
    if isinstance(fact, CodeRequested):
        return fact.recipient_id
    if isinstance(about, Account):
        return about.subject_id
    return about.customer_id if isinstance(about, Appointment | Series) else None


def only_channel(notice: Notice, streams: Streams) -> Channel | None:
    """The one by which it is told, if not by all."""
    fact = fact_of(notice, streams)
    if isinstance(fact, CodeRequested):
        return Channel(fact.channel)
    return Channel.EMAIL if isinstance(fact, SignUpRepeated) else None


def visits_told(notice: Notice, streams: Streams) -> tuple[UUID, ...]:
    """The appointments that the notice tells of, by what the series' stream says; of a visit, itself."""
    match fact_of(notice, streams):
        case SeriesBegun(occurrences=occurrences) | SeriesRescheduled(moved=occurrences):
            return tuple(one.appointment_id for one in occurrences)
        case SeriesCancelled(cancelled=cancelled):
            before = folded(streams[notice.stream_id], upto=notice.version - 1)
            assert isinstance(before, Series)
            return tuple(one.appointment_id for one in before.occurrences if one.recurrence_id in cancelled)
        case _:
            return (notice.about_id,)


def news_of(delivery: Delivery, streams: Streams, *, now: datetime) -> News | Moot:
    """``streams``: the notice's two, and those of the visits that it tells of."""
    notice = delivery.notice
    if fact_of(notice, streams) is None:
        return Moot.UNFOUNDED
    if now - notice.at > MESSAGE_AGE_MAX:
        return Moot.TOO_OLD
    match delivery.template:
        case Template.SERIES | Template.SERIES_CHANGE | Template.SERIES_CANCELLATION:
            return _series_news(notice, streams, now)
        case Template.REMINDER:
            return _reminder(notice, streams, now)
        case _:
            return _visit_news(delivery, streams, now)


def _visit_news(delivery: Delivery, streams: Streams, now: datetime) -> News | Moot:
    notice = delivery.notice
    before, then, today = (
        _visit(streams, notice.about_id, upto) for upto in (notice.version - 1, notice.version, None)
    )
    assert then
    assert today
    expected = _STANDS_WHILE.get(delivery.template)
    overtaken = _overtaken(expected, then, today, now) if expected else None
    return overtaken or News(visits=(then,), previously=_moved_from(before, then))


def _reminder(notice: Notice, streams: Streams, now: datetime) -> News | Moot:
    fact, today = fact_of(notice, streams), _visit(streams, notice.about_id)
    assert isinstance(fact, ReminderDue)
    assert today
    if today.status is not Status.CANCELLED and fact.remind_at not in today.deadlines.remind_at:
        return Moot.MOVED_SINCE
    return _overtaken(Status.BOOKED, today, today, now) or News(visits=(today,))


def _overtaken(expected: Status, then: Appointment, today: Appointment, now: datetime) -> Moot | None:
    if today.status is Status.CANCELLED:
        return Moot.CANCELLED_SINCE
    if (today.visit, today.allotments) != (then.visit, then.allotments):
        return Moot.MOVED_SINCE  # of two changes only the last is told: it says where to
    if today.status is not expected:
        return Moot.VISIT_BEGAN if expected is Status.BOOKED else Moot.ANSWERED_SINCE
    if now >= today.visit.start:
        return Moot.VISIT_BEGAN
    if today.held_until is not None and now >= today.held_until:
        return Moot.DEADLINE_PASSED
    return None


def _series_news(notice: Notice, streams: Streams, now: datetime) -> News | Moot:
    """Of a series all that still holds is told, as it is now: a visit that was changed by itself has its own news."""
    fact, series = fact_of(notice, streams), folded(streams[notice.about_id])
    assert isinstance(series, Series)
    visits = [visit for visit in (_visit(streams, one) for one in visits_told(notice, streams)) if visit]
    if not isinstance(fact, SeriesCancelled):
        visits = [v for v in visits if v.status in {Status.PENDING, Status.BOOKED} and now < v.visit.start]
        if not visits:
            return Moot.CANCELLED_SINCE
    if isinstance(fact, SeriesRescheduled):
        said = {one.appointment_id: start_of(one.start_local, series.zone) for one in fact.moved}
        visits = [visit for visit in visits if visit.visit.start == said[visit.id]]
    return News(visits=tuple(sorted(visits, key=lambda v: v.visit.start))) if visits else Moot.MOVED_SINCE


def streams_behind(news: News) -> tuple[UUID, ...]:
    """The streams that a message quotes; the resources' locations come on top. Of a series the first visit's."""
    visit = news.visits[0]
    return (visit.organization_id, visit.service_id, *(allotment.resource_id for allotment in visit.allotments))


def occasion(
    delivery: Delivery, news: News, states: Mapping[UUID, State | None], people: Mapping[UUID, Person]
) -> Occasion:
    """What to say, with the states of what the news names, and the people it is about."""
    visit = news.visits[0]
    organization, service = states.get(visit.organization_id), states.get(visit.service_id)
    resources = [states.get(allotment.resource_id) for allotment in visit.allotments]
    location = _location(resources, states)
    zone = _zone(organization, resources, location)
    customer = people.get(delivery.recipient_id)
    names = (people[a.resource_id].display_name for a in visit.allotments if a.resource_id in people)
    return Occasion(
        organization_name=organization.name if isinstance(organization, Organization) else "",
        service_name=service.terms.name if isinstance(service, Service) else "",
        starts=tuple(one.visit.start.astimezone(zone) for one in news.visits),
        ends_at=visit.visit.end.astimezone(zone),
        previously_at=news.previously and news.previously.astimezone(zone),
        until=visit.held_until and visit.held_until.astimezone(zone),
        seats=visit.seats,
        is_requested=any(one.status is Status.PENDING for one in news.visits),
        location_name=location.name if location else None,
        address=location.address if location else None,
        with_names=tuple(name for name in names if name),
        customer_name=customer.display_name if customer else None,
        manage_url=news.manage_url,
        reference=reference_of(delivery.id),
    )


def fact_of(notice: Notice, streams: Streams) -> Fact | None:
    """The fact that the notice is of; None if the journal has no such."""
    return next((one.fact for one in streams.get(notice.stream_id, ()) if one.version == notice.version), None)


def _visit(streams: Streams, stream_id: UUID, upto: int | None = None) -> Appointment | None:
    state = folded(streams.get(stream_id, ()), upto=upto)
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


def _moved_from(before: Appointment | None, then: Appointment) -> datetime | None:
    """The former start, if the fact moved it; a change of resource alone keeps the time."""
    return before.visit.start if before and before.visit.start != then.visit.start else None
