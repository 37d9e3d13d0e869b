"""Clients of a Kafka broker, with every default that is wrong for us said."""

import socket
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

POLL_FACTS_MAX = 2_000
SESSION_MS = 6_000
ANSWER_WITHIN_MS = 5_000
ACKNOWLEDGED_WITHIN_MS = 10_000


def connection_options(bootstrap: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": bootstrap.split(","),
        "client_id": "daybook",
        "bootstrap_timeout_ms": ANSWER_WITHIN_MS,
        "request_timeout_ms": ANSWER_WITHIN_MS,
        "reconnect_backoff_max_ms": 1_000,
        "metadata_max_age_ms": 10_000,
    }


def new_producer(bootstrap: str) -> Any:
    ensure_listening(bootstrap)
    made = KafkaProducer(
        **connection_options(bootstrap),
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


def new_consumer(bootstrap: str, group_id: str | None = None) -> Any:
    ensure_listening(bootstrap)
    made = KafkaConsumer(
        **connection_options(bootstrap),
        group_id=group_id,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=SESSION_MS // 3,
        max_poll_records=POLL_FACTS_MAX,
        fetch_max_wait_ms=100,  # the embedded broker only looks for news twice in it; Apache Kafka answers at once
        allow_auto_create_topics=False,
    )
    _never_create_topics(made._cluster)
    return made


def topic_exists(bootstrap: str, topic: str) -> bool:
    """Asked by a client of its own: a consumer's own question has no time limit."""
    ensure_listening(bootstrap)
    admin = KafkaAdminClient(**connection_options(bootstrap))
    try:
        return not admin.describe_topics([topic])[0]["error_code"]
    finally:
        admin.close()


def has_heard_of(consumer: Any, topic: str) -> bool:
    """Whether the topic was in the last metadata that came, without asking for new."""
    return bool(consumer._cluster.partitions_for_topic(topic))


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
