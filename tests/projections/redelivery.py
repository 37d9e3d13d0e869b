"""A feed that repeats itself, goes back and is cut anywhere, and followers that die: what must come of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from hypothesis import settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from application.feed import Delivery, partition_of
from application.journal import Recorded
from projections.applying import Outlet
from projections.arriving import runs
from projections.checkpoint import Sink
from projections.rebuilding import live_and_replayed
from tests.facts import ListedJournal
from tests.projections.history import PARTITIONS

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Step:
    """The next ``ahead`` deliveries, and again the ``back`` before them; all ``twice``; to a ``new`` follower."""

    ahead: int
    back: int
    twice: bool
    new: bool


steps = st.lists(
    st.builds(Step, ahead=st.integers(1, 40), back=st.integers(0, 30), twice=st.booleans(), new=st.booleans()),
    max_size=12,
)

one_at_a_time = [Step(ahead=1, back=0, twice=False, new=False)] * 1000


def deliveries_of(journal: Iterable[Recorded]) -> list[Delivery]:
    previous = dict.fromkeys(range(PARTITIONS), 0)
    deliveries = []
    for recorded in journal:
        partition = partition_of(recorded.provenance.organization_id, PARTITIONS)
        deliveries.append(Delivery(partition, previous[partition], recorded))
        previous[partition] = recorded.position
    return deliveries


def deliver(url: str, sink: Sink, journal: Sequence[Recorded], steps: Iterable[Step]) -> None:
    """Make the sink's schema anew and apply all of the journal, in ``steps`` and what they leave."""
    drop(url, sink)
    deliveries, reached = deliveries_of(journal), 0
    outlet = follower(url, sink)
    for step in [*steps, Step(ahead=len(deliveries), back=0, twice=False, new=False)]:
        if step.new:
            outlet.close()
            outlet = follower(url, sink)
        arriving = deliveries[max(0, reached - step.back) : reached + step.ahead]
        reached = min(len(deliveries), reached + step.ahead)
        for _ in range(2 if step.twice else 1):
            outlet.deliver(runs(arriving))
    outlet.close()


def follower(url: str, sink: Sink) -> Outlet:
    """A new follower's end, live from where the last one stopped. In a session with an odd time zone."""
    outlet = Outlet(sink, lambda: psycopg.connect(url, options="-c timezone=America/Sao_Paulo"), PARTITIONS)
    outlet.assign(frozenset(range(PARTITIONS)))
    assert outlet.ready()
    outlet.refill((), after=0, complete=True)
    assert not outlet.is_behind()
    return outlet


def drop(url: str, sink: Sink) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(sink.NAME)))


def digests(url: str, sink: Sink, journal: list[Recorded]) -> tuple[str, str]:
    """Of the live tables, and of the whole journal applied at once to fresh ones."""
    with psycopg.connect(url) as connection:
        return live_and_replayed(sink, connection, ListedJournal(journal), partitions=PARTITIONS)


def asked(url: str, question: Callable[[AsyncConnectionPool], Awaitable[A]]) -> A:
    """The answer of a read model's query."""

    async def answer() -> A:
        async with AsyncConnectionPool(url, min_size=1, max_size=1, open=False) as pool:
            return await question(pool)

    return asyncio.run(answer())


on_real_tables = settings(max_examples=20, deadline=None)
"""Each example makes schemas and commits: fewer examples, and as long as they take."""
