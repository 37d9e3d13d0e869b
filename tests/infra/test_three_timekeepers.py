"""Three timekeepers on a real database and a real broker, one of them killed: each timer fires once, and in time."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from adapters.fact_codec import FactMapper
from adapters.journal_streams import JournalStreams
from domain.appointment import (
    AppointmentBooked,
    AppointmentHeld,
    AppointmentHoldLapsed,
    AppointmentMissed,
    AppointmentReleased,
    Deadlines,
)
from domain.fact import Fact
from domain.reminder import ReminderDue, reminders_id
from infra.development import keys_of
from tests.infra.test_notify_and_timekeeper import LATE_MAX, eventually, running
from tests.projections.front_desk import FrontDesk

OF_EACH_KIND = 15
EVERY = timedelta(milliseconds=100)
CAUSED = (AppointmentHoldLapsed, AppointmentMissed, AppointmentReleased, ReminderDue)


@pytest.fixture
def environment(postgres_url: str, broker: str, tmp_path: Path) -> dict[str, str]:
    return {
        **keys_of(tmp_path),
        "DAYBOOK_ENVIRONMENT": "test",
        "DAYBOOK_DATABASE_URL": postgres_url,
        "DAYBOOK_KAFKA_BOOTSTRAP": broker,
        "DAYBOOK_KAFKA_TOPIC": f"test.{uuid4().hex}",
        "DAYBOOK_KAFKA_PARTITIONS": "1",
    }


@pytest.fixture
def front(postgres_url: str) -> Iterator[FrontDesk]:
    with ConnectionPool[Any](postgres_url, min_size=1) as pool:
        front = FrontDesk(postgres_url, pool, seed=uuid4().int)
        front.desk.now = datetime.now(UTC)
        yield front


def visit_due(front: FrontDesk, customer_id: UUID, due_at: datetime, cause: type[Fact]) -> UUID:
    """A visit in the days to come with which the clock has something to do at ``due_at``; its stream, or its other one.

    Terms are in minutes; nobody wants to wait for those.
    """
    is_hold = cause is AppointmentHoldLapsed
    visit = front.books_ahead(customer_id, hold_min=60 if is_hold else None)
    deadlines = {
        AppointmentMissed: Deadlines(no_show_at=due_at),
        AppointmentReleased: Deadlines(release_at=due_at),
        ReminderDue: Deadlines(remind_at=(due_at,)),
    }
    for place, (stream_id, fact) in enumerate(front.desk.facts):
        if stream_id == visit.id and isinstance(fact, AppointmentHeld):
            front.desk.facts[place] = stream_id, replace(fact, until=due_at)
        elif stream_id == visit.id and isinstance(fact, AppointmentBooked):
            front.desk.facts[place] = stream_id, replace(fact, deadlines=deadlines[cause])
    return reminders_id(visit.id) if cause is ReminderDue else visit.id


def caused(front: FrontDesk, streams: list[UUID]) -> list[tuple[UUID, datetime]]:
    """What the clock has caused on these streams so far, and when."""
    facts = JournalStreams(front.pool, FactMapper()).load(streams)
    return [
        (stream_id, one.provenance.at)
        for stream_id, stream in facts.items()
        for one in stream
        if isinstance(one.fact, CAUSED)
    ]


def timers_set(front: FrontDesk) -> int:
    with psycopg.connect(front.url) as connection:
        row = connection.execute("SELECT count(*) FROM timers.timer").fetchone()
    assert row
    return int(row[0])


def wait_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def test_each_timer_fires_once_and_in_time_though_one_of_three_timekeepers_is_killed(
    front: FrontDesk, environment: dict[str, str]
) -> None:
    def set_up(first_due: datetime, count: int) -> dict[UUID, datetime]:
        customer_id = front.customer()  # a new one: the processes write on the booking pages of those before
        moments = [first_due + place * EVERY for place in range(count)]
        due = {visit_due(front, customer_id, at, CAUSED[n % len(CAUSED)]): at for n, at in enumerate(moments)}
        front.record()
        return due

    with ExitStack() as processes:
        processes.enter_context(running("relay", environment))
        keepers = [processes.enter_context(running("timekeeper", environment)) for _ in range(3)]
        early = set_up(datetime.now(UTC) + timedelta(seconds=1), 4)
        eventually(lambda: len(caused(front, list(early))) == 4)  # by now they run

        first_due = datetime.now(UTC) + timedelta(seconds=8)
        due = set_up(first_due, OF_EACH_KIND * len(CAUSED))
        eventually(lambda: timers_set(front) == len(due))
        assert datetime.now(UTC) < first_due
        wait_until(first_due + len(due) / 2 * EVERY)
        keepers[0].kill()
        eventually(lambda: len(caused(front, list(due))) == len(due))
        wait_until(datetime.now(UTC) + timedelta(seconds=1))  # for a second time, if there is one

    happened = caused(front, list(due))
    assert set(Counter(stream_id for stream_id, _ in happened).values()) == {1}
    late = {at - due[stream_id] for stream_id, at in happened}
    assert timedelta() <= min(late)
    assert max(late) <= LATE_MAX
    assert timers_set(front) == 0
