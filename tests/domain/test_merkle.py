"""The tree that is grown leaf by leaf is the one that RFC 9162 defines by recursion, and so are its proofs."""

from hashlib import sha256
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.merkle import (
    EMPTY_ROOT,
    GrowingTree,
    Place,
    consistency_ranges,
    extends,
    includes,
    inclusion_ranges,
    leaf_hash,
    proof,
)

LEAVES = [sha256(b"\x00" + str(number).encode()).digest() for number in range(140)]
SIZES = st.integers(1, len(LEAVES))


def mth(leaves: list[bytes]) -> bytes:
    """2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def kept(leaves: list[bytes]) -> tuple[GrowingTree, dict[Place, bytes]]:
    """What is stored as the tree grows."""
    tree, stored = GrowingTree(), {}
    for index, leaf in enumerate(leaves):
        for level, made in enumerate([leaf, *tree.append(leaf)]):
            stored[level, index >> level] = made
    return tree, stored


def test_an_empty_tree_has_the_hash_of_nothing_for_its_root() -> None:
    assert GrowingTree().root() == EMPTY_ROOT == mth([])


@given(SIZES)
def test_a_tree_that_grew_has_the_root_of_the_definition(size: int) -> None:
    assert kept(LEAVES[:size])[0].root() == mth(LEAVES[:size])


@given(SIZES, st.data())
def test_a_leaf_is_proved_from_what_is_stored_as_the_definition_says(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    _, stored = kept(LEAVES)  # the tree has grown on since

    proved = proof(inclusion_ranges(index, size), stored.__getitem__)

    assert proved == path(index, LEAVES[:size])
    root = mth(LEAVES[:size])
    assert includes(root, size, index, LEAVES[index], proved)
    assert not includes(root, size, index, LEAVES[index - 1] if size > 1 else EMPTY_ROOT, proved)
    assert not includes(root, size, index, LEAVES[index], [*proved, EMPTY_ROOT])
    assert not any(includes(root, size, other, LEAVES[index], proved) for other in range(size) if other != index)


@given(SIZES, st.data())
def test_a_tree_is_proved_to_begin_with_an_earlier_one_as_the_definition_says(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, size))
    _, stored = kept(LEAVES)

    proved = proof(consistency_ranges(first, size), stored.__getitem__)

    assert proved == subproof(first, LEAVES[:size], whole=True)
    before, after = mth(LEAVES[:first]), mth(LEAVES[:size])
    assert extends(before, first, after, size, proved)
    assert not extends(EMPTY_ROOT, first, after, size, proved)
    assert not extends(before, first, EMPTY_ROOT, size, proved)


def test_each_part_of_a_fact_is_in_its_leaf_and_none_can_pass_for_another() -> None:
    stream, other = UUID(int=1), UUID(int=2)
    hashes = {
        leaf_hash(1, stream, 1, "a.v1", b"{}"),
        leaf_hash(2, stream, 1, "a.v1", b"{}"),
        leaf_hash(1, other, 1, "a.v1", b"{}"),
        leaf_hash(1, stream, 2, "a.v1", b"{}"),
        leaf_hash(1, stream, 1, "a.v1{", b"}"),
        leaf_hash(1, stream, 1, "a.v1", b"{ }"),
    }

    assert len(hashes) == 6
