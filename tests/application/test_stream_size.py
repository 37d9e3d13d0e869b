"""What a stream is estimated to take in memory is near to what it takes, whatever its kind and length."""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from uuid import UUID, uuid5

import pytest

from adapters.fact_codec import FactMapper
from application.decision import State, Stream, evolved
from application.journal import Provenance
from application.stream_size import SIZES, bytes_of
from domain import (
    access,
    account,
    api_key,
    appointment,
    booking_page,
    contact,
    location,
    one_time_code,
    organization,
    pool,
    reminder,
    resource,
    resource_day,
    series,
    service,
    session,
    visitor,
    waitlist,
    webhook,
)
from domain.fact import Fact
from domain.identity_provider import IdentityLinked, IdentityProviderRegistered, SignUp
from domain.interval import Interval

COPIES = 50
LENGTHS = (0, 1, 60)
TOLERANCE = 0.3
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
PROVENANCE = Provenance(organization_id=UUID(int=1), actor_id=UUID(int=2), at=NINE, command_id=UUID(int=3))
MAPPER = FactMapper()


def some_id(number: int = 0) -> UUID:
    return uuid5(PROVENANCE.command_id, str(number))


def hour(number: int) -> Interval:
    return Interval(NINE + number * timedelta(hours=1), NINE + (number + 1) * timedelta(hours=1))


Facts = Callable[[int], Sequence[Fact]]

ONE: dict[str, Any] = {"organization_id": some_id(1), "service_id": some_id(2), "customer_id": some_id(3)}
BEGUN: dict[str, Any] = {
    **ONE,
    "appointment_id": some_id(),
    "visit": hour(0),
    "claim": hour(1),
}


def booked(allotments: int) -> list[Fact]:
    taken = tuple(appointment.Allotment(some_id(4 + n), 1) for n in range(max(1, allotments)))
    return [appointment.AppointmentBooked(**BEGUN, allotments=taken)]


def claims(many: int) -> list[Fact]:
    return [
        resource_day.SlotClaimed(
            resource_id=some_id(), day=NINE.date(), appointment_id=some_id(n), claim=hour(n), quantity=1
        )
        for n in range(max(1, many))
    ]


def visits(many: int) -> list[Fact]:
    return [
        booking_page.VisitEntered(
            holder_id=some_id(),
            month=date(2026, 11, 1),
            appointment_id=some_id(n),
            service_id=some_id(2),
            visit=hour(n),
        )
        for n in range(max(1, many))
    ]


def listed(many: int) -> list[Fact]:
    return [organization.ResourceListed(resource_id=some_id(n), kind="room") for n in range(max(1, many))]


def holidays(many: int) -> list[Fact]:
    opened = location.LocationOpened(
        location_id=some_id(),
        organization_id=some_id(1),
        name="Harbour Clinic",
        time_zone="Europe/Lisbon",
        address=None,
    )
    days = tuple(location.Holiday(NINE.date() + timedelta(days=n), f"Holiday {n} of Harbour") for n in range(many))
    return [opened, location.HolidaysSet(location_id=some_id(), country="PT", subdivision=None, holidays=days)]


def hours(many: int) -> list[Fact]:
    added = resource.ResourceAdded(
        resource_id=some_id(),
        organization_id=some_id(1),
        kind="room",
        location_id=some_id(2),
        time_zone="Europe/Lisbon",
        capacity=1,
        shifts=tuple(resource.Shift("MO", resource.Span(540, 1020)) for _ in range(7)),
    )
    overrides = tuple(
        resource.Override(NINE.date() + timedelta(days=n), (resource.Span(540, 1020),)) for n in range(many)
    )
    return [added, resource.WorkingHoursSet(resource_id=some_id(), shifts=added.shifts, overrides=overrides)]


def closures(many: int) -> list[Fact]:
    added = hours(0)[:1]
    return added + [
        resource.ResourceClosedFor(resource_id=some_id(), closure_id=some_id(n), closed=hour(n)) for n in range(many)
    ]


def offered(requirements: int) -> list[Fact]:
    needs = tuple(service.Requirement(resource_id=some_id(n)) for n in range(max(1, requirements)))
    terms = service.Terms(name="Consultation", duration_min=30, requirements=needs)
    return [service.ServiceOffered(service_id=some_id(), organization_id=some_id(1), terms=terms)]


def takers(many: int) -> list[Fact]:
    opened = session.SessionOpened(
        session_id=some_id(),
        organization_id=some_id(1),
        service_id=some_id(2),
        visit=hour(0),
        claim=hour(1),
        allotments=(appointment.Allotment(some_id(4), 1),),
        seats=many + 1,
    )
    return [opened] + [
        session.SeatsTaken(session_id=some_id(), appointment_id=some_id(n), seats=1) for n in range(many)
    ]


def occurrences(many: int) -> list[Fact]:
    wall = [datetime(2026, 11, 23, 9) + timedelta(days=n) for n in range(many)]  # noqa: DTZ001  wall-clock time
    return [
        series.SeriesBegun(
            **ONE,
            series_id=some_id(),
            start_local=datetime(2026, 11, 23, 9),  # noqa: DTZ001
            time_zone="Europe/Lisbon",
            rrule="FREQ=DAILY;COUNT=100",
            exdates=(),
            occurrences=tuple(series.Occurrence(one, some_id(n), one) for n, one in enumerate(wall)),
            skipped=(),
        )
    ]


