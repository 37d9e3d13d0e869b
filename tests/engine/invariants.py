"""What must hold after every step, read off the streams and counted minute by minute."""

from collections import Counter
from datetime import datetime
from itertools import combinations
from uuid import UUID

from domain.booking_page import BookingPage
from domain.resource_day import ResourceDay
from tests.engine.both import Both
from tests.engine.reference import House, Visit, day_of, minute_of, moment_of

Written = dict[tuple[UUID, UUID], tuple[set[int], int, datetime | None]]
"""By resource and claimant: which minutes, how much, until when."""


def ensure_all(both: Both) -> None:
    ensure_same_visits(both)
    ensure_nothing_sold_twice(both.house)
    ensure_nobody_in_two_places(both.house)
    ensure_pages(both)
    ensure_booking_pages(both)


def ensure_same_visits(both: Both) -> None:
    for visit in both.house.visits.values():
        real = both.desk.appointment(visit.id)
        assert (real.status, real.held_until if visit.is_tentative else None) == (
            visit.status,
            visit.until if visit.is_tentative else None,
        ), f"{real} is not {visit}"
        assert (real.visit.start, real.visit.end) == (moment_of(visit.start), moment_of(visit.end))
        assert (real.claim.start, real.claim.end) == (moment_of(visit.begins), moment_of(visit.ends))
        assert [(one.resource_id, one.quantity) for one in real.allotments] == visit.takes
        assert (real.seats, real.session_id, real.entry_id) == (visit.seats, visit.session_id, visit.entry_id)


def ensure_nothing_sold_twice(house: House) -> None:
    for (resource_id, minute), quantity in house.taken().items():
        assert quantity <= house.resources[resource_id].capacity, f"{resource_id} at {moment_of(minute)}: {quantity}"
    seats: Counter[tuple[UUID, int]] = Counter()
    for visit in house.standing():
        if visit.session:
            seats[visit.session] += visit.seats
            assert seats[visit.session] <= visit.session_seats, f"{visit.session}: {seats[visit.session]} seats"


def ensure_nobody_in_two_places(house: House) -> None:
    for one, other in combinations(house.standing(), 2):
        if one.customer_id == other.customer_id and one.start < other.end and other.start < one.end:
            knowingly = "customer_overlap" in one.overridden | other.overridden
            assert knowingly or one.may_overlap or other.may_overlap, f"{one} and {other}"


def ensure_pages(both: Both) -> None:
    """Each visit, or session, has exactly its claims on the diary pages, and nothing else has any."""
    house, written = both.house, _written(both)
    for taking in house.takings(recorded=True):
        minutes, quantity, until = written.pop((taking.resource_id, taking.claimant), (set(), 0, None))
        assert minutes == set(range(taking.begins, taking.ends)), f"{taking} is not what is written"
        assert (quantity, until) == (taking.quantity, _until(house, taking.claimant))
    assert not written, f"claims of nobody: {written}"


def _written(both: Both) -> Written:
    written: Written = {}
    for page in [stream.state for stream in both.desk.streams.values() if isinstance(stream.state, ResourceDay)]:
        zone = both.house.resources[page.resource_id].time_zone
        for claim in page.claims:
            first, end = minute_of(claim.interval.start), minute_of(claim.interval.end)
            assert day_of(zone, first) == day_of(zone, end - 1) == page.day
            minutes, quantity, until = written.setdefault(
                (page.resource_id, claim.appointment_id), (set(), claim.quantity, claim.until)
            )
            assert (quantity, until) == (claim.quantity, claim.until)
            assert minutes.isdisjoint(range(first, end))
            minutes.update(range(first, end))
    return written


def _until(house: House, claimant: UUID) -> datetime | None:
    """The latest deadline of those for whom it is claimed; None as soon as one has none."""
    deadlines = [
        visit.until for visit in house.standing(recorded=True) if visit.claimant == claimant and not visit.unseated
    ]
    return None if None in deadlines else max(until for until in deadlines if until is not None)


def ensure_booking_pages(both: Both) -> None:
    """Each visit stands on its customer's pages of the months that it touches, and nothing else does."""
    house, customers = both.house, {visit.customer_id for visit in both.house.visits.values()}
    expected = {
        (visit.customer_id, month, visit.id, visit.until)
        for visit in house.standing(recorded=True)
        for month in _months(house, visit)
    }
    pages = [stream.state for stream in both.desk.streams.values() if isinstance(stream.state, BookingPage)]
    entered = {
        (page.holder_id, page.month, one.appointment_id, one.until)
        for page in pages
        if page.holder_id in customers
        for one in page.visits
    }
    assert entered == expected


def _months(house: House, visit: Visit) -> set[object]:
    return {day_of(house.time_zone, minute).replace(day=1) for minute in (visit.start, visit.end - 1)}
