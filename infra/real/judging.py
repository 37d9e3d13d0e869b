"""The end of a run: nothing booked twice, and all that can be read is what the journal says."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from adapters.redis_masks import RedisMaskCache
from application.masks import Block, BlockKey
from infra.composition import epoch_of
from infra.processes.replay import compare
from infra.settings import Settings
from infra.verification import verify

BLOCKS_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """``complaints``: one line for each thing that is not as it should be."""

    double_bookings: int
    replay_equal: bool
    complaints: Sequence[str]


def judge(settings: Settings) -> Verdict:
    """By code that shares nothing with the one that booked, and by replaying the journal into empty tables."""
    findings = verify(settings.database_url)
    complaints = [f"{fault.kind} at position {fault.position}: {fault.detail}" for fault in findings.faults]
    different = [name for name, (live, replayed) in compare(settings).items() if live != replayed]
    complaints += [f"{name} differs from its replay" for name in different]
    # The availability rows equal their replay, or that is said above: so masks that equal the rows equal it too.
    masks = asyncio.run(_masks_that_differ(settings))
    if masks:
        complaints.append(f"{masks} masks in Redis differ from the rows they were made of")
    return Verdict(findings.double_bookings, not different and not masks, complaints)


async def _masks_that_differ(settings: Settings) -> int:
    """Of all blocks that Redis holds; one that it has forgotten is read again when it is needed."""
    assert settings.redis_url
    cache = RedisMaskCache(settings.redis_url, str(epoch_of(settings, "real")))
    try:
        with psycopg.connect(settings.database_url) as connection:
            rows = connection.execute("SELECT resource_id, number, position, planes FROM availability.block").fetchall()
        blocks = {
            BlockKey(resource_id, number): Block(position, planes) for resource_id, number, position, planes in rows
        }
        keys = list(blocks)
        differing = 0
        for at in range(0, len(keys), BLOCKS_A_TIME):
            part = keys[at : at + BLOCKS_A_TIME]
            held = await cache.get(part)
            differing += sum(mask is not None and mask != blocks[key] for key, mask in zip(part, held, strict=True))
        return differing
    finally:
        await cache.close()
