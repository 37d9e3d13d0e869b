"""The simulation is worth something only if it finds what is wrong: each of these bugs is planted, and found."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

import projections.following
from adapters import memory_journal
from application.feed import Delivery
from application.journal import Receipt, Recorded
from application.relaying import Relay
from application.writer import Answer, Writer
from domain.resource_day import ResourceDay
from projections.applying import Outlet, Work
from projections.arriving import runs
from tests.simulation.running import simulate

SEEDS_MAX = 400
_RESUME, _PUBLISH, _MOVED = Relay.resume, Relay._publish, Outlet._moved


def _nothing(*_: object, **__: object) -> None:
    return None


def _from_the_head(relay: Relay) -> None:
    _RESUME(relay)
    relay.position = relay._reader.head()


def _all_but_one(relay: Relay, deliveries: list[Delivery]) -> None:
    _PUBLISH(relay, deliveries[: max(1, len(deliveries) - 1)])


def _as_if_nothing_came_before(arrived: Sequence[Delivery]) -> Sequence[Any]:
    return [replace(run, previous=0) for run in runs(arrived)]


def _all_as_if_fresh(outlet: Outlet, cursor: Any, work: Work) -> tuple[list[Recorded], dict[int, int]]:
    _, positions = _MOVED(outlet, cursor, work)
    return sorted((one for portion in work.values() for one in portion.facts), key=lambda one: one.position), positions


def _checkpoint_first(outlet: Outlet, work: Work) -> None:
    assert outlet._connection
    with outlet._connection.transaction(), outlet._connection.cursor() as cursor:
        fresh, positions = outlet._moved(cursor, work)
    with outlet._connection.transaction(), outlet._connection.cursor() as cursor:
        outlet._sink.project(fresh, cursor)
    outlet._note(positions, len(fresh), fresh)


async def _told_before_the_commit(writer: Writer, jobs: Sequence[Any]) -> None:
    verdicts: list[Any] = []
    async with writer.journal.turn() as turn:
        while jobs:
            jobs = await writer._round(turn, jobs, verdicts)
        writer._announce(verdicts)


def _whoever_asks(_: Writer, __: object, receipt: Receipt) -> Answer:
    return Answer(receipt.answer, receipt.position, replayed=True)


BUGS: dict[str, tuple[object, str, Callable[..., object]]] = {
    "receipts are not kept": (memory_journal, "answer_of", _nothing),
    "what was read is not looked at again": (memory_journal, "all", lambda _: True),
    "a key is anybody's": (Writer, "_replay", _whoever_asks),
    "an answer is told before the commit": (Writer, "_settle", _told_before_the_commit),
    "claims are not added up": (ResourceDay, "peak_quantity", lambda *_, **__: 0),
    "a relay begins at the head": (Relay, "resume", _from_the_head),
    "a relay leaves a fact out": (Relay, "_publish", _all_but_one),
    "a gap is not noticed": (projections.following, "runs", _as_if_nothing_came_before),
    "what comes again is applied again": (Outlet, "_moved", _all_as_if_fresh),
    "the checkpoint moves before the rows": (Outlet, "_commit", _checkpoint_first),
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_found(
    bug: tuple[object, str, Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, name, wrong = bug
    monkeypatch.setattr(where, name, wrong, raising=False)

    assert any(simulate(seed).wrongs for seed in range(SEEDS_MAX))
