"""What the journal itself can take: the one call that appends a batch of bookings, by the size of the batch."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from statistics import linear_regression, median
from uuid import UUID, uuid4

import msgspec

from adapters.postgres_journal import PostgresJournal
from application.journal import Appended, Draft, Entry, Provenance
from domain.interval import Interval
from infra.pools import pool_of
from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.seeding import Booking
from tests.bench.simulation import BATCH_MAX

KEYS = ("append_max",)
SIZES = (1, 4, 16, 64, BATCH_MAX)
APPENDS_EACH = 40
"""Of every size in every round: enough for a median that one checkpoint of the server does not move."""
VISIT = Interval(datetime(2030, 1, 1, 9, tzinfo=UTC), datetime(2030, 1, 1, 10, tzinfo=UTC))


def measure(bench: Bench) -> Iterator[Figure]:
    with bench.database() as database:
        took = asyncio.run(_took(database, bench.rounds))
    by_size = {size: median(took[size]) * 1000 for size in SIZES}
    each_ms, append_ms = linear_regression(SIZES, [by_size[size] for size in SIZES])
    details: dict[str, float | str] = {f"append of {size}, ms": by_size[size] for size in SIZES}
    details |= {"ms of an append": append_ms, "ms of each booking in it": each_ms}
    full = took[BATCH_MAX]
    rounds = [median(full[n :: bench.rounds]) for n in range(bench.rounds)]
    yield Figure("append_max", [BATCH_MAX / seconds for seconds in rounds], details)


async def _took(database_url: str, rounds: int) -> dict[int, list[float]]:
    """Seconds of each append, by size; the sizes take turns."""
    wanted = _entries()
    took: defaultdict[int, list[float]] = defaultdict(list)
    pool = pool_of(database_url, process="bench", max_size=1)
    async with pool:
        journal = PostgresJournal(pool)
        for _ in range(rounds * APPENDS_EACH):
            for size in SIZES:
                batch = list(islice(wanted, size))
                began = time.perf_counter()
                appending = await journal.append(batch)
                took[size].append(time.perf_counter() - began)
                assert all(isinstance(outcome, Appended) for outcome in appending.outcomes)
    return took


def _entries() -> Iterator[Entry]:
    """One decided booking after another, each of a room and a customer that no earlier one was of.

    So each begins two pages, as the first booking of a day does: the dearer case.
    """
    organization_id, clerk, encode = uuid4(), uuid4(), msgspec.json.Encoder().encode
    while True:
        booking = Booking(
            appointment_id=uuid4(),
            organization_id=organization_id,
            service_id=uuid4(),
            room_id=uuid4(),
            customer_id=uuid4(),
            visit=VISIT,
        )
        yield _entry(booking, clerk, encode(booking.answer()))


def _entry(booking: Booking, clerk: UUID, answer: bytes) -> Entry:
    facts, command_id = booking.facts(), uuid4()
    return Entry(
        command_id=command_id,
        fingerprint=command_id.bytes * 2,
        provenance=Provenance(
            organization_id=booking.organization_id, actor_id=clerk, at=datetime.now(UTC), command_id=command_id
        ),
        reads={stream_id: 0 for stream_id, _ in facts},
        drafts=tuple(Draft(stream_id, 0, (fact,)) for stream_id, fact in facts),
        answer=answer,
    )
