"""Which facts give reason to write to a customer, what is written, and when there is nothing to write any more."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from application import booking, visits
from application.news import News, occasion, streams_behind
from application.notifying import (
    MESSAGE_AGE_MAX,
    Channel,
    Moot,
    Notice,
    Template,
    deliveries_of,
    delivery_id,
    reference_of,
)
from application.vault import Person
from domain.appointment import Appointment
from tests.desk import HOUR, MINUTE, NINE, Desk
from tests.post_room import PostRoom

ANA = Person(display_name="Ana", email="ana@example.com", phone="+5527999990000")


class Diary(PostRoom):
    """Two rooms and a visit of an hour in either."""

    def __init__(self, **terms: Any) -> None:
        super().__init__(Desk())
        self.rooms = [self.desk.resource(time_zone="America/Sao_Paulo"), self.desk.resource()]
        self.service = self.desk.service(**terms)

    def books(self, **wish: Any) -> Appointment:
        return self.desk.booked(self.service, resource_ids=(self.rooms[0],), **wish)

    def moves(self, visit: Appointment, hours: int = 0, *, room: int = 0) -> None:
        wish = booking.Reschedule(appointment_id=visit.id, start=NINE + hours * HOUR, resource_ids=(self.rooms[room],))
        self.desk.do(booking.reschedule, wish)

    def cancels(self, visit: Appointment) -> None:
        self.desk.do(visits.cancel, visits.Cancel(appointment_id=visit.id))

    def confirms(self, visit: Appointment) -> None:
        self.desk.do(visits.confirm, visits.Confirm(appointment_id=visit.id))

    def approves(self, visit: Appointment) -> None:
        self.desk.do(visits.approve, visits.Approve(appointment_id=visit.id))

    def lapses(self, visit: Appointment) -> None:
        self.desk.do(visits.lapse, visits.Lapse(appointment_id=visit.id), self.desk.clock)

    def reminds(self, visit: Appointment) -> None:
        """At the time of the first reminder."""
        remind_at = visit.deadlines.remind_at[0]
        self.desk.now = remind_at
        self.desk.do(visits.remind, visits.Remind(appointment_id=visit.id, remind_at=remind_at), self.desk.clock)


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def strict() -> Diary:
    """The house approves every booking."""
    return Diary(approval_required=True)


def test_a_booking_is_confirmed_a_move_and_a_cancellation_are_told(diary: Diary) -> None:
    visit = diary.books()
    assert diary.told(visit.id) == [(Template.CONFIRMATION, None)]

    diary.moves(visit, 2)
    assert diary.told(visit.id) == [(Template.CONFIRMATION, Moot.MOVED_SINCE), (Template.CHANGE, None)]

    diary.cancels(visit)
    assert diary.told(visit.id) == [
        (Template.CONFIRMATION, Moot.CANCELLED_SINCE),
        (Template.CHANGE, Moot.CANCELLED_SINCE),
        (Template.CANCELLATION, None),
    ]


def test_of_two_moves_only_the_last_is_told(diary: Diary) -> None:
    visit = diary.books()
    diary.moves(visit, 2)
    diary.moves(visit, 4)

    assert diary.told(visit.id)[1:] == [(Template.CHANGE, Moot.MOVED_SINCE), (Template.CHANGE, None)]


def test_another_room_at_the_same_time_is_a_change(diary: Diary) -> None:
    visit = diary.books()
    diary.moves(visit, room=1)

    assert diary.told(visit.id) == [(Template.CONFIRMATION, Moot.MOVED_SINCE), (Template.CHANGE, None)]


def test_a_hold_says_nothing_and_its_confirmation_does(diary: Diary) -> None:
    visit = diary.books(hold_min=30)
    diary.moves(visit, 1)
    assert diary.told(visit.id) == []

    diary.confirms(visit)
    assert diary.told(visit.id) == [(Template.CONFIRMATION, None)]


def test_a_hold_that_is_given_back_or_lapses_says_nothing(diary: Diary) -> None:
    given_back = diary.books(hold_min=30)
    diary.cancels(given_back)
    lapsed = diary.books(hold_min=30)
    diary.desk.now += 30 * MINUTE
    diary.lapses(lapsed)

    assert diary.told(given_back.id) == diary.told(lapsed.id) == []


def test_once_the_visit_began_a_confirmation_is_pointless(diary: Diary) -> None:
    visit = diary.books()
    diary.desk.now = NINE - HOUR
    diary.desk.do(visits.check_in, visits.CheckIn(appointment_id=visit.id))

    assert diary.told(visit.id) == [(Template.CONFIRMATION, Moot.VISIT_BEGAN)]


def test_a_request_is_acknowledged_and_its_approval_confirms_it(strict: Diary) -> None:
    visit = strict.books()
    assert strict.told(visit.id) == [(Template.REQUEST, None)]

    strict.approves(visit)
    assert strict.told(visit.id) == [(Template.REQUEST, Moot.ANSWERED_SINCE), (Template.CONFIRMATION, None)]


def test_a_hold_that_becomes_a_request_is_acknowledged_then(strict: Diary) -> None:
    visit = strict.books(hold_min=30)
    assert strict.told(visit.id) == []

    strict.confirms(visit)
    assert strict.told(visit.id) == [(Template.REQUEST, None)]


def test_a_request_that_is_moved_is_still_a_request(strict: Diary) -> None:
    visit = strict.books()
    strict.moves(visit, 2)
    assert strict.told(visit.id) == [(Template.REQUEST, Moot.MOVED_SINCE), (Template.REQUEST, None)]

    _, moved = strict.mails(visit.id)
    news = strict.verdict(moved)
    assert isinstance(news, News)
    assert news.previously == NINE


def test_a_request_that_is_cancelled_never_was_an_appointment(strict: Diary) -> None:
    visit = strict.books()
    strict.cancels(visit)

    assert strict.told(visit.id) == [(Template.REQUEST, Moot.CANCELLED_SINCE), (Template.REQUEST_CANCELLED, None)]


def test_a_request_that_nobody_approved_in_time_is_told_to_have_lapsed(strict: Diary) -> None:
    visit = strict.books()
    strict.desk.now = NINE
    strict.lapses(visit)

    assert strict.told(visit.id) == [(Template.REQUEST, Moot.CANCELLED_SINCE), (Template.REQUEST_LAPSED, None)]


def test_a_reminder_is_sent_of_what_still_stands() -> None:
    diary = Diary(remind_before_min=(60,))
    visit = diary.books()
    diary.reminds(visit)
    assert diary.told(visit.id) == [(Template.CONFIRMATION, None), (Template.REMINDER, None)]

    diary.desk.now = NINE
    assert diary.told(visit.id)[-1] == (Template.REMINDER, Moot.VISIT_BEGAN)


def test_no_reminder_is_sent_of_what_was_cancelled() -> None:
    diary = Diary(remind_before_min=(60,))
    visit = diary.books()
    diary.reminds(visit)
    diary.cancels(visit)

    assert diary.told(visit.id)[1:] == [(Template.REMINDER, Moot.CANCELLED_SINCE), (Template.CANCELLATION, None)]


def test_no_reminder_is_sent_of_what_was_moved() -> None:
    diary = Diary(remind_before_min=(60,))
    visit = diary.books()
    diary.reminds(visit)
    diary.moves(visit, 5)

    assert diary.told(visit.id)[1:] == [(Template.REMINDER, Moot.MOVED_SINCE), (Template.CHANGE, None)]


def test_news_have_a_greatest_age_to_the_microsecond(diary: Diary) -> None:
    visit = diary.books(start=NINE + 72 * HOUR)
    [delivery], then = diary.mails(visit.id), diary.desk.now

    diary.desk.now = then + MESSAGE_AGE_MAX
    assert isinstance(diary.verdict(delivery), News)

    diary.desk.now += timedelta(microseconds=1)
    assert diary.verdict(delivery) is Moot.TOO_OLD


def test_what_a_restored_journal_does_not_know_of_is_not_told(diary: Diary) -> None:
    visit = diary.books()
    diary.moves(visit, 2)
    change = diary.mails(visit.id)[-1]
    diary.desk.facts = [(stream_id, fact) for stream_id, fact in diary.desk.facts if stream_id != visit.id]

    assert diary.verdict(change) is Moot.UNFOUNDED


def test_a_customer_is_written_to_by_every_way_that_is_known_and_no_other(diary: Diary) -> None:
    [notice] = diary.notices(diary.books().id)
    customer = uuid4()

    def channels(person: Person | None) -> list[Channel]:
        return [one.channel for one in deliveries_of(notice, Template.CONFIRMATION, customer, person)]

    assert channels(ANA) == [Channel.EMAIL, Channel.SMS]
    assert channels(Person(display_name="Ana", email="")) == []
    assert channels(None) == []


def test_a_message_has_the_same_id_however_often_it_is_derived(diary: Diary) -> None:
    [notice] = diary.notices(diary.books().id)
    customer, other = uuid4(), uuid4()

    ids = {
        delivery_id(notice, template, channel, who)
        for template in (Template.CONFIRMATION, Template.REMINDER)
        for channel in Channel
        for who in (customer, other)
        for _ in range(2)
    }

    assert len(ids) == 12
    assert len({reference_of(one) for one in ids}) == 12


def test_a_message_keeps_the_id_that_it_had_before_there_were_other_kinds() -> None:
    """A retry after an upgrade must find it at the provider."""
    about = UUID(int=5)
    notice = Notice(position=7, organization_id=UUID(int=1), about_id=about, stream_id=about, version=1, at=NINE)

    its_id = delivery_id(notice, Template.CONFIRMATION, Channel.EMAIL, UUID(int=2))

    assert its_id == UUID("fcbf440b-4a94-50a7-bc21-66d930b5474e")


def test_a_message_tells_the_time_of_the_place_and_where_it_was_before(diary: Diary) -> None:
    visit = diary.books()
    diary.moves(visit, 3)
    delivery = diary.mails(visit.id)[-1]
    news = diary.verdict(delivery)
    assert isinstance(news, News)
    states = {one: diary.desk.streams[one].state for one in streams_behind(news)}
    people = {visit.customer_id: ANA, diary.rooms[0]: Person(display_name="Room 1")}

    said = occasion(delivery, news, states, people)

    assert said.starts == ((NINE + 3 * HOUR).astimezone(ZoneInfo("America/Sao_Paulo")),)
    assert said.starts[0].hour == 9
    assert said.previously_at is not None
    assert said.previously_at.hour == 6
    assert (said.organization_name, said.service_name, said.with_names) == ("Clinic", "Visit", ("Room 1",))


def test_a_message_about_seats_says_how_many() -> None:
    group = Diary(seats=8)
    visit = group.books(seats=3)
    [delivery] = group.mails(visit.id)
    news = group.verdict(delivery)
    assert isinstance(news, News)

    said = occasion(delivery, news, {}, {})

    assert (delivery.template, said.seats) == (Template.CONFIRMATION, 3)
