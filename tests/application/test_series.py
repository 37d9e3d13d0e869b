"""Series are begun whole: every occurrence is held against the diaries, and against those before it."""

from datetime import UTC, datetime, timedelta

import pytest

from application.visits import Approve, approve
from domain.appointment import InSeries, Status
from domain.fact import Fact
from domain.refusals import (
    BookingLimitReached,
    CustomerElsewhere,
    Forbidden,
    InvalidValue,
    NothingOffersThis,
    OutsideWorkingHours,
    ResourceNotSuitable,
    SeriesConflicts,
    SessionFull,
    SlotTaken,
    TooFarAhead,
    TooSoon,
)
from domain.series import OCCURRENCES_MAX, SeriesBegun
from domain.service import BookingLimit, Holder, Period, Requirement
from domain.session import Session, session_id
from tests.desk import HOUR, NINE, OFFICE_HOURS, Desk
from tests.recurring_desk import AT_NINE, WEEK, RecurringDesk, in_utc, refusals_of, starts_of, weekly

A_DAY = timedelta(days=1)


def facts_of(desk: Desk, kind: type[Fact]) -> list[Fact]:
    return [fact for _, fact in desk.facts if isinstance(fact, kind)]


def test_each_occurrence_of_a_series_is_an_appointment() -> None:
    desk = RecurringDesk()

    answer = desk.begin(*weekly(4))

    assert starts_of(answer) == in_utc(weekly(4))
    assert [one["recurrence_id"] for one in answer["occurrences"]] == list(weekly(4))
    for one in answer["occurrences"]:
        visit = desk.appointment(one["id"])
        assert visit.status is Status.BOOKED
        assert visit.occurrence == InSeries(answer["id"], one["recurrence_id"])
    assert desk.claimed(desk.rooms[0]) == in_utc(weekly(4))
    assert answer["skipped"] == []


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_whichever_occurrence_is_taken_nothing_is_written(taken: int) -> None:
    """The known failure: only the first one is checked."""
    desk = RecurringDesk()
    desk.booked(desk.service_id, NINE + taken * WEEK)  # given
    before = len(desk.facts)

    with pytest.raises(SeriesConflicts) as refused:  # when
        desk.begin(*weekly(4))

    assert refusals_of(refused.value) == {weekly(4)[taken]: SlotTaken}  # then
    assert len(desk.facts) == before


def test_a_refused_series_tells_every_conflict_and_what_stands_in_its_way() -> None:
    desk = RecurringDesk(max_advance_days=30)
    desk.booked(desk.service_id, NINE + WEEK)
    elsewhere = desk.service(Requirement(kind="pool"), duration_min=15)
    desk.resource("pool")
    desk.booked(elsewhere, NINE + 2 * WEEK + HOUR / 2, customer_id=desk.customer_id)
    first = AT_NINE - WEEK

    with pytest.raises(SeriesConflicts) as refused:
        desk.begin(*weekly(7, first))

    expected = (TooSoon, None, SlotTaken, CustomerElsewhere, None, None, TooFarAhead)
    found = refusals_of(refused.value)
    assert found == {start: kind for start, kind in zip(weekly(7, first), expected, strict=True) if kind}
    assert [one.start for one in refused.value.conflicts] == in_utc(sorted(found))


def test_occurrences_that_cannot_be_had_are_skipped_if_one_likes_and_told() -> None:
    desk = RecurringDesk()
    desk.booked(desk.service_id, NINE + WEEK)

    answer = desk.begin(*weekly(4), on_conflict="skip")

    kept = [weekly(4)[n] for n in (0, 2, 3)]
    assert [one["recurrence_id"] for one in answer["occurrences"]] == kept
    assert [(one.recurrence_id, type(one.refusal)) for one in answer["skipped"]] == [(weekly(4)[1], SlotTaken)]
    (begun,) = facts_of(desk, SeriesBegun)
    assert isinstance(begun, SeriesBegun)
    assert begun.skipped == (weekly(4)[1],)


def test_a_series_of_which_nothing_is_left_is_none() -> None:
    desk = RecurringDesk()
    for week in range(3):
        desk.booked(desk.service_id, NINE + week * WEEK)

    with pytest.raises(SeriesConflicts) as refused:
        desk.begin(*weekly(3), on_conflict="skip")

    assert len(refused.value.conflicts) == 3
    assert facts_of(desk, SeriesBegun) == []


def test_occurrences_are_held_against_one_another() -> None:
    desk = RecurringDesk(customer_overlap_allowed=True)

    with pytest.raises(SeriesConflicts) as refused:
        desk.begin(AT_NINE, AT_NINE + timedelta(minutes=30), AT_NINE + timedelta(minutes=60))

    assert refusals_of(refused.value) == {AT_NINE + timedelta(minutes=30): SlotTaken}


def test_limits_count_the_series_own_occurrences() -> None:
    limit = BookingLimit(Holder.CUSTOMER, Period.WEEK, 2)
    desk = RecurringDesk(booking_limits=(limit,))

    answer = desk.begin(*weekly(10, step=A_DAY), on_conflict="skip")

    assert {type(one.refusal) for one in answer["skipped"]} == {BookingLimitReached}
    assert starts_of(answer) == in_utc([AT_NINE, AT_NINE + A_DAY, AT_NINE + WEEK, AT_NINE + WEEK + A_DAY])


