"""Requests, offers, reminders and series on a real ledger, through the real SDKs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from application import booking, visits
from application.notifying import Channel
from application.providers import Sender
from application.recurring import BeginSeries, CancelSeries, begin_series, cancel_series
from domain.appointment import Appointment
from domain.series import OnConflict, Scope, Series
from infra.provider_fake import Outbox
from projections.arriving import runs
from projections.deliveries import Deliveries
from tests.desk import HOUR, NINE
from tests.projections.front_desk import EMAIL, FrontDesk, fed, follower, notifier, work_off
from tests.recurring_desk import weekly

SIX_IN_SAO_PAULO = datetime(2026, 11, 23, 6)  # noqa: DTZ001  on the wall


def booked(front: FrontDesk, **terms: Any) -> Appointment:
    customer_id = front.customer(**EMAIL)
    service_id = front.desk.service(**terms)
    return front.desk.booked(service_id, customer_id=customer_id, resource_ids=(front.room,))


def reminded(front: FrontDesk, visit: Appointment) -> None:
    front.desk.now = visit.deadlines.remind_at[0]
    remind = visits.Remind(appointment_id=visit.id, remind_at=front.desk.now)
    front.desk.do(visits.remind, remind, front.desk.clock)


def series(front: FrontDesk, count: int) -> Series:
    begin = BeginSeries(
        series_id=front.desk.new_id(),
        service_id=front.service,
        customer_id=front.customer(**EMAIL),
        start_local=SIX_IN_SAO_PAULO,
        time_zone="America/Sao_Paulo",
        rrule=f"FREQ=WEEKLY;COUNT={count}",
        starts=weekly(count, SIX_IN_SAO_PAULO),
        on_conflict=OnConflict.REFUSE,
    )
    return state_of(front, UUID(str(front.desk.do(begin_series, begin)["id"])))


def state_of(front: FrontDesk, series_id: UUID) -> Series:
    state = front.desk.streams[series_id].state
    assert isinstance(state, Series)
    return state


def told_now(front: FrontDesk, providers: dict[Channel, Sender]) -> None:
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)


def test_a_request_is_acknowledged_and_then_confirmed(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = booked(front, approval_required=True)
    told_now(front, providers)
    front.desk.do(visits.approve, visits.Approve(appointment_id=visit.id))
    told_now(front, providers)

    assert front.told(visit) == [("request", "email", "sent", None), ("confirmation", "email", "sent", None)]
    assert [mail.subject.partition(":")[0] for mail in outbox.of("email")] == ["Requested", "Confirmed"]


def test_a_reminder_is_listed_under_its_visit_and_sent_once(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = booked(front, remind_before_min=(60,))
    told_now(front, providers)
    reminded(front, visit)
    told_now(front, providers)
    told_now(front, providers)

    assert front.told(visit)[-1] == ("reminder", "email", "sent", None)
    assert [mail.subject.partition(":")[0] for mail in outbox.of("email")] == ["Confirmed", "Reminder"]


def test_no_reminder_is_sent_of_a_visit_that_was_moved_before_the_notifier_came_to_it(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = booked(front, remind_before_min=(60,))
    reminded(front, visit)
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        dispatcher.fan_out()
        front.desk.do(booking.reschedule, booking.Reschedule(appointment_id=visit.id, start=NINE + 5 * HOUR))
        front.record()  # in the journal, but the follower has not heard of it yet
        work_off(front, dispatcher)

    assert front.told(visit)[-1] == ("reminder", "email", "skipped", "moved_since")
    assert not outbox.messages


def test_a_series_is_told_once_however_often_its_facts_arrive(
    front: FrontDesk, postgres_url: str, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    begun = series(front, 8)
    deliveries = fed(front.record())
    for _ in range(2):
        outlet = follower(postgres_url, Deliveries())
        outlet.refill((), after=0, complete=True)
        for arriving in (deliveries[:-1], deliveries, deliveries[-3:], deliveries):
            outlet.deliver(runs(arriving))
        outlet.close()  # killed
        with notifier(front, providers) as dispatcher:
            work_off(front, dispatcher)

    assert front.told(begun) == [("series", "email", "sent", None)]
    [mail] = outbox.of("email")
    assert mail.subject == "Confirmed: Visit, 8 appointments from Monday, November 23, 2026 at 6:00 AM"
    assert "Monday, December 28, 2026, 6:00 AM\n         and 2 more" in mail.text


def test_a_series_that_is_called_off_is_told_once(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    begun = series(front, 3)
    first = front.desk.appointment(begun.occurrences[0].appointment_id)
    front.desk.do(cancel_series, CancelSeries(series_id=begun.id, scope=Scope.ALL))
    told_now(front, providers)

    assert front.told(begun) == [
        ("series", "email", "skipped", "cancelled_since"),
        ("series_cancellation", "email", "sent", None),
    ]
    assert front.told(first) == []
    assert [mail.subject.partition(",")[0] for mail in outbox.of("email")] == ["Cancelled: Visit"]
