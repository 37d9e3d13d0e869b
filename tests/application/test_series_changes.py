"""A series is moved and called off as one: its own appointments, all or nothing, exceptions left alone."""

from datetime import datetime, timedelta

import pytest

from application.booking import Reschedule, reschedule
from application.visits import Cancel, cancel
from domain.appointment import Appointment, AppointmentCancelled, AppointmentRescheduled
from domain.refusals import (
    NotInThatState,
    SeriesConflicts,
    SlotTaken,
    TooSoon,
    VersionMismatch,
)
from tests.desk import HOUR, NINE
from tests.recurring_desk import AT_NINE, WEEK, RecurringDesk, in_utc, refusals_of, starts_of, weekly

A_DAY = timedelta(days=1)
TEN = AT_NINE + HOUR


def appointments(desk: RecurringDesk) -> list[Appointment]:
    return [one.state for one in desk.streams.values() if isinstance(one.state, Appointment)]


def shifted(starts: tuple[datetime, ...], by: timedelta) -> list[datetime]:
    return in_utc([start + by for start in starts])


def test_a_whole_series_moves_by_the_same_difference_on_the_wall() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(4))

    answer = desk.move(series["id"], AT_NINE + A_DAY + HOUR)

    assert starts_of(answer) == shifted(weekly(4), A_DAY + HOUR)
    assert answer["moved"] == list(weekly(4))
    assert [one["recurrence_id"] for one in answer["occurrences"]] == list(weekly(4))
    assert desk.claimed(desk.rooms[0]) == starts_of(answer)


def test_moving_a_series_never_makes_a_second_one() -> None:
    """The known failure: rescheduling adds another series to the first."""
    desk = RecurringDesk()
    series = desk.begin(*weekly(4))
    visits = {visit.id for visit in appointments(desk)}

    for hours in (1, 3, -2):
        desk.move(series["id"], AT_NINE + hours * HOUR)
    desk.move(series["id"], AT_NINE + 4 * HOUR, scope="following", of=weekly(4)[2])

    assert {visit.id for visit in appointments(desk)} == visits
    assert len(desk.claimed(desk.rooms[0])) == 4


@pytest.mark.parametrize("weeks", [-1, 1, 2])
def test_a_series_moves_onto_its_own_former_times(weeks: int) -> None:
    desk = RecurringDesk()
    first = AT_NINE + WEEK
    series = desk.begin(*weekly(4, first))

    answer = desk.move(series["id"], first + weeks * WEEK)

    assert starts_of(answer) == shifted(weekly(4, first), weeks * WEEK)
    assert desk.claimed(desk.rooms[0]) == starts_of(answer)


def test_the_times_of_a_moved_series_stay_on_the_wall_when_the_clock_changes() -> None:
    """New York, 14 March 2027: from UTC-5 to UTC-4."""
    first = datetime(2027, 3, 8, 9)  # noqa: DTZ001  wall-clock time
    desk = RecurringDesk(time_zone="America/New_York")
    series = desk.begin(*weekly(2, first))
    assert [start.hour for start in starts_of(series)] == [14, 13]

    answer = desk.move(series["id"], first + HOUR)

    assert [start.hour for start in starts_of(answer)] == [15, 14]


def test_from_one_occurrence_on_only_those_that_follow_move() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(4))
    third = weekly(4)[2]

    answer = desk.move(series["id"], third + HOUR, scope="following", of=third)

    assert answer["moved"] == list(weekly(4)[2:])
    assert starts_of(answer) == [*in_utc(weekly(2)), *shifted(weekly(4)[2:], HOUR)]


def test_what_was_moved_or_called_off_on_its_own_is_an_exception_and_is_kept() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(5))
    ids = [one["id"] for one in series["occurrences"]]
    desk.do(reschedule, Reschedule(appointment_id=ids[1], start=NINE + WEEK + 5 * HOUR))
    desk.do(cancel, Cancel(appointment_id=ids[2]))
    desk.move(series["id"], weekly(5)[3] + 6 * HOUR, scope="this", of=weekly(5)[3])

    answer = desk.move(series["id"], TEN)

    assert answer["kept"] == list(weekly(5)[1:4])
    assert answer["moved"] == [weekly(5)[0], weekly(5)[4]]
    by_id = {one["id"]: one for one in answer["occurrences"]}
    assert [by_id[one]["start"] - NINE for one in ids] == [
        HOUR,
        WEEK + 5 * HOUR,
        2 * WEEK,
        3 * WEEK + 6 * HOUR,
        4 * WEEK + HOUR,
    ]
    assert by_id[ids[2]]["status"] == "cancelled"