def test_a_series_keeps_its_people_where_it_can() -> None:
    desk = RecurringDesk(rooms=3)
    first, second, _ = desk.rooms
    desk.booked(desk.service_id, NINE, resource_ids=(first,))
    desk.booked(desk.service_id, NINE + 2 * WEEK, resource_ids=(second,))

    answer = desk.begin(*weekly(4))

    rooms = [one["resource_ids"] for one in answer["occurrences"]]
    assert rooms == [[second], [second], [first], [first]]


def test_a_series_asks_for_resources_like_a_booking() -> None:
    desk = RecurringDesk(rooms=2)
    stranger = desk.resource("pool")

    answer = desk.begin(*weekly(2), resource_ids=(desk.rooms[1],))

    assert {tuple(one["resource_ids"]) for one in answer["occurrences"]} == {(desk.rooms[1],)}
    with pytest.raises(ResourceNotSuitable):
        desk.begin(*weekly(2), resource_ids=(stranger,))


def test_what_meets_every_occurrence_alike_is_no_conflict_of_one() -> None:
    desk = RecurringDesk()
    impossible = desk.service(Requirement(kind="elephant"))

    with pytest.raises(NothingOffersThis):
        desk.begin(*weekly(2), service_id=impossible)
    with pytest.raises(InvalidValue, match="seats"):
        desk.begin(*weekly(2), seats=2, on_conflict="skip")


def test_where_the_house_approves_each_occurrence_waits_for_approval() -> None:
    desk = RecurringDesk(approval_required=True)

    answer = desk.begin(*weekly(2))

    assert [one["status"] for one in answer["occurrences"]] == ["pending", "pending"]
    assert [one["held_until"] for one in answer["occurrences"]] == starts_of(answer)
    desk.do(approve, Approve(appointment_id=answer["occurrences"][1]["id"]))
    assert [desk.appointment(one["id"]).status for one in answer["occurrences"]] == [Status.PENDING, Status.BOOKED]


def test_seats_of_a_course_are_booked_as_a_series() -> None:
    desk = RecurringDesk(seats=3)
    desk.booked(desk.service_id, NINE + WEEK, seats=2)

    with pytest.raises(SeriesConflicts) as refused:
        desk.begin(*weekly(3), seats=2)
    assert refusals_of(refused.value) == {weekly(2)[1]: SessionFull}

    desk.begin(*weekly(3))
    sessions = [desk.streams[session_id(desk.service_id, start)].state for start in in_utc(weekly(3))]
    assert [one.seats_taken(now=desk.now) for one in sessions if isinstance(one, Session)] == [1, 3, 1]


@pytest.mark.parametrize(
    ("zone", "first", "instants"),
    [
        # In winter UTC-5, from 14 March 2027 UTC-4.
        ("America/New_York", "2027-03-07T09:00", [(14, 0), (13, 0), (13, 0)]),
        # Half an hour: UTC+11 until 4 April 2027, then UTC+10:30.
        ("Australia/Lord_Howe", "2027-04-03T09:00", [(22, 0), (22, 30), (22, 30)]),
    ],
)
def test_nine_oclock_stays_nine_oclock(zone: str, first: str, instants: list[tuple[int, int]]) -> None:
    desk = RecurringDesk(time_zone=zone)
    step = WEEK if "York" in zone else A_DAY

    answer = desk.begin(*weekly(3, datetime.fromisoformat(first), step))

    assert [(start.hour, start.minute) for start in starts_of(answer)] == instants


def test_two_occurrences_at_one_instant_are_one_too_many() -> None:
    """New York, 14 March 2027: the clock goes from two to three, so 02:30 happens at 03:30."""
    desk = RecurringDesk(time_zone="America/New_York", rooms=2, customer_overlap_allowed=True)
    day = datetime(2027, 3, 14)  # noqa: DTZ001  wall-clock time

    answer = desk.begin(day.replace(hour=2, minute=30), day.replace(hour=3, minute=30), on_conflict="skip")

    (skipped,) = answer["skipped"]
    assert skipped.recurrence_id.hour == 3
    assert isinstance(skipped.refusal, CustomerElsewhere)
    assert skipped.refusal.appointment_id == answer["occurrences"][0]["id"]
    assert starts_of(answer) == [datetime(2027, 3, 14, 7, 30, tzinfo=UTC)]


def test_a_customer_begins_a_series_for_nobody_else() -> None:
    desk = RecurringDesk()
    me = desk.as_customer(desk.customer_id)

    desk.begin(*weekly(2), actor=me)
    with pytest.raises(Forbidden):
        desk.begin(*weekly(2), actor=me, customer_id=desk.customer())


def test_a_series_is_neither_endless_nor_empty() -> None:
    desk = RecurringDesk()
    with pytest.raises(InvalidValue, match="rrule"):
        desk.begin(*weekly(OCCURRENCES_MAX + 1, step=A_DAY))


def test_a_series_takes_the_customers_own_hold_for_its_first_visit() -> None:
    desk = RecurringDesk()
    held = desk.booked(desk.service_id, NINE, customer_id=desk.customer_id, hold_min=30)

    answer = desk.begin(*weekly(2))

    assert starts_of(answer) == in_utc(weekly(2))
    assert desk.appointment(held.id).status is Status.CANCELLED


def test_outside_working_hours_only_the_day_that_is_closed_is_skipped() -> None:
    desk = RecurringDesk()
    office = desk.resource("office", shifts=OFFICE_HOURS[:5])
    service = desk.service(Requirement(resource_id=office))

    answer = desk.begin(*weekly(7, step=A_DAY), service_id=service, on_conflict="skip")

    assert [type(one.refusal) for one in answer["skipped"]] == [OutsideWorkingHours] * 2
    assert len(answer["occurrences"]) == 5
