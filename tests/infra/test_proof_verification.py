"""Whatever is done to a copy of the journal, it is detected, and the position is named (PROMISES, row 13)."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

import msgspec
import pytest

from adapters.checkpoint_notes import Checkpoint, Signer, Verifier
from adapters.exported_journal import Line, read, write
from domain.merkle import GrowingTree, leaf_hash
from infra.proof_verification import Broken, Proved, prove

MUTATIONS = 10_000
FACTS = 100
CHECKPOINT_EVERY = 12
SIGNER = Signer(bytes(range(32)), "daybook.example/journal")
TRUSTED = [Verifier(SIGNER.public_key)]


def a_journal(facts: int = FACTS) -> list[Line]:
    """With the gaps that appends leave which were rolled back."""
    chance = random.Random(7)
    position, lines = 0, []
    for _ in range(facts):
        position += chance.choice((1, 1, 1, 2, 5))
        state = json.dumps({"meta": {"org": chance.randrange(9)}, "data": {"n": chance.random()}}).encode()
        stream = UUID(int=chance.getrandbits(128))
        lines.append(Line(position, stream, chance.randrange(1, 9), "resource_day.slot_claimed.v1", state))
    return with_tree(lines, signer=SIGNER)


def with_tree(lines: list[Line], *, signer: Signer | None = None, notes: dict[int, str] | None = None) -> list[Line]:
    """The tree over these facts. Without a signer, under the checkpoints that there are: as a forger would make it."""
    tree, made = GrowingTree(), []
    for line in lines:
        index, leaf = tree.size, leaf_of(line)
        nodes, note = tree.append(leaf), (notes or {}).get(tree.size)
        if signer and (tree.size % CHECKPOINT_EVERY == 0 or line is lines[-1]):
            note = signer.sign(Checkpoint(size=tree.size, root=tree.root(), position=line.position))
        made.append(msgspec.structs.replace(line, index=index, leaf=leaf, nodes=nodes, checkpoint=note))
    return made


def leaf_of(line: Line) -> bytes:
    assert line.stream_id is not None
    assert line.version is not None
    assert line.topic is not None
    assert line.state is not None
    return leaf_hash(line.position, line.stream_id, line.version, line.topic, line.state)


JOURNAL = a_journal()
NOTES = {line.index + 1: line.checkpoint for line in JOURNAL if line.index is not None and line.checkpoint}
KEPT = [TRUSTED[0].open(NOTES[FACTS])]
"""The last checkpoint, which an auditor has kept."""


@dataclass(frozen=True)
class Forged:
    """What became of the facts; ``at`` is the first position that is not as it was. None: the fact is gone."""

    at: int
    facts: list[Line | None]


def flip(chance: random.Random) -> Forged:
    """One bit, of one part of one fact."""
    place = chance.randrange(FACTS)
    line = JOURNAL[place]
    assert line.stream_id is not None
    assert line.version is not None
    assert line.topic is not None
    assert line.state is not None
    bits = bytearray(line.state)
    bits[chance.randrange(len(bits))] ^= 1 << chance.randrange(8)
    changed = chance.choice(
        (
            msgspec.structs.replace(line, state=bytes(bits)),
            msgspec.structs.replace(line, stream_id=UUID(int=line.stream_id.int ^ 1 << chance.randrange(128))),
            msgspec.structs.replace(line, version=line.version ^ 1 << chance.randrange(62)),
            msgspec.structs.replace(line, topic=line.topic.swapcase()),
        )
    )
    return Forged(line.position, [changed if line is one else one for one in JOURNAL])


def delete(chance: random.Random) -> Forged:
    line = chance.choice(JOURNAL)
    return Forged(line.position, [None if line is one else one for one in JOURNAL])


def insert(chance: random.Random) -> Forged:
    """At a position that was left free, or after the last."""
    taken = {line.position for line in JOURNAL}
    position = chance.choice([one for one in range(1, JOURNAL[-1].position + 2) if one not in taken])
    made = msgspec.structs.replace(chance.choice(JOURNAL), position=position, index=None, leaf=None, nodes=[])
    made = msgspec.structs.replace(made, checkpoint=None)
    facts = sorted([*JOURNAL, made], key=lambda line: line.position)
    return Forged(position, [*facts])


def swap(chance: random.Random) -> Forged:
    """Two facts change places."""
    one, other = sorted(chance.sample(JOURNAL, 2), key=lambda line: line.position)

    def in_place_of(line: Line, its: Line) -> Line:
        return msgspec.structs.replace(
            line, stream_id=its.stream_id, version=its.version, topic=its.topic, state=its.state
        )

    swapped = {one.position: in_place_of(one, other), other.position: in_place_of(other, one)}
    return Forged(one.position, [swapped.get(line.position, line) for line in JOURNAL])


def cut(chance: random.Random) -> Forged:
    length = chance.randrange(FACTS)
    return Forged(JOURNAL[length].position, [*JOURNAL[:length], *([None] * (FACTS - length))])


def of_the_facts(forged: Forged) -> list[Line]:
    """The forger has the table of facts only: every leaf is as it was."""
    leaves = iter(JOURNAL)
    lines = []
    for fact in forged.facts:
        if fact is not None and fact.leaf is None:
            lines.append(fact)
            continue
        leaf = next(leaves)
        tree_only = Line(leaf.position, index=leaf.index, leaf=leaf.leaf, nodes=leaf.nodes, checkpoint=leaf.checkpoint)
        lines.append(tree_only if fact is None else fact)
    return lines


def of_everything(forged: Forged) -> list[Line]:
    """The forger has the tree as well, and makes it anew; the key is elsewhere."""
    return with_tree([line for line in forged.facts if line is not None], notes=NOTES)


def test_a_journal_as_it_is_is_proved_to_its_last_fact() -> None:
    assert prove(JOURNAL, TRUSTED, KEPT) == Proved(FACTS, len(NOTES), JOURNAL[-1].position)


def test_each_of_ten_thousand_mutations_is_detected_and_its_position_named() -> None:
    chance = random.Random(20_261_127)
    ways: list[Callable[[random.Random], Forged]] = [flip, delete, insert, swap, cut]
    missed: list[tuple[str, str, int, Broken | None]] = []
    for number in range(MUTATIONS):
        way = ways[number % len(ways)]
        forged = way(chance)
        reach = of_everything if chance.random() < 0.3 else of_the_facts

        found = prove(reach(forged), TRUSTED, KEPT).broken

        exact = found is not None and found.position == found.upto == forged.at
        within = found is not None and found.position <= forged.at <= found.upto
        if not (exact if reach is of_the_facts else within):
            missed.append((way.__name__, reach.__name__, forged.at, found))
    assert missed == []


def test_who_changes_a_fact_and_its_leaf_is_contradicted_by_the_smallest_subtree_above() -> None:
    for place, line in enumerate(JOURNAL[: FACTS - 2]):
        changed = msgspec.structs.replace(line, state=b"{}")
        changed = msgspec.structs.replace(changed, leaf=leaf_of(changed))

        found = prove([*JOURNAL[:place], changed, *JOURNAL[place + 1 :]], TRUSTED).broken

        pair = JOURNAL[place - place % 2 : place - place % 2 + 2]
        assert found
        assert pair[0].position <= found.position <= line.position <= found.upto <= pair[1].position


@pytest.mark.parametrize("left", [0, 1, CHECKPOINT_EVERY, CHECKPOINT_EVERY + 1, FACTS - 1])
def test_a_tail_that_was_cut_off_everywhere_is_missed_by_a_checkpoint_that_was_kept_outside(left: int) -> None:
    found = prove(JOURNAL[:left], TRUSTED, KEPT).broken

    assert found
    assert found.position <= JOURNAL[left].position <= found.upto == JOURNAL[-1].position


def test_a_tree_that_another_key_has_signed_is_not_believed() -> None:
    forger = Signer(bytes(32), "daybook.example/journal")
    lines = with_tree([msgspec.structs.replace(line, state=b"{}") for line in JOURNAL], signer=forger)

    found = prove(lines, TRUSTED).broken

    assert found
    assert found.position == 1
    assert "not signed by a key that is trusted" in found.why


def test_a_checkpoint_of_before_and_a_new_key_are_both_believed_where_both_are_given() -> None:
    newer = Signer(bytes(32), "daybook.example/journal")
    lines = [*JOURNAL[:CHECKPOINT_EVERY], *with_tree(JOURNAL, signer=newer)[CHECKPOINT_EVERY:]]

    assert prove(lines, [*TRUSTED, Verifier(newer.public_key)]).broken is None
    assert prove(lines, TRUSTED).broken


def test_what_was_written_is_read_again_and_a_line_that_is_none_is_named() -> None:
    file = BytesIO()
    write(JOURNAL, file)

    assert prove(read(BytesIO(file.getvalue())), TRUSTED, KEPT).broken is None
    torn = prove(read(BytesIO(file.getvalue()[:-40])), TRUSTED, KEPT).broken
    assert torn
    assert torn.position == JOURNAL[-2].position + 1
    assert torn.why == f"line {FACTS} is none of an export's"
