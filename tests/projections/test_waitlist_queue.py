"""The waitlist as a list: who waits, in which place, what is offered; and what its followers are told."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from application.journal import Provenance, Recorded
from application.visits import Cancel, Lapse, cancel, lapse
from application.waiting import Accept, Decline, EndWaiting, Leave, accept, decline, end_waiting, leave
from domain.appointment import Appointment
from domain.refusals import Refusal
from domain.waitlist import WaitlistEntry, WaitlistJoined
from projections import changes, waitlist_queue
from projections.waitlist_queue import Row, WaitlistQueue, topic_of
from tests.desk import HOUR, NINE
from tests.projections.history import PARTITIONS
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps
from tests.waiting_room import ALL_MONDAY, Queue


def _visit(queue: Queue, number: int) -> UUID:
    visits = [s.state.id for s in queue.desk.streams.values() if isinstance(s.state, Appointment)]
    return visits[number % len(visits)]


def _entry(queue: Queue, number: int) -> UUID:
    entries = queue.waitlist().entries
    return (next((entry for entry in entries if entry.offer), None) or entries[number % len(entries)]).id


def _later(queue: Queue, number: int) -> None:
    queue.desk.now += number * HOUR


DEEDS: dict[str, Callable[[Queue, int], Any]] = {
    "book": lambda queue, n: queue.desk.booked(queue.service, NINE + n * HOUR),
    "wait": lambda queue, n: queue.joined(windows=((NINE + n * HOUR, NINE + (n + 3) * HOUR),)),
    "wait_for_the_room": lambda queue, _: queue.joined(resource_id=queue.room, windows=ALL_MONDAY),
    "cancel": lambda queue, n: queue.desk.do(cancel, Cancel(appointment_id=_visit(queue, n))),
    "lapse": lambda queue, n: queue.desk.do(lapse, Lapse(appointment_id=_visit(queue, n)), queue.desk.clock),
    "accept": lambda queue, n: queue.desk.do(accept, Accept(entry_id=_entry(queue, n))),
    "decline": lambda queue, n: queue.desk.do(decline, Decline(entry_id=_entry(queue, n))),
    "leave": lambda queue, n: queue.desk.do(leave, Leave(entry_id=_entry(queue, n))),
    "later": _later,
    "end": lambda queue, _: queue.desk.do(end_waiting, EndWaiting(), queue.desk.clock),
}
FREQUENT = ["book", "wait", "cancel"]
deeds = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([*FREQUENT * 3, *DEEDS]), st.integers(0, 4)), min_size=10, max_size=60
)


def journal_of(deeds: list[tuple[int, str, int]]) -> tuple[list[Queue], list[Recorded]]:
    """Two organizations and their common journal; what is refused is not in it."""
    queues, told = [Queue(), Queue(seed=UUID(int=77))], [0, 0]
    versions: defaultdict[UUID, int] = defaultdict(int)
    journal: list[Recorded] = []
    for number, name, value in [(0, "later", 0), (1, "later", 0), *deeds]:
        desk = queues[number].desk
        with suppress(Refusal, ZeroDivisionError):  # nobody waits, nothing is booked
            DEEDS[name](queues[number], value)
        for stream_id, fact in desk.facts[told[number] :]:
            versions[stream_id] += 1
            provenance = Provenance(
                organization_id=desk.organization_id,
                actor_id=desk.staff.account_id,
                at=desk.now,
                command_id=UUID(int=len(journal) + 1),
            )
            journal.append(Recorded(len(journal) + 1, stream_id, versions[stream_id], fact, provenance))
        told[number] = len(desk.facts)
    return queues, journal


def listed(url: str, queue: Queue, **wanted: Any) -> list[Row]:
    own = queue.desk.organization_id
    return asked(url, lambda pool: waitlist_queue.listed(pool, own, **{"limit": 100, **wanted}))


async def _queue_of(queue: Queue, pool: AsyncConnectionPool) -> tuple[list[WaitlistEntry], int]:
    return await waitlist_queue.queue_of(pool, queue.desk.organization_id, PARTITIONS)


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_is_the_same_however_facts_arrive(
    postgres_url: str, deeds: list[tuple[int, str, int]], steps: list[Step]
) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, WaitlistQueue(PARTITIONS), journal, steps)

    live, replayed = digests(postgres_url, WaitlistQueue(PARTITIONS), journal)
    assert live == replayed


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_holds_all_who_wait_in_their_order(
    postgres_url: str, deeds: list[tuple[int, str, int]], steps: list[Step]
) -> None:
    queues, journal = journal_of(deeds)

    deliver(postgres_url, WaitlistQueue(PARTITIONS), journal, steps)

    for queue in queues:
        waiting = list(queue.waitlist().entries)
        rows = listed(postgres_url, queue)
        assert [row.state for row in rows if row.status in {"waiting", "offered"}] == waiting
        assert [row.place for row in rows if row.place] == list(range(1, len(waiting) + 1))
        assert all((row.status == "offered") == (row.state.offer is not None) for row in rows)
        assert all((row.appointment_id is not None) == (row.status == "accepted") for row in rows)
        assert asked(postgres_url, partial(_queue_of, queue))[0] == waiting


def a_day() -> tuple[Queue, list[Recorded], list[UUID]]:
    """Two wait for a visit that is cancelled: the first declines, the second accepts. A third leaves."""
    queues, journal = journal_of(
        [
            *((0, "book", 0), (0, "wait", 0), (0, "wait", 0), (0, "wait", 0)),
            *((0, "cancel", 0), (0, "decline", 0), (0, "accept", 0), (0, "leave", 2)),
        ]
    )
    entries = [one.fact.entry_id for one in journal if isinstance(one.fact, WaitlistJoined)]
    return queues[0], journal, entries


def test_what_became_of_each_is_kept(postgres_url: str) -> None:
    queue, journal, entries = a_day()

    deliver(postgres_url, WaitlistQueue(PARTITIONS), journal, one_at_a_time)

    rows = listed(postgres_url, queue)
    assert [row.state.id for row in rows] == entries
    assert sorted(row.status for row in rows) == ["accepted", "left", "waiting"]
    assert [row.state.id for row in listed(postgres_url, queue, status="waiting")] == [
        row.state.id for row in rows if row.status == "waiting"
    ]


def test_lists_go_on_where_they_ended_and_are_narrowed(postgres_url: str) -> None:
    queue, journal, entries = a_day()
    deliver(postgres_url, WaitlistQueue(PARTITIONS), journal, [])

    first = listed(postgres_url, queue, limit=2)
    rest = listed(postgres_url, queue, after=first[-1].joined)
    of_one = listed(postgres_url, queue, customer_id=first[0].state.customer_id)

    assert [row.state.id for row in [*first, *rest]] == entries
    assert [row.state.id for row in of_one] == entries[:1]
    assert listed(postgres_url, queue, service_id=queue.desk.new_id()) == []
    assert [row.state.id for row in listed(postgres_url, queue, entry_id=entries[1])] == entries[1:2]


def test_another_organization_sees_nothing(postgres_url: str) -> None:
    _, journal, entries = a_day()
    deliver(postgres_url, WaitlistQueue(PARTITIONS), journal, [])
    other = Queue(seed=UUID(int=77))

    assert listed(postgres_url, other) == []
    assert listed(postgres_url, other, entry_id=entries[0]) == []


def test_the_house_is_told_each_step(postgres_url: str) -> None:
    queue, journal, _ = a_day()

    deliver(postgres_url, WaitlistQueue(PARTITIONS), journal, one_at_a_time)

    topic = topic_of(queue.desk.organization_id)
    found = asked(postgres_url, lambda pool: changes.since(pool, WaitlistQueue.NAME, {topic: 0}, limit=100))
    told = [msgspec.json.decode(change.data)["status"] for change in found]
    assert told == ["waiting"] * 3 + ["offered", "waiting", "offered", "accepted", "left"]
    assert "offer" in msgspec.json.decode(found[3].data)


def test_an_entry_ends_in_the_list_too(postgres_url: str) -> None:
    queues, journal = journal_of([(0, "wait", 0), (0, "later", 4), (0, "later", 4), (0, "later", 4), (0, "end", 0)])

    deliver(postgres_url, WaitlistQueue(PARTITIONS), journal, [])

    (row,) = listed(postgres_url, queues[0])
    assert (row.status, row.place) == ("ended", None)
    assert queues[0].desk.now - NINE >= timedelta(hours=3)
