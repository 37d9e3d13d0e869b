"""Availability masks in this process's memory: the same contract as Redis, for fast tests."""

from collections.abc import Mapping, Sequence

from application.masks import Block, BlockKey


class MemoryMasks:
    """Both ends: ``MaskCache`` and ``MaskSink``."""

    def __init__(self) -> None:
        self._blocks: dict[BlockKey, Block] = {}

    async def get(self, keys: Sequence[BlockKey]) -> Sequence[Block | None]:
        return [self._blocks.get(key) for key in keys]

    async def fill(self, blocks: Mapping[BlockKey, Block]) -> None:
        for key, block in blocks.items():
            there = self._blocks.get(key)
            if there is None or there.version < block.version:
                self._blocks[key] = block

    def put(self, blocks: Mapping[BlockKey, Block]) -> None:
        for key, block in blocks.items():
            there = self._blocks.get(key)
            if there is None or there.version <= block.version:
                self._blocks[key] = block

    def flush(self) -> None:
        """Lose everything."""
        self._blocks.clear()
