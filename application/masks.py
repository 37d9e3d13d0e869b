"""The ports to what is taken: bit planes of the claimed quantity, in blocks of UTC days (see ``domain.bit_planes``).

The source (PostgreSQL) is what holds; the cache (Redis) only saves reading it. The source says which version of a block
is current, and a cached block of an older version is no block. So a cache that was flushed, restored from an old
snapshot or cut off can cost time, never a wrong answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID


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
    ) -> Mapping[BlockKey, int | bytes]:
        """Of all blocks ``first`` … ``last`` in which anything was ever claimed, in one round trip.

        Where the deadline of a claim has passed at ``now``, and no fact says so yet, that claim blocks nobody: of
        such a block the planes without it instead of its version.
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


@dataclass(frozen=True, slots=True)
class Masks:
    """What is taken, current as of the source; ``cache`` None: without one."""

    source: MaskSource
    cache: MaskCache | None = None

    async def read(
        self, resource_ids: Sequence[UUID], first: int, last: int, now: datetime
    ) -> Mapping[UUID, Sequence[bytes]]:
        """Of each resource the planes of the blocks ``first`` … ``last`` at ``now``; empty where nothing is claimed."""
        # The versions are read before the cache: the projector writes there before it commits, so the cache is
        # then at least as new, unless it has lost something.
        known = await self.source.versions(resource_ids, first, last, now)
        planes = {resource_id: [b""] * (last - first + 1) for resource_id in resource_ids}
        versions = {}
        for key, version in known.items():
            if isinstance(version, bytes):
                planes[key.resource_id][key.number - first] = version
            else:
                versions[key] = version
        keys = list(versions)
        cached = await self.cache.get(keys) if self.cache is not None and keys else [None] * len(keys)
        missing = []
        for key, version, block in zip(keys, versions.values(), cached, strict=True):
            if block is not None and block.version >= version:
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
