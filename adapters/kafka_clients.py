"""Clients of a Kafka broker, with every default that is wrong for us said."""

import socket
from typing import Any

from kafka import KafkaConsumer, KafkaProducer

from adapters.kafka_tls import KafkaTls

SESSION_MS = 6_000
ANSWER_WITHIN_MS = 5_000
ACKNOWLEDGED_WITHIN_MS = 10_000


def connection_options(bootstrap: str, tls: KafkaTls | None = None) -> dict[str, Any]:
    return {
        "bootstrap_servers": bootstrap.split(","),
        "client_id": "daybook",
        "bootstrap_timeout_ms": ANSWER_WITHIN_MS,
        "request_timeout_ms": ANSWER_WITHIN_MS,
        "reconnect_backoff_max_ms": 1_000,
        "metadata_max_age_ms": 10_000,
        **(tls.for_kafka_python() if tls else {}),
    }


def new_producer(bootstrap: str, tls: KafkaTls | None = None) -> Any:
    ensure_listening(bootstrap)
    made = KafkaProducer(
        **connection_options(bootstrap, tls),
        acks="all",
        enable_idempotence=True,  # this also keeps the order while several batches are in flight
        delivery_timeout_ms=ACKNOWLEDGED_WITHIN_MS,
        max_block_ms=ANSWER_WITHIN_MS,
        linger_ms=2,
        batch_size=256 * 1024,
        allow_auto_create_topics=False,
    )
    _never_create_topics(made._metadata)
    return made


def new_consumer(bootstrap: str, tls: KafkaTls | None = None) -> Any:
    """Of no group: it reads what it is told to."""
    ensure_listening(bootstrap)
    made = KafkaConsumer(
        **connection_options(bootstrap, tls),
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
    )
    _never_create_topics(made._cluster)
    return made


def _never_create_topics(cluster: Any) -> None:
    """Make ``allow_auto_create_topics=False`` true: kafka-python 3.0.12 forgets to hand it on to its metadata.

    Else a follower that finds an empty broker would create the topic, with as many partitions as that
    broker pleases, and the relay could only refuse it. A contract test guards this.
    """
    cluster.config["allow_auto_create_topics"] = False


def ensure_listening(bootstrap: str) -> None:
    """Raises ``OSError``. A client that finds no broker leaves a thread behind, so ask before making one."""
    refused: OSError | None = None
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
        except OSError as wrong:
            refused = wrong
        else:
            return
    raise refused or OSError("no bootstrap servers")
