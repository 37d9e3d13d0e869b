"""What proves that a fact is in the journal as it was signed. The tree is no read model: migration 0014 made it.

A proof is made of hashes, over facts of all organizations. They say nothing of any: each state has random ids in it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.merkle import Place, Range, consistency_ranges, inclusion_ranges, proof, subtrees_of
from projections.reads import Reads

_LEAF = """
SELECT l.index, l.hash, c.size, c.note FROM audit_trail.fact AS f
JOIN proofs.subtree AS l ON l.level = 0 AND l.position = f.position
CROSS JOIN LATERAL (SELECT size, note FROM proofs.signed_checkpoint ORDER BY size DESC LIMIT 1) AS c
WHERE f.organization_id = %s AND f.position = %s
"""
_NODES = """
SELECT s.level, s.index, s.hash FROM unnest(%s::smallint[], %s::bigint[]) AS wanted (level, index)
JOIN proofs.subtree AS s ON s.level = wanted.level AND s.index = wanted.index
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedFact:
    """The leaf ``index`` is ``leaf``, in the tree that ``checkpoint`` (a signed note) is about."""

    index: int
    leaf: bytes
    size: int
    checkpoint: str
    inclusion: list[bytes]
    consistency: list[bytes] | None
    """With the tree of as many leaves as was asked for. None: it was not, or that tree is larger than this."""


async def proof_of(reads: Reads, organization_id: UUID, position: int, *, since: int | None) -> ProvedFact | None:
    """None: the organization has no such fact, or no checkpoint covers it yet. Two queries, some 40 rows at most."""
    async with reads.connection() as connection:
        row = await (await connection.execute(_LEAF, (organization_id, position))).fetchone()
        if row is None:
            return None
        index, leaf, size, note = row
        included = inclusion_ranges(index, size)
        consistent = consistency_ranges(since, size) if since is not None and since <= size else None
        kept = await _kept(connection, [*included, *(consistent or ())])
    return ProvedFact(
        index=index,
        leaf=bytes(leaf),
        size=size,
        checkpoint=note,
        inclusion=proof(included, kept.__getitem__),
        consistency=None if consistent is None else proof(consistent, kept.__getitem__),
    )


async def _kept(connection: Any, ranges: list[Range]) -> dict[Place, bytes]:
    places = sorted({place for one in ranges for place in subtrees_of(one)})
    rows = await connection.execute(_NODES, ([level for level, _ in places], [index for _, index in places]))
    return {(level, index): bytes(node) async for level, index, node in rows}
