"""Which facts give reason to write to a customer, and when there is none any more."""

from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from application import booking, visits
from application.journal import Provenance, Recorded
from application.notifying import (
    MESSAGE_AGE_MAX,
    Channel,
    Moot,
    Notice,
    Template,
    deliveries_of,
    delivery_id,
    folded,
    moot,
    notice_of,
    occasion,
    reference_of,
    streams_behind,
)
from application.timekeeping import Cleared, Timer, TimerKind, command_of, timer_change
from application.vault import Person
from domain.account import Role
from domain.appointment import Appointment
from tests.desk import HOUR, MINUTE, NINE, Desk

ANA = Person(display_name="Ana", email="ana@example.com", phone="+5527999990000")


class Diary:
    """A desk whose appointments' streams are read as the journal records them."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.rooms = [self.desk.resource(time_zone="America/Sao_Paulo"), self.desk.resource()]
        self.service = self.desk.service()

    def books(self, **wish: Any) -> Appointment:
        return self.desk.booked(self.service, resource_ids=(self.rooms[0],), **wish)

    def stream(self, visit: Appointment) -> list[Recorded]:
        facts = [(place, fact) for place, (stream, fact) in enumerate(self.desk.facts, 1) if stream == visit.id]
        return [self._recorded(place, visit, version, fact) for version, (place, fact) in enumerate(facts, 1)]

    def _recorded(self, place: int, visit: Appointment, version: int, fact: object) -> Recorded:
        provenance = Provenance(
            organization_id=self.desk.organization_id, actor_id=uuid4(), at=self.desk.now, command_id=uuid4()
        )
        return Recorded(place, visit.id, version, fact, provenance)  # type: ignore[arg-type]

    def notices(self, visit: Appointment) -> list[Notice]:
        return [notice for recorded in self.stream(visit) if (notice := notice_of(recorded))]

    def moves(self, visit: Appointment, hours: int = 0, *, room: int = 0) -> None:
        wish = booking.Reschedule(appointment_id=visit.id, start=NINE + hours * HOUR, resource_ids=(self.rooms[room],))
        self.desk.do(booking.reschedule, wish)

    def cancels(self, visit: Appointment) -> None:
        self.desk.do(visits.cancel, visits.Cancel(appointment_id=visit.id))

    def verdicts(self, visit: Appointment) -> list[tuple[Template, Moot | None]]:
        stream = self.stream(visit)
        return [(n.template, moot(n, stream, now=self.desk.now)) for n in self.notices(visit)]


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_a_booking_is_confirmed_a_move_and_a_cancellation_are_told(diary: Diary) -> None:
    visit = diary.books()
    assert diary.verdicts(visit) == [(Template.CONFIRMATION, None)]

    diary.moves(visit, 2)
    assert diary.verdicts(visit) == [(Template.CONFIRMATION, Moot.MOVED_SINCE), (Template.CHANGE, None)]

    diary.cancels(visit)
    assert diary.verdicts(visit) == [
        (Template.CONFIRMATION, Moot.CANCELLED_SINCE),
        (Template.CHANGE, Moot.CANCELLED_SINCE),
        (Template.CANCELLATION, None),
    ]


def test_of_two_moves_only_the_last_is_told(diary: Diary) -> None:
    visit = diary.books()
    diary.moves(visit, 2)
    diary.moves(visit, 4)

    assert diary.verdicts(visit)[1:] == [(Template.CHANGE, Moot.MOVED_SINCE), (Template.CHANGE, None)]


def test_another_room_at_the_same_time_is_a_change(diary: Diary) -> None:
    visit = diary.books()
    diary.moves(visit, room=1)

    assert diary.verdicts(visit) == [(Template.CONFIRMATION, Moot.MOVED_SINCE), (Template.CHANGE, None)]


def test_a_hold_says_nothing_and_its_confirmation_does(diary: Diary) -> None:
    visit = diary.books(hold_min=30)
    diary.moves(visit, 1)
    assert diary.verdicts(visit) == [(Template.CHANGE, Moot.NEVER_BOOKED)]

    diary.desk.do(visits.confirm, visits.Confirm(appointment_id=visit.id))
    assert diary.verdicts(visit)[-1] == (Template.CONFIRMATION, None)


def test_a_hold_that_is_given_back_says_nothing(diary: Diary) -> None:
    visit = diary.books(hold_min=30)
    diary.cancels(visit)

    assert diary.verdicts(visit) == [(Template.CANCELLATION, Moot.NEVER_BOOKED)]


def test_once_the_visit_began_a_confirmation_is_pointless(diary: Diary) -> None:
    visit = diary.books()
    diary.desk.now = NINE - HOUR
    diary.desk.do(visits.check_in, visits.CheckIn(appointment_id=visit.id))

    assert diary.verdicts(visit) == [(Template.CONFIRMATION, Moot.VISIT_BEGAN)]


def test_news_have_a_greatest_age_to_the_microsecond(diary: Diary) -> None:
    visit = diary.books(start=NINE + 72 * HOUR)
    [notice], stream = diary.notices(visit), diary.stream(visit)

    assert moot(notice, stream, now=notice.at + MESSAGE_AGE_MAX) is None
    assert moot(notice, stream, now=notice.at + MESSAGE_AGE_MAX + timedelta(microseconds=1)) is Moot.TOO_OLD


def test_a_customer_is_written_to_by_every_way_that_is_known_and_no_other(diary: Diary) -> None:
    [notice] = diary.notices(diary.books())
    customer = uuid4()

    assert [one.channel for one in deliveries_of(notice, customer, ANA)] == [Channel.EMAIL, Channel.SMS]
    assert deliveries_of(notice, customer, Person(display_name="Ana", email="")) == []
    assert deliveries_of(notice, customer, None) == []


def test_a_message_has_the_same_id_however_often_it_is_derived(diary: Diary) -> None:
    [notice] = diary.notices(diary.books())
    customer, other = uuid4(), uuid4()

    ids = {delivery_id(notice, channel, who) for channel in Channel for who in (customer, other) for _ in range(2)}

    assert len(ids) == 6
    assert len({reference_of(one) for one in ids}) == 6


def test_a_message_tells_the_time_of_the_place_and_where_it_was_before(diary: Diary) -> None:
    visit = diary.books()
    diary.moves(visit, 3)
    stream = diary.stream(visit)
    state = folded(stream)
    assert isinstance(state, Appointment)
    states = {one: diary.desk.streams[one].state for one in streams_behind(state)}
    delivery = deliveries_of(diary.notices(visit)[-1], visit.customer_id, ANA)[0]
    people = {visit.customer_id: ANA, diary.rooms[0]: Person(display_name="Room 1")}

    said = occasion(delivery, stream, states, people)

    assert said.starts_at == (NINE + 3 * HOUR).astimezone(ZoneInfo("America/Sao_Paulo"))
    assert said.starts_at.hour == 9
    assert said.previously_at is not None
    assert said.previously_at.hour == 6
    assert (said.organization_name, said.service_name, said.with_names) == ("Clinic", "Visit", ("Room 1",))


def test_a_hold_sets_a_timer_for_its_deadline_that_whatever_ends_the_hold_clears(diary: Diary) -> None:
    visit = diary.books(hold_min=30)
    diary.moves(visit, 1)
    diary.desk.do(visits.confirm, visits.Confirm(appointment_id=visit.id))

    held, moved, confirmed = (timer_change(recorded) for recorded in diary.stream(visit))

    assert isinstance(held, Timer)
    assert (held.kind, held.due_at) == (TimerKind.HOLD, diary.desk.now + 30 * MINUTE)
    assert moved is None  # a hold that is moved keeps its deadline
    assert confirmed == Cleared(held.id)


def test_a_timer_becomes_the_same_command_however_often_it_fires(diary: Diary) -> None:
    visit = diary.books(hold_min=30)
    timer = timer_change(diary.stream(visit)[0])
    assert isinstance(timer, Timer)

    command, actor, command_id = command_of(timer)

    assert command_of(timer) == (command, actor, command_id)
    assert (command.appointment_id, actor.organization_id, actor.role) == (
        visit.id, diary.desk.organization_id, Role.SERVICE,
    )  # fmt: skip
    diary.desk.now += 30 * MINUTE
    assert diary.desk.do(visits.lapse, command, actor)["status"] == "cancelled"
