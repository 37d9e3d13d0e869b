"""Streams in memory, bounded by bytes, least recently used first out. None is trusted: every append checks versions."""

from collections.abc import Sequence
from uuid import UUID

from application.decision import Stream, evolved
from application.journal import Recorded
from application.lru import CacheTally, Lru
from application.stream_size import bytes_of
from domain.fact import Fact

STREAMS_BYTES_MAX = 96 * 2**20


class StreamCache:
    """Folded streams by id.

    A hit is a stream that was looked for and in memory, a miss is one that had to be loaded. However often a batch
    looks at a stream, it counts once; one that is presumed to be new is neither. Streams are kept by the numbers of
    their ids (see ``View``).
    """

    def __init__(self, *, bytes_max: int = STREAMS_BYTES_MAX) -> None:
        self._streams: Lru[int, Stream] = Lru(bytes_max, bytes_of)
        self._loaded: set[int] = set()

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def bytes(self) -> int:
        return self._streams.bytes

    @property
    def tally(self) -> CacheTally:
        return self._streams.tally

    def get(self, stream_id: UUID) -> Stream | None:
        stream = self._streams.find(stream_id.int)
        if self._loaded and stream_id.int in self._loaded:
            self._loaded.discard(stream_id.int)
        elif stream is not None:
            self.tally.hits += 1
        return stream

    def learn(self, stream_id: UUID, recorded: Sequence[Recorded]) -> None:
        """Fold what the journal holds beyond the version in memory; facts that are known already are passed over."""
        stream = self._streams.find(stream_id.int)
        if stream is None:
            stream = Stream()
            self.tally.misses += 1
            self._loaded.add(stream_id.int)
        for one in recorded:
            if one.version == stream.version + 1:
                stream = Stream(one.version, evolved(stream.state, one.fact))
        self._streams.put(stream_id.int, stream)

    def absorb(self, stream_id: UUID, version: int, after: Stream) -> None:
        """Keep a stream as it is since facts were appended to its ``version``."""
        before = self._streams.find(stream_id.int) or Stream()
        if before.version != version:
            self._streams.drop(stream_id.int)  # to be loaded again rather than guessed
            return
        self._streams.put(stream_id.int, after)

    def forget(self, stream_id: UUID) -> None:
        self._streams.drop(stream_id.int)

    def clear(self) -> None:
        self._streams.clear()
        self._loaded.clear()

    def trim(self) -> None:
        """Let the oldest go. Called between batches: within one, what was loaded must stay."""
        self._streams.trim()
        self._loaded.clear()


class Overlay:
    """The cache as it will be if the batch is appended: later commands see what earlier ones of the batch drafted.

    The versions under ``base`` are those before the batch, which is what the append checks.
    """

    def __init__(self, cache: StreamCache) -> None:
        self._cache = cache
        self._streams: dict[int, Stream] = {}
        self._base: dict[int, int] = {}

    def get(self, stream_id: UUID) -> Stream | None:
        number = stream_id.int
        stream = self._streams.get(number)
        if stream is None:
            stream = self._cache.get(stream_id)
            if stream is not None:
                self._streams[number] = stream
                self._base[number] = stream.version
        return stream

    def base_version(self, stream_id: UUID) -> int:
        """0 for a stream that is not in memory: it was presumed to be new."""
        return self._base.get(stream_id.int, 0)

    def draft(self, stream_id: UUID, after: Stream) -> None:
        self._streams[stream_id.int] = after

    def folded(self, stream_id: UUID, facts: Sequence[Fact]) -> Stream:
        """The stream with these facts added."""
        stream = self.get(stream_id) or Stream()
        state = stream.state
        for fact in facts:
            state = evolved(state, fact)
        return Stream(stream.version + len(facts), state)
