"""What all clients of a Kafka broker have in common, with every default that is wrong for us said."""

import logging
import socket
from typing import Any

from adapters.kafka_tls import KafkaTls

SESSION_MS = 6_000
ANSWER_WITHIN_MS = 5_000
ANSWER_WITHIN_S = ANSWER_WITHIN_MS / 1_000
ACKNOWLEDGED_WITHIN_MS = 10_000

_logger = logging.getLogger("librdkafka")


def connection_options(bootstrap: str, tls: KafkaTls | None = None) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "client.id": "daybook",
        # Else a follower that finds an empty broker would create the topic, with as many partitions as that broker
        # pleases, and the relay could only refuse it.
        "allow.auto.create.topics": False,
        "topic.metadata.refresh.interval.ms": 10_000,
        "reconnect.backoff.max.ms": 1_000,
        "logger": _logger,
        **(tls.for_librdkafka() if tls else {}),
    }


def ensure_listening(bootstrap: str) -> None:
    """Raises ``OSError``. A client that finds no broker goes on trying and says so each time: ask first."""
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
