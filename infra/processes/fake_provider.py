"""``daybook fake-provider``: the stand-in for Twilio, SendGrid and Firebase."""

import sys

from infra.program import free_port
from infra.provider_fake import serve_fake


def run(port: int) -> int:
    """Until SIGTERM or SIGINT. ``port`` 0: any free one."""
    port = port or free_port()
    sys.stdout.write(f"outbox: http://127.0.0.1:{port}/\n")
    sys.stdout.flush()
    serve_fake("127.0.0.1", port)
    return 0
