"""``daybook fake-provider``: the stand-in for Twilio, SendGrid and Firebase."""

import sys
from pathlib import Path

from infra.program import free_port
from infra.provider_fake import serve_fake
from infra.provider_reporting import Reporting


def run(port: int, events_url: str | None, events_key: Path | None) -> int:
    """Until SIGTERM or SIGINT. ``port`` 0: any free one."""
    port = port or free_port()
    sys.stdout.write(f"outbox: http://127.0.0.1:{port}/\n")
    sys.stdout.flush()
    pem = events_key.read_bytes() if events_key else None
    serve_fake("127.0.0.1", port, Reporting(events_url=events_url, events_key_pem=pem))
    return 0
