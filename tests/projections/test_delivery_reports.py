"""What providers report is noted once, in whatever order it comes, and only of messages that were sent."""

import asyncio
from collections.abc import Sequence
from itertools import permutations
from uuid import uuid4

import pytest
from psycopg_pool import AsyncConnectionPool

from application.callbacks import Outcome, Report
from application.notifying import Channel
from application.providers import Sender
from domain.appointment import Appointment
from infra.provider_fake import Outbox
from projections.deliveries import Deliveries
from projections.delivery_reports import PostgresReports
from tests.projections.front_desk import EMAIL, FrontDesk, notifier, work_off


def noted(front: FrontDesk, *reports: Report) -> None:
    async def note() -> None:
        async with AsyncConnectionPool(front.url, min_size=1) as pool:
            ledger = PostgresReports(pool)
            for report in reports:
                await ledger.note("sendgrid", [report])

    asyncio.run(note())


def sent_mail(front: FrontDesk, providers: dict[Channel, Sender]) -> tuple[Appointment, Report]:
    """A confirmation that SendGrid took, and its report that it was delivered."""
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)
    [mail] = front.notifications(visit)
    assert mail.provider_id
    return visit, Report(
        event_id=uuid4().hex, delivery_id=mail.id, provider_id=mail.provider_id, outcome=Outcome.DELIVERED
    )


def became(report: Report, outcome: Outcome, reason: str | None = None) -> Report:
    return Report(
        event_id=uuid4().hex,
        delivery_id=report.delivery_id,
        provider_id=report.provider_id,
        outcome=outcome,
        reason=reason,
    )


def statuses(front: FrontDesk, visit: Appointment) -> list[str]:
    return [one.status for one in front.notifications(visit)]


def test_a_late_sent_never_overwrites_delivered(front: FrontDesk, providers: dict[Channel, Sender]) -> None:
    visit, delivered = sent_mail(front, providers)
    assert statuses(front, visit) == ["sent"]

    noted(front, delivered)
    since = front.notifications(visit)[0].at
    noted(front, became(delivered, Outcome.SENT))

    assert statuses(front, visit) == ["delivered"]
    assert front.notifications(visit)[0].at == since


@pytest.mark.parametrize("order", list(permutations([Outcome.SENT, Outcome.DELIVERED, Outcome.BOUNCED])))
def test_the_order_of_reports_makes_no_difference(
    front: FrontDesk, providers: dict[Channel, Sender], order: Sequence[Outcome]
) -> None:
    visit, report = sent_mail(front, providers)

    noted(front, *(became(report, outcome) for outcome in order))

    assert statuses(front, visit) == ["bounced"]


def test_an_event_that_is_repeated_counts_once(front: FrontDesk, providers: dict[Channel, Sender]) -> None:
    visit, report = sent_mail(front, providers)
    noted(front, report)
    again = Report(
        event_id=report.event_id, delivery_id=report.delivery_id, provider_id=report.provider_id,
        outcome=Outcome.BOUNCED,
    )  # fmt: skip

    noted(front, *[report] * 45, again)

    assert statuses(front, visit) == ["delivered"]


def test_a_report_about_another_or_an_unknown_message_changes_nothing(
    front: FrontDesk, providers: dict[Channel, Sender]
) -> None:
    visit, report = sent_mail(front, providers)
    elsewhere = Report(
        event_id=uuid4().hex, delivery_id=report.delivery_id, provider_id="another's", outcome=Outcome.BOUNCED
    )
    unknown = Report(event_id=uuid4().hex, delivery_id=uuid4(), provider_id="x", outcome=Outcome.BOUNCED)

    noted(front, elsewhere, unknown)

    assert statuses(front, visit) == ["sent"]


def test_a_report_settles_a_message_in_doubt_and_the_dispatcher_leaves_it_so(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    """The provider's word comes before the answer to our call, which is then lost."""
    outbox.fail("email", 0, taken=True)
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        dispatcher.fan_out()
        dispatcher.dispatch()
        dispatcher.drain()
        [mail] = front.notifications(visit)
        assert mail.status == "in_doubt"
        taken = outbox.messages[0]

        noted(front, Report(event_id=uuid4().hex, delivery_id=mail.id, provider_id=taken.id, outcome=Outcome.DELIVERED))
        work_off(front, dispatcher)

    assert [(one.status, one.provider_id) for one in front.notifications(visit)] == [("delivered", taken.id)]
    assert len(outbox.messages) == 1


def test_what_was_not_sent_cannot_be_reported(front: FrontDesk, providers: dict[Channel, Sender]) -> None:
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, {}) as dispatcher:
        work_off(front, dispatcher)
    [skipped] = front.notifications(visit)

    noted(front, Report(event_id=uuid4().hex, delivery_id=skipped.id, provider_id="x", outcome=Outcome.DELIVERED))

    assert statuses(front, visit) == ["skipped"]
