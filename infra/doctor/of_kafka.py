"""Whether the topic of facts is as the settings say, and survives the loss of a broker."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from adapters.kafka_clients import connection_options, ensure_listening
from infra.composition import kafka_tls_of
from infra.doctor.finding import Finding, advice, looked, stays_here, unsafe
from infra.settings import Settings, variable

COPIES_MIN = 3
RETENTION_MIN_MS = 24 * 3_600_000


def of_kafka(settings: Settings) -> Iterator[Finding]:
    if settings.kafka_bootstrap is None:
        return
    yield from encryption(settings)
    yield from looked("kafka", [partial(_asked, settings)], (KafkaError, OSError, ValueError))


def _asked(settings: Settings) -> Iterator[Finding]:
    """Raises ``KafkaError``, ``OSError``."""
    bootstrap = str(settings.kafka_bootstrap)
    ensure_listening(bootstrap)
    with closing(KafkaAdminClient(**connection_options(bootstrap, kafka_tls_of(settings)))) as admin:
        described = admin.describe_topics([settings.kafka_topic])[0]
        yield from topic(settings, described)
        if not described["error_code"]:
            yield from retention(settings, admin)


def encryption(settings: Settings) -> Iterator[Finding]:
    hosts = [server.strip().rpartition(":")[0] for server in str(settings.kafka_bootstrap).split(",")]
    if settings.kafka_security_protocol == "PLAINTEXT" and not all(map(stays_here, hosts)):
        yield unsafe(
            "kafka.tls",
            "every fact travels in the clear",
            f"set {variable('kafka_security_protocol')} to SSL, and {variable('kafka_ca_file')}",
        )


def topic(settings: Settings, described: Any) -> Iterator[Finding]:
    if described["error_code"]:
        yield unsafe("kafka.topic", f"there is no topic {settings.kafka_topic}", "start `daybook relay`: it makes it")
        return
    partitions = described["partitions"]
    if len(partitions) != settings.kafka_partitions:
        yield unsafe(
            "kafka.partitions",
            f"the topic has {len(partitions)} partitions, not {settings.kafka_partitions}",
            f"set {variable('kafka_partitions')} to {len(partitions)} in every process",
        )
    copies = min((len(one["replica_nodes"]) for one in partitions), default=0)
    if copies < COPIES_MIN:
        yield advice(
            "kafka.copies",
            f"of each partition there is {copies}: without its broker, read models are late by a second or two",
            f"keep {COPIES_MIN} copies of {settings.kafka_topic}; nothing is lost meanwhile, the journal has it all",
        )


def retention(settings: Settings, admin: Any) -> Iterator[Finding]:
    """Raises ``KafkaError``."""
    try:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, settings.kafka_topic)])
        kept_ms = int(_value(found, "retention.ms"))
    except (KafkaError, LookupError, TypeError, ValueError):
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


def _value(found: Any, name: str) -> Any:
    """Of a topic's configuration, in whichever of its shapes the client answers. Raises ``LookupError``."""
    if isinstance(found, dict):
        return next(iter(next(iter(found.values())).values()))[name]["value"]
    (resource,) = found[0].resources
    return next(entry[1] for entry in resource[4] if entry[0] == name)