def test_an_exception_that_is_named_moves_and_stays_one() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(2))
    desk.do(reschedule, Reschedule(appointment_id=series["occurrences"][1]["id"], start=NINE + WEEK + 5 * HOUR))

    moved = desk.move(series["id"], weekly(2)[1] + 2 * HOUR, scope="this", of=weekly(2)[1])
    later = desk.move(series["id"], TEN)

    assert moved["moved"] == [weekly(2)[1]]
    assert later["kept"] == [weekly(2)[1]]
    assert starts_of(later) == [NINE + HOUR, NINE + WEEK + 2 * HOUR]


def test_what_has_been_stays_where_it_was() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(3))
    desk.now = NINE + HOUR

    answer = desk.move(series["id"], weekly(3)[1] + HOUR)

    assert answer["moved"] == list(weekly(3)[1:])
    assert starts_of(answer) == [NINE, *shifted(weekly(3)[1:], HOUR)]
    desk.now = NINE + 3 * WEEK
    with pytest.raises(NotInThatState):
        desk.move(series["id"], AT_NINE + 4 * WEEK)


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_series_is_moved_whole_or_not_at_all(taken: int) -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(4))
    desk.booked(desk.service_id, NINE + taken * WEEK + HOUR)
    before = len(desk.facts)

    with pytest.raises(SeriesConflicts) as refused:
        desk.move(series["id"], TEN)

    assert refusals_of(refused.value) == {weekly(4)[taken]: SlotTaken}
    assert [one.start for one in refused.value.conflicts] == [NINE + taken * WEEK + HOUR]
    assert len(desk.facts) == before


def test_what_cannot_be_moved_may_be_left_where_it_is() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(4))
    desk.booked(desk.service_id, NINE + WEEK + HOUR)

    answer = desk.move(series["id"], TEN, on_conflict="skip")

    assert [one.recurrence_id for one in answer["skipped"]] == [weekly(4)[1]]
    assert answer["moved"] == [weekly(4)[n] for n in (0, 2, 3)]
    assert starts_of(answer) == [NINE + HOUR, NINE + WEEK, NINE + 2 * WEEK + HOUR, NINE + 3 * WEEK + HOUR]


@pytest.mark.parametrize(("weeks", "taken"), [(1, 4), (-1, 0)])
@pytest.mark.parametrize("rooms", [1, 2])
def test_who_is_left_where_it_is_keeps_out_those_who_would_follow(weeks: int, taken: int, rooms: int) -> None:
    """The one at the head of the move finds its way barred, so nobody behind it can move up either."""
    desk = RecurringDesk(rooms=rooms, customer_overlap_allowed=True)
    first = AT_NINE + WEEK
    series = desk.begin(*weekly(3, first))
    for _ in range(rooms):
        desk.booked(desk.service_id, NINE + taken * WEEK)

    with pytest.raises(SeriesConflicts) as refused:
        desk.move(series["id"], first + weeks * WEEK, on_conflict="skip")

    assert len(refused.value.conflicts) == 3
    assert starts_of(series) == [desk.appointment(one["id"]).visit.start for one in series["occurrences"]]


def test_an_occurrence_that_is_left_behind_keeps_its_own_room() -> None:
    """Nobody of the series moves onto a place that turns out not to be given up."""
    desk = RecurringDesk()
    first = AT_NINE + WEEK
    series = desk.begin(*weekly(4, first))
    desk.booked(desk.service_id, NINE + 5 * WEEK)  # where the last would go
    desk.do(cancel, Cancel(appointment_id=series["occurrences"][1]["id"]))

    answer = desk.move(series["id"], first + WEEK, on_conflict="skip")

    assert answer["moved"] == [first]
    assert [one.recurrence_id for one in answer["skipped"]] == [first + 2 * WEEK, first + 3 * WEEK]
    assert desk.claimed(desk.rooms[0]) == [NINE + weeks * WEEK for weeks in (2, 3, 4, 5)]


def test_a_series_may_move_to_another_room() -> None:
    desk = RecurringDesk(rooms=2)
    series = desk.begin(*weekly(2))

    answer = desk.move(series["id"], AT_NINE, resource_ids=(desk.rooms[1],))

    assert {tuple(one["resource_ids"]) for one in answer["occurrences"]} == {(desk.rooms[1],)}
    assert desk.claimed(desk.rooms[0]) == []


def test_moved_and_cancelled_visits_say_of_which_series_that_was_part() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(2))

    desk.move(series["id"], TEN)
    desk.call_off(series["id"])

    told = [fact.series_id for _, fact in desk.facts if isinstance(fact, AppointmentRescheduled | AppointmentCancelled)]
    assert told == [series["id"]] * 4


def test_a_series_that_has_changed_since_one_looked_is_left_alone() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(2))
    desk.move(series["id"], TEN)

    with pytest.raises(VersionMismatch):
        desk.move(series["id"], AT_NINE, if_version=series["version"])


def test_a_series_is_not_moved_into_the_past() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(2))

    with pytest.raises(SeriesConflicts) as refused:
        desk.move(series["id"], AT_NINE - A_DAY)

    assert refusals_of(refused.value) == {AT_NINE: TooSoon}
