"""A Merkle tree over the journal, as RFC 9162 defines it (2.1): what was signed once can be changed no more unseen.

Leaves are facts in the order of their positions. Positions have gaps, so a leaf's index is not its position.
A subtree is complete when it has 2**level leaves; it never changes afterwards. Only complete ones are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from uuid import UUID

EMPTY_ROOT = sha256(b"").digest()

Place = tuple[int, int]
"""Of a complete subtree: its level, and its index among those of its level."""
Range = tuple[int, int]
"""Leaves from the first index up to, but not including, the second."""


def leaf_hash(position: int, stream_id: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Of the fact's canonical bytes: each part has a fixed length or its length before it, so no two facts share them.

    Position, version: 8 bytes, big-endian. Stream: 16 bytes. Topic: UTF-8 after its length in 4 bytes. State: the rest.
    """
    named = topic.encode()
    head = b"\x00" + position.to_bytes(8, "big") + stream_id.bytes + version.to_bytes(8, "big")
    return sha256(head + len(named).to_bytes(4, "big") + named + state).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class GrowingTree:
    """A tree of ``size`` leaves, of which only the roots of complete subtrees are held, largest first: some 20."""

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        assert len(self.peaks) == size.bit_count()

    def append(self, leaf: bytes) -> list[bytes]:
        """The hashes of the subtrees that the leaf completes, from level 1 upwards. None: it is the left of a pair."""
        made: list[bytes] = []
        top, index = leaf, self.size
        while index & 1:
            top = node_hash(self.peaks.pop(), top)
            made.append(top)
            index >>= 1
        self.peaks.append(top)
        self.size += 1
        return made

    def root(self) -> bytes:
        return _joined(self.peaks)


def _joined(subtrees: Sequence[bytes]) -> bytes:
    """The root over complete subtrees that follow each other, each smaller than the one before."""
    if not subtrees:
        return EMPTY_ROOT
    *larger, root = subtrees
    for left in reversed(larger):
        root = node_hash(left, root)
    return root


def subtrees_of(wanted: Range) -> Iterator[Place]:
    """The complete subtrees that a range of the tree is made of, largest first. It begins where RFC 9162 splits."""
    start, end = wanted
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Whose roots prove that the leaf ``index`` is in the tree of ``size``, in the order of the proof (2.1.3)."""
    assert 0 <= index < size
    ranges: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        ranges.append((middle, end) if index < middle else (start, middle))
        start, end = (start, middle) if index < middle else (middle, end)
    return ranges[::-1]


def consistency_ranges(first: int, size: int) -> list[Range]:
    """Whose roots prove that the tree of ``size`` leaves begins with the one of ``first`` (2.1.4)."""
    assert 0 < first <= size
    ranges: list[Range] = []
    start, end, whole = 0, size, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    return ([] if whole else [(start, end)]) + ranges[::-1]


def proof(ranges: Iterable[Range], kept: Callable[[Place], bytes]) -> list[bytes]:
    return [_joined([kept(place) for place in subtrees_of(one)]) for one in ranges]


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` proves that ``leaf`` is in the tree of that root (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for one in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(one, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, one)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def extends(first_root: bytes, first: int, root: bytes, size: int, path: Sequence[bytes]) -> bool:
    """Whether ``path`` proves that the tree of ``size`` leaves begins with the one of ``first`` (2.1.4.2)."""
    if first == size:
        return not path and first_root == root
    if not 0 < first < size or not path:
        return False
    hashes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    at, last = first - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(one, old), node_hash(one, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, one)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == root


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)
