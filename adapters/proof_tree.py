"""The tree over the journal as it is kept in PostgreSQL (migration 0014), and the one that lets it grow.

Facts, subtrees and the checkpoint over them are written in one transaction: no leaf is kept that nothing vouches for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from adapters.checkpoint_notes import Checkpoint, CheckpointRefused, Signer, Verifier, opened
from adapters.exported_journal import Line
from domain.merkle import GrowingTree, leaf_hash, subtrees_of

FACTS_MAX = 10_000
"""Under one checkpoint; what a start after a long time has to do is done in so many transactions."""
FETCH_ROWS = 2_000

_FACTS = """
SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
WHERE notification_id > %s ORDER BY notification_id LIMIT %s
"""
_LAST = "SELECT size, position, root, note FROM proofs.signed_checkpoint ORDER BY size DESC LIMIT 1"
_PEAKS = """
SELECT s.hash FROM unnest(%s::smallint[], %s::bigint[]) WITH ORDINALITY AS peak (level, index, place)
JOIN proofs.subtree s ON s.level = peak.level AND s.index = peak.index ORDER BY peak.place
"""
# Both sides whole: a leaf without its fact is told as well as a fact without its leaf.
_EXPORT = """
SELECT coalesce(f.notification_id, l.position), f.originator_id, f.originator_version, f.topic, f.state,
    l.index, l.hash,
    ARRAY (SELECT s.hash
           FROM generate_series(1, length(substring((l.index + 1)::bit(64)::text FROM '0*$'))) AS g (level)
           JOIN proofs.subtree s ON s.level = g.level::smallint AND s.index = l.index >> g.level ORDER BY g.level),
    c.note
FROM (SELECT * FROM stored_events WHERE notification_id <= %(upto)s) AS f
FULL JOIN (SELECT * FROM proofs.subtree WHERE level = 0) AS l ON l.position = f.notification_id
LEFT JOIN proofs.signed_checkpoint c ON c.size = l.index + 1
ORDER BY 1
"""


class TreeBroken(Exception):  # noqa: N818  reads as what it says
    """What is kept is not what the last checkpoint vouches for, or the journal has lost what it vouches for."""


@dataclass(slots=True)
class KeptTree:
    """The tree at its last checkpoint."""

    tree: GrowingTree
    position: int

    def extend(self, connection: Connection[Any], signer: Signer) -> int:
        """Take in what the journal has more, and sign. How many facts it was; the tree stands at their checkpoint."""
        with connection.transaction(), connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            facts = cursor.execute(_FACTS, (self.position, FACTS_MAX), prepare=True).fetchall()
            if not facts:
                return 0
            grown = GrowingTree(self.tree.size, self.tree.peaks)
            with cursor.copy("COPY proofs.subtree (level, index, hash, position) FROM STDIN") as copy:
                for fact in facts:
                    index, leaf = grown.size, leaf_hash(*fact)
                    copy.write_row((0, index, leaf, fact[0]))
                    for level, node in enumerate(grown.append(leaf), 1):
                        copy.write_row((level, index >> level, node, None))
            at = Checkpoint(size=grown.size, root=grown.root(), position=facts[-1][0])
            cursor.execute(
                "INSERT INTO proofs.signed_checkpoint (size, position, root, note, public_key)"
                " VALUES (%s, %s, %s, %s, %s)",
                (at.size, at.position, at.root, signer.sign(at), signer.public_key),
            )
        self.tree, self.position = grown, at.position
        return len(facts)


def kept_tree(connection: Connection[Any], trusted: Sequence[Verifier]) -> KeptTree:
    """As it was left. Raises ``TreeBroken`` rather than go on from what nobody vouches for."""
    row = connection.execute(_LAST).fetchone()
    if row is None:
        return KeptTree(GrowingTree(), 0)
    try:
        last = opened(row[3], trusted)
    except CheckpointRefused as refused:
        raise TreeBroken(f"the last checkpoint is {refused}") from None
    places = list(subtrees_of((0, last.size)))
    peaks = connection.execute(_PEAKS, ([level for level, _ in places], [index for _, index in places])).fetchall()
    if len(peaks) != len(places):
        raise TreeBroken(f"subtrees of the checkpoint of {last.size} facts are missing")
    tree = GrowingTree(last.size, [bytes(peak) for (peak,) in peaks])
    if (last.size, last.position, last.root) != (row[0], row[1], tree.root()):
        raise TreeBroken(f"the tree is not the one that its checkpoint of {last.size} facts vouches for")
    return KeptTree(tree, last.position)


def journal_head(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM stored_events").fetchone()
    assert row
    return int(row[0])


def exported(connection: Connection[Any]) -> Iterator[Line]:
    """The journal up to its last checkpoint as of one instant, in bounded memory."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        last = connection.execute(_LAST).fetchone()
        with connection.cursor("export", row_factory=tuple_row) as cursor:
            cursor.itersize = FETCH_ROWS
            cursor.execute(_EXPORT, {"upto": last[1] if last else 0})
            for position, stream_id, version, topic, state, index, leaf, nodes, note in cursor:
                yield Line(
                    position=position,
                    stream_id=stream_id,
                    version=version,
                    topic=topic,
                    state=state,
                    index=index,
                    leaf=leaf,
                    nodes=nodes,
                    checkpoint=note,
                )
