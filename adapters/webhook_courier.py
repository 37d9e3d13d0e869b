"""Deliveries over HTTPS, signed as Standard Webhooks says, to public addresses only. No redirects, no proxy."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpcore
from standardwebhooks.webhooks import Webhook

from adapters.public_network import NotPublic, PublicNetwork, Unresolvable
from application.clock import Clock
from application.delivering import CALLS_MAX
from application.parcels import Parcel, Reached, Unreached

ANSWER_BYTES_MAX = 64 * 1024
CONNECT_WITHIN_S = 5.0
ANSWER_WITHIN_S = 15.0
"""From the look-up of the name to the last header of the answer, however slowly it trickles in."""
READ_WITHIN_S = 2.0
"""What an endpoint says besides its status is read, so that the connection can be used again, but not waited for."""
USER_AGENT = "Daybook-Webhooks/1"

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (NotPublic, "not_public"),
    (Unresolvable, "unresolvable"),
    (TimeoutError, "timed_out"),
    (httpcore.TimeoutException, "timed_out"),
    (httpcore.ConnectError, "unreachable"),
    (httpcore.UnsupportedProtocol, "no_http"),
    (httpcore.ProtocolError, "no_http"),
    (httpcore.NetworkError, "broken_off"),
)
"""The first that fits. What TLS has against a certificate is an ``httpcore.ConnectError`` too."""


@dataclass(slots=True)
class WebhookCourier:
    """The application's ``Courier``. ``clock`` is the real one: receivers compare it with theirs."""

    network: PublicNetwork
    clock: Clock
    trusted: ssl.SSLContext | None = None
    answer_within_s: float = ANSWER_WITHIN_S
    _connections: httpcore.AsyncConnectionPool = field(init=False)

    def __post_init__(self) -> None:
        self._connections = self.network.connections(CALLS_MAX, self.trusted)

    async def close(self) -> None:
        await self._connections.aclose()

    async def deliver(self, parcel: Parcel, secrets: Sequence[str]) -> Reached | Unreached:
        try:
            async with asyncio.timeout(self.answer_within_s):
                return Reached(await self._post(parcel.url, parcel.body, self._headers(parcel, secrets)))
        except tuple(kind for kind, _ in _REASONS) as failed:
            return Unreached(next(reason for kind, reason in _REASONS if isinstance(failed, kind)))

    async def _post(self, url: str, body: bytes, headers: Mapping[str | bytes, str | bytes]) -> int:
        within = {"connect": CONNECT_WITHIN_S, "read": self.answer_within_s, "write": self.answer_within_s}
        extensions = {"timeout": {**within, "pool": self.answer_within_s}}
        async with self._connections.stream(
            "POST", url, headers=headers, content=body, extensions=extensions
        ) as response:
            with suppress(TimeoutError, httpcore.ReadError, httpcore.ReadTimeout, httpcore.ProtocolError):
                async with asyncio.timeout(READ_WITHIN_S):
                    await _read(response)
            return int(response.status)

    def _headers(self, parcel: Parcel, secrets: Sequence[str]) -> Mapping[str | bytes, str | bytes]:
        now, text = self.clock.now(), parcel.body.decode()
        signatures = [Webhook(secret).sign(str(parcel.id), now, text) for secret in secrets]
        return {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": str(parcel.id),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


async def _read(response: httpcore.Response) -> None:
    """Up to the limit; a connection with more on it is closed."""
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            return
