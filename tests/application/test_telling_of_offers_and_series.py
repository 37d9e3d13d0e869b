"""An offer to someone who waits, and a series: what is told of them, and that a series is told once."""

from datetime import timedelta
from uuid import UUID

import pytest

from application import booking, visits, waiting
from application.news import News
from application.notifying import Moot, Template
from domain.appointment import Appointment
from tests.desk import HOUR, MINUTE, NINE, Desk
from tests.post_room import PostRoom
from tests.recurring_desk import AT_NINE, WEEK, RecurringDesk, in_utc, weekly


def offered(desk: Desk, *, approval_required: bool = False) -> Appointment:
    """The hold that backs an offer of nine o'clock to the only one who waits for it, until half an hour from now."""
    desk.resource("room")
    service = desk.service(offer_min=30, approval_required=approval_required)
    visit = desk.booked(service)
    entry = waiting.Join(
        entry_id=desk.new_id(),
        service_id=service,
        customer_id=desk.customer(),
        windows=((NINE, NINE + HOUR),),
    )
    desk.do(waiting.join, entry)
    desk.do(visits.cancel, visits.Cancel(appointment_id=visit.id))
    [offer] = [one for one in desk.streams.values() if isinstance(one.state, Appointment) and one.state.entry_id]
    assert isinstance(offer.state, Appointment)
    return offer.state


def test_an_offer_says_until_when_it_stands() -> None:
    desk = Desk()
    post = PostRoom(desk)
    offer = offered(desk)

    [delivery] = post.mails(offer.id)
    news = post.verdict(delivery)

    assert delivery.template is Template.OFFER
    assert isinstance(news, News)
    assert news.visits[0].held_until == desk.now + 30 * MINUTE

    desk.now += 30 * MINUTE
    assert post.verdict(delivery) is Moot.DEADLINE_PASSED


def test_an_offer_that_is_accepted_is_confirmed_like_any_other_visit() -> None:
    desk = Desk()
    offer = offered(desk)
    desk.do(visits.confirm, visits.Confirm(appointment_id=offer.id))

    assert PostRoom(desk).told(offer.id) == [(Template.OFFER, Moot.ANSWERED_SINCE), (Template.CONFIRMATION, None)]


def test_an_offer_that_is_accepted_where_the_house_approves_is_a_request() -> None:
    desk = Desk()
    offer = offered(desk, approval_required=True)
    desk.do(visits.confirm, visits.Confirm(appointment_id=offer.id))

    assert PostRoom(desk).told(offer.id) == [(Template.OFFER, Moot.ANSWERED_SINCE), (Template.REQUEST, None)]


def test_an_offer_that_lapses_is_told_and_one_that_is_declined_is_not() -> None:
    lapsing, declining = Desk(), Desk(seed=UUID(int=9))
    lapsed, declined = offered(lapsing), offered(declining)
    lapsing.now += 30 * MINUTE
    lapsing.do(visits.lapse, visits.Lapse(appointment_id=lapsed.id), lapsing.clock)
    declining.do(visits.cancel, visits.Cancel(appointment_id=declined.id))

    assert PostRoom(lapsing).told(lapsed.id) == [
        (Template.OFFER, Moot.CANCELLED_SINCE),
        (Template.OFFER_LAPSED, None),
    ]
    assert PostRoom(declining).told(declined.id) == [(Template.OFFER, Moot.CANCELLED_SINCE)]


@pytest.fixture
def desk() -> RecurringDesk:
    return RecurringDesk()


def begun(desk: RecurringDesk, count: int = 4) -> tuple[UUID, list[UUID]]:
    """A series of so many Mondays at nine, and its visits."""
    answer = desk.begin(*weekly(count))
    return answer["id"], [one["id"] for one in answer["occurrences"]]


def told_starts(post: PostRoom, about_id: UUID) -> list[list[object]]:
    """Of each message about a series that is sent: the starts that it lists."""
    verdicts = [post.verdict(delivery) for delivery in post.mails(about_id)]
    return [[visit.visit.start for visit in news.visits] for news in verdicts if isinstance(news, News)]


