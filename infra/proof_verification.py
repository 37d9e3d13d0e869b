"""An exported journal checked against its tree and its checkpoints, offline, up to the first fact that is wrong.

What is trusted is the public key, and a checkpoint that somebody outside has kept. All else may be a forger's: facts,
leaves and nodes alike. A fact that differs from its leaf is named by its position. Who changed the leaf as well is
contradicted by the smallest subtree above it that was left as it was. Who changed the whole tree has no checkpoint for
it: then it lies between the last checkpoint that holds and the first that does not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from adapters.checkpoint_notes import Checkpoint, CheckpointRefused, Verifier, opened
from adapters.exported_journal import Line, Unreadable
from domain.merkle import GrowingTree, leaf_hash

INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Broken:
    """The first fault lies at ``position`` or after it, and not after ``upto``."""

    position: int
    upto: int
    why: str


@dataclass(slots=True)
class Proved:
    facts: int = 0
    checkpoints: int = 0
    position: int = 0
    """The last that a checkpoint vouches for."""
    unproved: int = 0
    """Facts after the last checkpoint."""
    broken: Broken | None = None


class _Wrong(Exception):  # noqa: N818
    def __init__(self, position: int, why: str, upto: int | None = None) -> None:
        super().__init__(why)
        self.broken = Broken(position, position if upto is None else upto, why)


@dataclass(slots=True)
class _Check:
    verifiers: Sequence[Verifier]
    kept: dict[int, list[Checkpoint]]
    proved: Proved = field(default_factory=Proved)
    tree: GrowingTree = field(default_factory=GrowingTree)
    position: int = 0
    first_positions: list[int] = field(default_factory=list)
    """Of each peak of the tree: where its leaves begin."""

    def take(self, line: Line) -> None:
        if line.index is not None and line.index != self.tree.size:
            # One that is too high: some are missing in between. Too low: some were put in, nobody knows since when.
            since = (self.position if line.index > self.tree.size else self.proved.position) + 1
            raise _Wrong(since, f"leaf {self.tree.size} is missing", max(line.position, since))
        if line.position <= self.position:
            raise _Wrong(line.position, f"it follows {self.position}", self.position)
        found = _leaf_of(line)
        if line.index is None or line.leaf is None:
            raise _Wrong(line.position, "the tree has no such fact")
        if found is None:
            raise _Wrong(line.position, "the fact is missing")
        if found != line.leaf:
            raise _Wrong(line.position, "the fact is not the one that the tree holds")
        self._grow(line, found)
        self.position = line.position
        self.proved.facts += 1
        self.proved.unproved += 1
        if line.checkpoint is not None:
            self._judge(line.checkpoint)
        for kept in self.kept.pop(self.tree.size, ()):
            self._compare(kept, "the checkpoint that was kept outside")

    def _grow(self, line: Line, leaf: bytes) -> None:
        begins, made = line.position, self.tree.append(leaf)
        # The smallest subtree whose record is contradicted comes first: it holds the fault.
        for level, node in enumerate(made):
            begins = self.first_positions.pop()
            if level >= len(line.nodes) or line.nodes[level] != node:
                raise _Wrong(begins, f"a subtree of {2 << level} leaves is not the recorded one", line.position)
        if len(line.nodes) > len(made):
            raise _Wrong(line.position, "the tree has no such subtree here")
        self.first_positions.append(begins)

    def _judge(self, note: str) -> None:
        try:
            checkpoint = opened(note, self.verifiers)
        except CheckpointRefused as refused:
            raise _Wrong(self.proved.position + 1, f"the checkpoint is {refused}", self.position) from None
        self._compare(checkpoint, "the checkpoint")
        self.proved.checkpoints += 1
        self.proved.position, self.proved.unproved = self.position, 0

    def _compare(self, checkpoint: Checkpoint, named: str) -> None:
        if (checkpoint.size, checkpoint.root, checkpoint.position) != (self.tree.size, self.tree.root(), self.position):
            since = self.proved.position + 1
            raise _Wrong(min(since, self.position), f"{named} vouches for another tree", self.position)

    def end(self) -> None:
        """What is wrong lies behind the last checkpoint that held."""
        since = self.proved.position + 1
        last = max((one for several in self.kept.values() for one in several), key=lambda one: one.size, default=None)
        if last:
            why = (
                f"the journal ends at {self.position}; one kept checkpoint has {last.size} facts up to {last.position}"
            )
            raise _Wrong(since, why, max(last.position, self.position))
        if not self.proved.facts:
            raise _Wrong(1, "no checkpoint vouches for an empty journal", INT64_MAX)
        if self.proved.unproved:
            raise _Wrong(since, "no checkpoint vouches for these facts", self.position)


def prove(lines: Iterable[Line], verifiers: Sequence[Verifier], kept: Iterable[Checkpoint] = ()) -> Proved:
    """``kept``: checkpoints from outside, each opened. Only by them is a tail found that was cut off everywhere."""
    by_size: dict[int, list[Checkpoint]] = {}
    for one in kept:
        by_size.setdefault(one.size, []).append(one)
    check = _Check(verifiers, by_size)
    try:
        for line in lines:
            check.take(line)
        check.end()
    except _Wrong as wrong:
        check.proved.broken = wrong.broken
    except Unreadable as unreadable:
        check.proved.broken = Broken(check.position + 1, INT64_MAX, str(unreadable))
    return check.proved


def _leaf_of(line: Line) -> bytes | None:
    """None: there is no whole fact in it, or none that a journal could hold."""
    if line.stream_id is None or line.version is None or line.topic is None or line.state is None:
        return None
    if not 0 < line.version <= INT64_MAX or not 0 < line.position <= INT64_MAX:
        return None
    return leaf_hash(line.position, line.stream_id, line.version, line.topic, line.state)
