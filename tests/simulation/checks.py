"""What must hold after a run, looked at from outside: the journal, what clients were told, the topic, the rows."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from uuid import UUID

from adapters.fact_codec import FactMapper
from application.feed import partition_of
from application.journal import Recorded
from domain.refusals import KeyReused
from infra.verification import sweep
from tests.simulation.clients import Told
from tests.simulation.houses import PARTITIONS
from tests.simulation.processes import House

_MAPPER = FactMapper()


def wrongs(house: House, told: Sequence[Told]) -> Iterator[str]:
    facts = house.journal.read(after=0, limit=1_000_000)
    yield from _sold_twice(facts)
    yield from _told(facts, told)
    yield from on_topic(house)
    yield from _rows(facts, house)


def _sold_twice(facts: Sequence[Recorded]) -> Iterator[str]:
    """By the audit that shares nothing with what books."""
    rows = (
        (one.position, one.stream_id, one.version, one.fact.TOPIC, _MAPPER.state(one.fact, one.provenance))
        for one in facts
    )
    yield from (f"verify: {finding}" for finding in sweep(rows).faults)


def _told(facts: Sequence[Recorded], told: Sequence[Told]) -> Iterator[str]:
    last: dict[UUID, int] = {}
    for fact in facts:
        last[fact.provenance.command_id] = fact.position
    for one in told:
        answers = {(answer.body, answer.position) for answer in one.answers}
        if len(answers) > 1:
            yield f"{one.key}: was told {answers}"
        if one.answers and one.refusals:
            yield f"{one.key}: was done, and then refused: {one.refusals}"
        if one.another not in {"", KeyReused.__name__}:
            yield f"{one.key}: was used for something else: {one.another}"
        if one.refusals and one.key in last:
            yield f"{one.key}: was refused ({one.refusals}), and is at {last[one.key]}"
        if answers and last.get(one.key) not in {position for _, position in answers}:
            yield f"{one.key}: was told {answers}, and is at {last.get(one.key)}"


def on_topic(house: House) -> Iterator[str]:
    """Each message tells of every gap before it; and there is none in a topic that was never wiped.

    An empty one is filled from the position that some follower still needs.
    """
    by_partition: defaultdict[int, list[int]] = defaultdict(list)
    for one in house.journal.read(after=0, limit=1_000_000):
        by_partition[partition_of(one.provenance.organization_id, PARTITIONS)].append(one.position)
    for partition, log in enumerate(house.broker.logs):
        due = by_partition[partition]
        positions = {delivery.recorded.position for delivery in log}
        lacks = {position for position in due if positions and position > min(positions)} - positions
        if lacks and not house.was_wiped:
            yield f"partition {partition}: lacks {sorted(lacks)}"
        for delivery in log:
            position = delivery.recorded.position
            missed = [one for one in due if delivery.previous < one < position]
            if missed:
                yield f"partition {partition}: {position} says that it follows {delivery.previous}, but {missed} do"
            if position not in due:
                yield f"partition {partition}: {position} is not of it"


def _rows(facts: Sequence[Recorded], house: House) -> Iterator[str]:
    replayed: defaultdict[UUID, list[int]] = defaultdict(list)
    for one in facts:
        replayed[one.stream_id].append(one.position)
    kept = house.database.rows.positions
    for stream_id in replayed.keys() | kept.keys():
        if replayed.get(stream_id) != kept.get(stream_id):
            yield f"rows of {stream_id}: {kept.get(stream_id)}, in the journal {replayed.get(stream_id)}"