def test_a_series_is_told_once_with_all_its_dates(desk: RecurringDesk) -> None:
    series_id, visit_ids = begun(desk)
    post = PostRoom(desk)

    assert post.told(series_id) == [(Template.SERIES, None)]
    assert told_starts(post, series_id) == [in_utc(weekly(4))]
    assert [post.notices(visit_id) for visit_id in visit_ids] == [[], [], [], []]


def test_a_series_that_waits_for_approval_says_so_and_each_approval_is_told() -> None:
    desk = RecurringDesk(approval_required=True)
    series_id, [first, *_] = begun(desk)
    desk.do(visits.approve, visits.Approve(appointment_id=first))
    post = PostRoom(desk)

    assert post.told(series_id) == [(Template.SERIES, None)]
    assert post.told(first) == [(Template.CONFIRMATION, None)]


def test_a_series_that_moves_is_told_once_with_what_moved(desk: RecurringDesk) -> None:
    series_id, visit_ids = begun(desk)
    desk.move(series_id, AT_NINE + WEEK + 2 * HOUR, scope="following", of=AT_NINE + WEEK)
    post = PostRoom(desk)

    moved = [start + 2 * HOUR for start in in_utc(weekly(4))[1:]]
    assert post.told(series_id) == [(Template.SERIES, None), (Template.SERIES_CHANGE, None)]
    assert told_starts(post, series_id) == [[NINE, *moved], moved]  # the first, if it was not sent yet: as it is now
    assert [post.notices(visit_id) for visit_id in visit_ids] == [[], [], [], []]


def test_a_series_that_moves_again_is_told_with_the_last_times_only(desk: RecurringDesk) -> None:
    series_id, _ = begun(desk)
    desk.move(series_id, AT_NINE + HOUR)
    desk.move(series_id, AT_NINE + 2 * HOUR)

    assert PostRoom(desk).told(series_id)[1:] == [
        (Template.SERIES_CHANGE, Moot.MOVED_SINCE),
        (Template.SERIES_CHANGE, None),
    ]


def test_a_series_that_is_called_off_is_told_once_with_what_was_called_off(desk: RecurringDesk) -> None:
    series_id, visit_ids = begun(desk)
    desk.call_off(series_id, scope="following", of=AT_NINE + 2 * WEEK)
    post = PostRoom(desk)

    assert post.told(series_id) == [(Template.SERIES, None), (Template.SERIES_CANCELLATION, None)]
    assert told_starts(post, series_id) == [in_utc(weekly(2)), in_utc(weekly(4))[2:]]
    assert [post.notices(visit_id) for visit_id in visit_ids] == [[], [], [], []]


def test_of_a_series_that_was_called_off_whole_nothing_else_is_told(desk: RecurringDesk) -> None:
    series_id, _ = begun(desk)
    desk.move(series_id, AT_NINE + HOUR)
    desk.call_off(series_id)

    assert PostRoom(desk).told(series_id) == [
        (Template.SERIES, Moot.CANCELLED_SINCE),
        (Template.SERIES_CHANGE, Moot.CANCELLED_SINCE),
        (Template.SERIES_CANCELLATION, None),
    ]


def test_an_occurrence_that_is_changed_by_itself_is_told_like_any_visit(desk: RecurringDesk) -> None:
    series_id, [moved, cancelled, *_] = begun(desk)
    desk.do(booking.reschedule, booking.Reschedule(appointment_id=moved, start=NINE + timedelta(hours=3)))
    desk.do(visits.cancel, visits.Cancel(appointment_id=cancelled))
    post = PostRoom(desk)

    assert post.told(moved) == [(Template.CHANGE, None)]
    assert post.told(cancelled) == [(Template.CANCELLATION, None)]
    assert told_starts(post, series_id) == [[NINE + 3 * HOUR, *in_utc(weekly(4))[2:]]]