def waiting(many: int) -> list[Fact]:
    return [
        waitlist.WaitlistJoined(**ONE, entry_id=some_id(n), windows=(hour(n),), resource_id=None, seats=1)
        for n in range(max(1, many))
    ]


def turns(_: int) -> list[Fact]:
    return [pool.PoolTurnTaken(pool_id=some_id(), resource_id=some_id(1))]


def members(many: int) -> list[Fact]:
    ids = tuple(some_id(n) for n in range(many))
    return [
        pool.PoolCreated(
            pool_id=some_id(),
            organization_id=some_id(1),
            name="Rooms",
            resource_ids=ids,
            strategy=pool.Strategy.PRIORITY,
        )
    ]


def reminders(many: int) -> list[Fact]:
    return [reminder.ReminderDue(appointment_id=some_id(), remind_at=hour(n).start) for n in range(max(1, many))]


def used_contact(many: int) -> list[Fact]:
    return [
        contact.ContactUsed(contact_id=some_id(), appointment_id=some_id(n), visit_ends=hour(n + 9).end, at=NINE)
        for n in range(max(1, many))
    ]


def registered(_: int) -> list[Fact]:
    zone = "Europe/Lisbon"
    return [organization.OrganizationRegistered(organization_id=some_id(), name="Harbour Clinic", time_zone=zone)]


def opened(_: int) -> list[Fact]:
    staff = account.Role.STAFF
    return [account.AccountOpened(account_id=some_id(), organization_id=some_id(1), subject_id=some_id(2), role=staff)]


def named(_: int) -> list[Fact]:
    return [account.SignInNameTaken(account_id=some_id())]


def noted(_: int) -> list[Fact]:
    return [access.CallForbidden(account_id=some_id(), operation="audit.read", times=1)]


def api_keys(many: int) -> list[Fact]:
    ids = {"api_key_id": some_id(), "organization_id": some_id(1), "account_id": some_id(2), "subject_id": some_id(3)}
    scopes = tuple(f"appointment.read_{n}" for n in range(many))
    return [api_key.ApiKeyIssued(**ids, role=account.Role.STAFF, scopes=scopes, expires_at=NINE)]


def codes(_: int) -> list[Fact]:
    ids: dict[str, Any] = {"code_id": some_id(), "key": some_id(1), "recipient_id": some_id(2)}
    return [one_time_code.CodeRequested(**ids, purpose=one_time_code.Purpose.VERIFY_EMAIL, channel="email")]


def customers(_: int) -> list[Fact]:
    return [account.CustomerRegistered(customer_id=some_id(), organization_id=some_id(1), account_id=None)]


def hooks(many: int) -> list[Fact]:
    url, topics = "https://crm.example.com/daybook", tuple(f"appointment.did_{number}.v1" for number in range(many))
    return [webhook.WebhookAdded(webhook_id=some_id(), organization_id=some_id(1), url=url, topics=topics)]


def listed_hooks(many: int) -> list[Fact]:
    return [webhook.WebhookListed(webhook_id=some_id(n)) for n in range(max(1, many))]


# fmt: off
HISTORIES: Sequence[Facts] = (
    hooks, listed_hooks, booked, claims, visits, listed, holidays, hours, closures, offered, takers, occurrences,
    waiting, turns, members, reminders, registered, used_contact, opened, named, noted, api_keys, codes, customers,
    lambda _: [IdentityProviderRegistered(organization_id=some_id(), issuer="x" * 25, client_id="me", sign_up=SignUp.CUSTOMERS)],  # noqa: E501
    lambda _: [IdentityLinked(account_id=some_id())],
    lambda _: [visitor.VisitorCodeRequested(appointment_id=some_id(), customer_id=some_id(1), code_id=some_id(2))],
)
# fmt: on


def loaded(history: Sequence[tuple[str, bytes]]) -> Stream:
    """As the journal gives it: every fact is decoded anew, so that nothing is shared."""
    state: State | None = None
    for topic, stored in history:
        state = evolved(state, MAPPER.recorded(1, some_id(), 1, topic, stored).fact)
    return Stream(len(history), state)


def measured(facts: Sequence[Fact]) -> tuple[Stream, float]:
    history = [(fact.TOPIC, MAPPER.state(fact, PROVENANCE)) for fact in facts]
    loaded(history)
    kept: list[Stream | None] = [None] * COPIES
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for place in range(COPIES):
            kept[place] = loaded(history)
        gc.collect()
        took = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept[0]
    return kept[0], took / COPIES


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("facts", HISTORIES, ids=lambda facts: facts.__name__)
def test_the_estimate_is_near_to_what_it_takes(facts: Facts, length: int) -> None:
    stream, took = measured(facts(length))
    assert bytes_of(stream) == pytest.approx(took, rel=TOLERANCE)


def test_every_kind_of_stream_has_its_size() -> None:
    assert SIZES.keys() == set(get_args(State))
    assert {type(loaded([(f.TOPIC, MAPPER.state(f, PROVENANCE)) for f in facts(1)]).state) for facts in HISTORIES} == (
        SIZES.keys()
    )


def test_a_stream_that_does_not_exist_takes_its_place_only() -> None:
    assert 0 < bytes_of(Stream()) < 100
