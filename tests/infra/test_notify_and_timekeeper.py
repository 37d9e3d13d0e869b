"""The two processes as they run: on a real database and a real broker, told of nothing but what is in the journal."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from psycopg_pool import ConnectionPool

from adapters.fact_codec import FactMapper
from adapters.journal_streams import JournalStreams
from application.journal import Recorded
from domain.appointment import Appointment, AppointmentHoldLapsed
from infra.development import keys_of, stand_in_providers
from infra.provider_fake import Outbox, running_fake
from tests.projections.front_desk import EMAIL, PHONE, PUSH, FrontDesk

WITHIN_S = 60.0
LATE_MAX = timedelta(seconds=5)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def environment(postgres_url: str, broker: str, outbox: Outbox, tmp_path: Path) -> Iterator[dict[str, str]]:
    with running_fake(outbox) as url:
        yield {
            **keys_of(tmp_path),
            **stand_in_providers(tmp_path, int(url.rpartition(":")[2])),
            "DAYBOOK_VAULT_KEY": "A" * 43 + "=",  # the front desk's
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
        front.desk.now = datetime.now(UTC)  # the processes' clocks are the real ones
        yield front


@contextmanager
def running(verb: str, environment: Mapping[str, str], log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """``log``: where it writes what it has to say."""
    with (log or Path(os.devnull)).open("wb") as file:
        said = file if log else None
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.cli", verb], env={**os.environ, **environment}, stderr=said
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def stopped(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    return process.wait(timeout=15)


def test_a_booking_in_the_journal_reaches_the_customer_once_with_two_notifiers_at_work(
    front: FrontDesk, outbox: Outbox, environment: dict[str, str], tmp_path: Path
) -> None:
    logs = [tmp_path / "one", tmp_path / "other"]
    with (
        running("relay", environment),
        running("notify", environment, logs[0]) as one,
        running("notify", environment, logs[1]) as other,
    ):
        # Who is told to stop before it has begun is simply ended.
        eventually(lambda: all("notify.began" in log.read_text() for log in logs))
        visit = front.books_ahead(front.customer(**EMAIL, **PHONE, **PUSH))
        front.record()
        eventually(lambda: len(outbox.messages) == 3)
        eventually(lambda: {status for _, _, status, _ in front.told(visit)} == {"sent"})

        assert [stopped(one), stopped(other)] == [0, 0]

    assert sorted(message.channel for message in outbox.messages) == ["email", "push", "sms"]


def test_a_hold_lapses_soon_after_its_deadline_and_never_before(front: FrontDesk, environment: dict[str, str]) -> None:
    def lapsed(visit: Appointment) -> list[Recorded]:
        facts = streams.load([visit.id])[visit.id]
        return [recorded for recorded in facts if isinstance(recorded.fact, AppointmentHoldLapsed)]

    streams = JournalStreams(front.pool, FactMapper())
    with running("relay", environment), running("timekeeper", environment) as process:
        first = held_until(front, datetime.now(UTC) + timedelta(seconds=1))
        eventually(lambda: bool(lapsed(first)))  # by now it runs
        deadline = datetime.now(UTC) + timedelta(seconds=4)
        second = held_until(front, deadline)
        eventually(lambda: bool(lapsed(second)))

        assert stopped(process) == 0

    [fact] = lapsed(second)
    assert timedelta() <= fact.provenance.at - deadline <= LATE_MAX


def held_until(front: FrontDesk, deadline: datetime) -> Appointment:
    """A hold of one minute, of which most has passed."""
    front.desk.now = deadline - timedelta(minutes=1)
    visit = front.books_ahead(front.customer(), hold_min=1)
    front.record()
    return visit


@pytest.mark.parametrize(
    ("verb", "missing", "line"),
    [
        ("notify", "DAYBOOK_TWILIO_FROM", "DAYBOOK_TWILIO_FROM is missing"),
        ("timekeeper", "DAYBOOK_KAFKA_BOOTSTRAP", "DAYBOOK_KAFKA_BOOTSTRAP is missing"),
    ],
)
def test_a_missing_setting_ends_the_process_with_one_line_that_names_it(
    environment: dict[str, str], verb: str, missing: str, line: str
) -> None:
    given = {name: value for name, value in environment.items() if name != missing}

    ended = subprocess.run(
        [sys.executable, "-m", "infra.cli", verb], env={**os.environ, **given}, capture_output=True, check=False
    )

    assert ended.returncode == 2
    assert line in ended.stderr.decode()
    assert len(ended.stderr.decode().strip().splitlines()) == 1


def test_a_vault_key_that_does_not_fit_ends_the_notifier(front: FrontDesk, environment: dict[str, str]) -> None:
    front.customer(**EMAIL)

    ended = subprocess.run(
        [sys.executable, "-m", "infra.cli", "notify"],
        env={**os.environ, **environment, "DAYBOOK_VAULT_KEY": "B" * 43 + "="},
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "DAYBOOK_VAULT_KEY" in ended.stderr.decode().splitlines()[-1]
