"""What those are made of who follow the facts. Apart from the rest: the API process has no use for a Kafka client."""

from collections.abc import Sequence

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.kafka_feed import KafkaFeed
from adapters.redis_fanout import RedisHints
from adapters.redis_masks import RedisMaskSink
from adapters.reopening_reader import ReopeningJournalReader
from infra.composition import connecting, epoch_of, kafka_tls_of
from infra.read_models import read_models
from infra.settings import Settings, needed
from projections.checkpoint import Sink, besides
from projections.following import Follower

PROJECT_GATHER_S = 0.08
"""Under load a read model is as much later at worst; what it saves keeps everything else from being later by more."""


def follower(settings: Settings, sinks: Sequence[Sink], *, process: str, gather_s: float = 0.0) -> Follower:
    """A follower of the facts for ``sinks``, in a consumer group of those who follow for the same ones."""
    connect = connecting(settings, process)
    mapper = FactMapper()
    group = ".".join(("daybook", settings.kafka_topic, *sorted(sink.NAME for sink in sinks)))
    feed = KafkaFeed(
        needed(settings.kafka_bootstrap, "kafka_bootstrap"),
        settings.kafka_topic,
        group,
        FactMessages(mapper, epoch_of(settings, process), besides_all(sinks)),
        gather_s=gather_s,
        tls=kafka_tls_of(settings),
    )
    reader = ReopeningJournalReader(connect, mapper)
    return Follower(sinks, feed, reader, connect=connect, partitions=settings.kafka_partitions)


def besides_all(sinks: Sequence[Sink]) -> frozenset[str]:
    """The topics of the facts that none of the sinks is made of."""
    return frozenset.intersection(*map(besides, sinks))


def projector(settings: Settings, names: Sequence[str]) -> Follower:
    """The follower that keeps read models; all of them without ``names``."""
    redis_url = needed(settings.redis_url, "redis_url")
    needed(settings.kafka_bootstrap, "kafka_bootstrap")
    read_models(names, settings.kafka_partitions)  # a wrong name is told of before any server is asked
    namespace = str(epoch_of(settings, "project"))
    sinks = read_models(names, settings.kafka_partitions, RedisHints(redis_url), RedisMaskSink(redis_url, namespace))
    return follower(settings, sinks, process="project", gather_s=PROJECT_GATHER_S)
