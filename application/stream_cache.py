"""Streams in memory, bounded, least recently used first out. Never trusted: every append checks the versions."""

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from application.decision import Stream, evolved
from application.journal import Recorded
from domain.fact import Fact

STREAMS_MAX = 50_000


class StreamCache:
    """Folded streams by id."""

    def __init__(self, *, streams_max: int = STREAMS_MAX) -> None:
        self._streams: OrderedDict[UUID, Stream] = OrderedDict()
        self._streams_max = streams_max

    def __len__(self) -> int:
        return len(self._streams)

    def get(self, stream_id: UUID) -> Stream | None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._streams.move_to_end(stream_id)
        return stream

    def put(self, stream_id: UUID, stream: Stream) -> None:
        self._streams[stream_id] = stream
        self._streams.move_to_end(stream_id)

    def learn(self, stream_id: UUID, recorded: Sequence[Recorded]) -> None:
        """Fold what the journal holds beyond the version in memory; facts that are known already are passed over."""
        stream = self._streams.get(stream_id) or Stream()
        for one in recorded:
            if one.version == stream.version + 1:
                stream = Stream(one.version, evolved(stream.state, one.fact))
        self.put(stream_id, stream)

    def absorb(self, stream_id: UUID, version: int, after: Stream) -> None:
        """Keep a stream as it is since facts were appended to its ``version``."""
        before = self._streams.get(stream_id) or Stream()
        if before.version != version:
            self._streams.pop(stream_id, None)  # to be loaded again rather than guessed
            return
        self.put(stream_id, after)

    def forget(self, stream_id: UUID) -> None:
        self._streams.pop(stream_id, None)

    def clear(self) -> None:
        self._streams.clear()

    def trim(self) -> None:
        """Let the oldest go. Called between batches: within one, what was loaded must stay."""
        while len(self._streams) > self._streams_max:
            self._streams.popitem(last=False)


class Overlay:
    """The cache as it will be if the batch is appended: later commands see what earlier ones of the batch drafted.

    The versions under ``base`` are those before the batch, which is what the append checks.
    """

    def __init__(self, cache: StreamCache) -> None:
        self._cache = cache
        self._drafted: dict[UUID, Stream] = {}

    def get(self, stream_id: UUID) -> Stream | None:
        return self._drafted.get(stream_id) or self._cache.get(stream_id)

    def base_version(self, stream_id: UUID) -> int:
        """0 for a stream that is not in memory: it was presumed to be new."""
        stream = self._cache.get(stream_id)
        return stream.version if stream else 0

    def draft(self, stream_id: UUID, after: Stream) -> None:
        self._drafted[stream_id] = after

    def folded(self, stream_id: UUID, facts: Sequence[Fact]) -> Stream:
        """The stream with these facts added."""
        stream = self.get(stream_id) or Stream()
        state = stream.state
        for fact in facts:
            state = evolved(state, fact)
        return Stream(stream.version + len(facts), state)
