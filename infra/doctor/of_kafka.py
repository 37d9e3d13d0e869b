"""Whether the topic of facts is as the settings say, and survives the loss of a broker."""

from collections.abc import Iterator
from functools import partial

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._metadata import TopicMetadata

from adapters.kafka_clients import ANSWER_WITHIN_S, connection_options, ensure_listening
from infra.composition import kafka_tls_of
from infra.doctor.finding import Finding, advice, looked, stays_here, unsafe
from infra.settings import Settings, variable

COPIES_MIN = 3
RETENTION_MIN_MS = 24 * 3_600_000


def of_kafka(settings: Settings) -> Iterator[Finding]:
    if settings.kafka_bootstrap is None:
        return
    yield from encryption(settings)
    yield from looked("kafka", [partial(_asked, settings)], (KafkaException, OSError, ValueError))


def _asked(settings: Settings) -> Iterator[Finding]:
    """Raises ``KafkaException``, ``OSError``."""
    bootstrap = str(settings.kafka_bootstrap)
    ensure_listening(bootstrap)
    admin = AdminClient(connection_options(bootstrap, kafka_tls_of(settings)))
    described = admin.list_topics(settings.kafka_topic, timeout=ANSWER_WITHIN_S).topics[settings.kafka_topic]
    if described.error is not None and described.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise KafkaException(described.error)
    yield from topic(settings, described)
    if described.error is None:
        yield from retention(settings, admin)


def encryption(settings: Settings) -> Iterator[Finding]:
    hosts = [server.strip().rpartition(":")[0] for server in str(settings.kafka_bootstrap).split(",")]
    if settings.kafka_security_protocol == "PLAINTEXT" and not all(map(stays_here, hosts)):
        yield unsafe(
            "kafka.tls",
            "every fact travels in the clear",
            f"set {variable('kafka_security_protocol')} to SSL, and {variable('kafka_ca_file')}",
        )


def topic(settings: Settings, described: TopicMetadata) -> Iterator[Finding]:
    if described.error is not None:
        yield unsafe("kafka.topic", f"there is no topic {settings.kafka_topic}", "start `daybook relay`: it makes it")
        return
    partitions = described.partitions.values()
    if len(partitions) != settings.kafka_partitions:
        yield unsafe(
            "kafka.partitions",
            f"the topic has {len(partitions)} partitions, not {settings.kafka_partitions}",
            f"set {variable('kafka_partitions')} to {len(partitions)} in every process",
        )
    copies = min((len(one.replicas) for one in partitions), default=0)
    if copies < COPIES_MIN:
        yield advice(
            "kafka.copies",
            f"of each partition there is {copies}: without its broker, read models are late by a second or two",
            f"keep {COPIES_MIN} copies of {settings.kafka_topic}; nothing is lost meanwhile, the journal has it all",
        )


def retention(settings: Settings, admin: AdminClient) -> Iterator[Finding]:
    try:
        [found] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, settings.kafka_topic)]).values()
        kept_ms = int(found.result(ANSWER_WITHIN_S)["retention.ms"].value)
    except (KafkaException, LookupError, TimeoutError, TypeError, ValueError):
        yield advice(
            "kafka.retention", "the broker does not say how long it keeps facts", "see that it is a day or more"
        )
        return
    if 0 <= kept_ms < RETENTION_MIN_MS:
        yield advice(
            "kafka.retention",
            f"facts are kept for {kept_ms / 3_600_000:.1f} h: a follower that was away longer reads the journal",
            "set retention.ms to a day or more",
        )
