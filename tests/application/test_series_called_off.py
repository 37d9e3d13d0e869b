"""What is called off of a series goes to others; whom the notice binds; and who may change it at all."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from application.booking import Reschedule, reschedule
from application.visits import CheckIn, check_in
from application.waiting import Join, join
from domain.appointment import Appointment, Status
from domain.permissions import Actor
from domain.refusals import (
    CancelledTooLate,
    InvalidValue,
    NotFound,
    NotInThatState,
    SeriesConflicts,
)
from tests.desk import HOUR, NINE
from tests.recurring_desk import AT_NINE, WEEK, RecurringDesk, refusals_of, starts_of, weekly

A_DAY = timedelta(days=1)
TEN = AT_NINE + HOUR


def appointments(desk: RecurringDesk) -> list[Appointment]:
    return [one.state for one in desk.streams.values() if isinstance(one.state, Appointment)]


def test_cancelling_a_series_keeps_what_has_been_and_gives_the_rest_back() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(4))
    desk.now = NINE + WEEK - HOUR
    desk.do(check_in, CheckIn(appointment_id=series["occurrences"][1]["id"]))

    answer = desk.call_off(series["id"])

    assert answer["cancelled"] == list(weekly(4)[2:])
    assert answer["kept"] == [weekly(4)[1]]
    assert [one["status"] for one in answer["occurrences"]] == ["booked", "arrived"]
    assert desk.claimed(desk.rooms[0]) == [NINE, NINE + WEEK]
    with pytest.raises(NotInThatState):
        desk.call_off(series["id"])


def test_what_follows_is_cancelled_and_exceptions_with_it() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(4))
    moved = series["occurrences"][3]["id"]
    desk.do(reschedule, Reschedule(appointment_id=moved, start=NINE + 3 * WEEK + 5 * HOUR))

    answer = desk.call_off(series["id"], scope="following", of=weekly(4)[1])

    assert answer["cancelled"] == list(weekly(4)[1:])
    assert desk.appointment(moved).status is Status.CANCELLED
    assert desk.claimed(desk.rooms[0]) == [NINE]


def test_one_occurrence_is_cancelled_and_the_others_stand() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(3))

    answer = desk.call_off(series["id"], scope="this", of=weekly(3)[1])

    assert answer["cancelled"] == [weekly(3)[1]]
    assert starts_of(answer) == [NINE, NINE + 2 * WEEK]
    with pytest.raises(InvalidValue, match="recurrence_id"):
        desk.call_off(series["id"], scope="this", of=weekly(3)[1])


def waits_for_the_second(desk: RecurringDesk) -> UUID:
    """Somebody waits for the hour of the second visit."""
    windows = ((NINE + WEEK, NINE + WEEK + HOUR),)
    wish = Join(entry_id=desk.new_id(), service_id=desk.service_id, customer_id=desk.customer(), windows=windows)
    desk.do(join, wish)
    return wish.customer_id


def held_at(desk: RecurringDesk, start: datetime) -> list[UUID]:
    return [one.customer_id for one in appointments(desk) if one.status is Status.HELD and one.visit.start == start]


@pytest.mark.parametrize("change", ["move", "call_off"])
def test_what_a_series_gives_back_is_offered_to_who_waits_for_it(change: str) -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(3))
    waiting = waits_for_the_second(desk)
    assert held_at(desk, NINE + WEEK) == []

    if change == "move":
        desk.move(series["id"], TEN)
    else:
        desk.call_off(series["id"])

    assert held_at(desk, NINE + WEEK) == [waiting]


def test_what_a_series_gives_back_and_takes_again_is_offered_to_nobody() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(3))
    waits_for_the_second(desk)

    desk.move(series["id"], AT_NINE + WEEK)

    assert held_at(desk, NINE + WEEK) == []
    assert desk.claimed(desk.rooms[0]) == [NINE + n * WEEK for n in (1, 2, 3)]


def customer_within_notice() -> tuple[RecurringDesk, Actor]:
    """Of a service that wants a day's notice, half a day before the first visit."""
    desk = RecurringDesk(cancellation_notice_min=24 * 60)
    me = desk.as_customer(desk.customer_id)
    desk.now -= 2 * A_DAY
    return desk, me


def test_customers_are_bound_by_the_notice_of_each_occurrence() -> None:
    desk, me = customer_within_notice()
    series = desk.begin(*weekly(3), actor=me)
    desk.now = NINE - 12 * HOUR

    with pytest.raises(SeriesConflicts) as refused:
        desk.move(series["id"], TEN, actor=me)
    assert refusals_of(refused.value) == {AT_NINE: CancelledTooLate}
    with pytest.raises(CancelledTooLate):
        desk.move(series["id"], TEN, scope="this", of=AT_NINE, actor=me)
    assert desk.move(series["id"], TEN, actor=me, on_conflict="skip")["moved"] == list(weekly(3)[1:])

    with pytest.raises(CancelledTooLate):
        desk.call_off(series["id"], scope="this", of=AT_NINE, actor=me)
    answer = desk.call_off(series["id"], actor=me)
    assert answer["kept"] == [AT_NINE]
    assert answer["cancelled"] == list(weekly(3)[1:])
    assert desk.call_off(series["id"])["cancelled"] == [AT_NINE]


def test_another_customers_series_does_not_exist() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(2))
    other = desk.as_customer(desk.customer())

    with pytest.raises(NotFound):
        desk.move(series["id"], TEN, actor=other)
    with pytest.raises(NotFound):
        desk.call_off(series["id"], actor=other)


def test_one_must_say_which_occurrence_is_meant() -> None:
    desk = RecurringDesk()
    series = desk.begin(*weekly(2))

    for scope, of in (("this", None), ("following", None), ("all", TEN)):
        with pytest.raises(InvalidValue, match="recurrence_id"):
            desk.move(series["id"], TEN, scope=scope, of=of)
        with pytest.raises(InvalidValue, match="recurrence_id"):
            desk.call_off(series["id"], scope=scope, of=of)
