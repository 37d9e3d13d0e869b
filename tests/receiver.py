"""A receiver of webhooks: a real HTTP server that keeps what it was sent and answers as it is told."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any

from standardwebhooks.webhooks import Webhook

Answer = int | Callable[[BaseHTTPRequestHandler], object]
"""A status, or whatever a test wants to do to the connection."""


@dataclass(frozen=True)
class Got:
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """What it says, if ``secret`` signed it. Raises ``WebhookVerificationError``."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """``answers`` are given one after another, 200 when there are none left."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", "0"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(headers, request.rfile.read(length)))
        answer = self.answers.popleft() if self.answers else 200
        if not isinstance(answer, int):
            answer(request)
            return
        request.send_response(answer)
        request.send_header("Content-Length", "0")
        request.end_headers()


@contextmanager
def receiving(tls: SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.answer(self)

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """A client that gives up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
