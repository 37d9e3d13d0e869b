"""The ports to what is taken: bit planes of the claimed quantity, in blocks of UTC days (see ``domain.bit_planes``).

The source (PostgreSQL) is what holds; the cache (Redis) only saves reading it. The source says which version of a block
is current, and a cached block of an older version is no block. So a cache that was flushed, restored from an old
snapshot or cut off can cost time, never a wrong answer.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from application.lru import Lru
from domain.bit_planes import joined_up
from domain.open_hours import DAY_BYTES, OpenDays
from domain.possible_starts import BLOCK_MIN, KNOWN_MAX, Candidate, Window

Stamp = bytes
"""The versions of one resource's blocks in a stretch of them: the number and the version of each that there is, as
``STAMPED``, ascending. What has an equal stamp is the same."""
STAMPED = struct.Struct(">iq")
KEPT_BYTES_MAX = 32 * 2**20
"""Unless it is told otherwise: what is left of some 400 resources in a month."""


class BlockKey(NamedTuple):
    """``number`` counts blocks of ``BLOCK_DAYS`` UTC days since 1970-01-01."""

    resource_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class Block:
    """``version`` is the position of the last fact in it; ``planes`` as in ``domain.bit_planes.packed``."""

    version: int
    planes: bytes


class MaskSource(Protocol):
    """The read model's end."""

    async def versions(
        self, resource_ids: Sequence[UUID], first: int, last: int, now: datetime
    ) -> Sequence[Stamp | Sequence[bytes]]:
        """For each resource, in order, the stamp of its blocks ``first`` … ``last``, in one round trip.

        Where the deadline of a claim has passed at ``now``, and no fact says so yet, that claim blocks nobody: for
        such a resource the planes of these blocks without it, instead of a stamp; in one round trip more.
        """

    async def read(self, keys: Sequence[BlockKey]) -> Mapping[BlockKey, Block]:
        """Those blocks, in one round trip."""


class MaskCache(Protocol):
    """The API's end of the cache. An adapter answers what it has and swallows its server's absence, with a log line."""

    async def get(self, keys: Sequence[BlockKey]) -> Sequence[Block | None]:
        """In the order of ``keys``, in one round trip."""

    async def fill(self, blocks: Mapping[BlockKey, Block]) -> None:
        """Keep each block, unless one of the same or a later version is there."""


class MaskSink(Protocol):
    """The projector's end of the cache. Synchronous, in one round trip; an absent server is logged, not raised."""

    def put(self, blocks: Mapping[BlockKey, Block]) -> None:
        """Keep each block, unless one of a later version is there."""


class Kept(NamedTuple):
    """What is left of a resource as long as its ``stamp`` stands."""

    stamp: Stamp
    candidate: Candidate


def _weight(kept: Kept) -> int:
    """At most, with all that may be known of it: each mask has a bit for each minute of the window."""
    return kept.candidate.window.days * DAY_BYTES * (len(kept.candidate.used) + KNOWN_MAX)


def kept_candidates(bytes_max: int = KEPT_BYTES_MAX) -> Lru[tuple[UUID, Window], Kept]:
    """Room for what is left of resources, by resource and window."""
    return Lru(bytes_max, _weight)


@dataclass(frozen=True, slots=True)
class Masks:
    """What is taken, current as of the source; ``cache`` None: without one."""

    source: MaskSource
    cache: MaskCache | None = None
    kept: Lru[tuple[UUID, Window], Kept] = field(default_factory=kept_candidates)

    async def stamps(
        self, ones: Sequence[OpenDays], window: Window, now: datetime
    ) -> Sequence[Stamp | Sequence[bytes]]:
        """What ``MaskSource.versions`` says of these resources."""
        ids = [one.resource.id for one in ones]
        return await self.source.versions(ids, window.first_block, window.last_block, now)

    async def candidates(
        self, ones: Sequence[OpenDays], stamps: Sequence[Stamp | Sequence[bytes]], window: Window
    ) -> Mapping[UUID, Candidate]:
        """What is left of each resource, by these ``stamps``; the same objects as before where nothing has changed."""
        by_id = {one.resource.id: one for one in ones}
        found: dict[UUID, Candidate] = {}
        changed: dict[UUID, Stamp] = {}
        for (resource_id, one), stamp in zip(by_id.items(), stamps, strict=True):
            if not isinstance(stamp, bytes):
                found[resource_id] = Candidate(one, joined_up(stamp, BLOCK_MIN), window)
                continue
            kept = self.kept.find((resource_id, window))
            if kept is not None and kept.stamp == stamp and kept.candidate.open_days is one:
                found[resource_id] = kept.candidate
            else:
                changed[resource_id] = stamp
        self.kept.tally.hits += len(found)
        self.kept.tally.misses += len(changed)
        if changed:
            planes = await self._planes(changed, window.first_block, window.last_block)
            for resource_id, stamp in changed.items():
                candidate = Candidate(by_id[resource_id], joined_up(planes[resource_id], BLOCK_MIN), window)
                self.kept.put((resource_id, window), Kept(stamp, candidate))
                found[resource_id] = candidate
            self.kept.trim()
        return found

    async def read(
        self, resource_ids: Sequence[UUID], first: int, last: int, now: datetime
    ) -> Mapping[UUID, Sequence[bytes]]:
        """Of each resource the planes of the blocks ``first`` … ``last`` at ``now``; empty where nothing is claimed."""
        stamps = await self.source.versions(resource_ids, first, last, now)
        known = dict(zip(resource_ids, stamps, strict=True))
        given = {resource_id: planes for resource_id, planes in known.items() if not isinstance(planes, bytes)}
        stamped = {resource_id: stamp for resource_id, stamp in known.items() if isinstance(stamp, bytes)}
        return {**given, **await self._planes(stamped, first, last)}

    async def _planes(self, stamps: Mapping[UUID, Stamp], first: int, last: int) -> Mapping[UUID, Sequence[bytes]]:
        """At least as new as the stamps."""
        planes = {resource_id: [b""] * (last - first + 1) for resource_id in stamps}
        versions = {
            BlockKey(resource_id, number): version
            for resource_id, stamp in stamps.items()
            for number, version in STAMPED.iter_unpack(stamp)
        }
        keys = list(versions)
        # The cache is read after the versions: the projector writes there before it commits, so the cache is then at
        # least as new, unless it has lost something.
        cached = await self.cache.get(keys) if self.cache is not None and keys else [None] * len(keys)
        missing = []
        for key, block in zip(keys, cached, strict=True):
            if block is not None and block.version >= versions[key]:
                planes[key.resource_id][key.number - first] = block.planes
            else:
                missing.append(key)
        if missing:
            found = await self.source.read(missing)
            for key, block in found.items():
                planes[key.resource_id][key.number - first] = block.planes
            if self.cache is not None:
                await self.cache.fill(found)
        return planes
