"""Connections to the internet at large and nowhere else: for addresses that others give us (request forgery).

A name is looked up once. If any of its addresses is not public nothing is connected to; else the connection goes to
exactly an address that was judged, so an answer that changes in between (DNS rebinding) is never asked for. TLS and
the Host header keep the name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore

from domain.public_address import Address, is_loopback, is_public

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Raises ``OSError``."""


class NotPublic(httpcore.ConnectError):
    """The host has an address that nobody outside may have us connect to."""


class Unresolvable(httpcore.ConnectError):
    """There is no such host, or nobody can say at the moment."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """``loopback_allowed``: this machine too, for development. ``dial`` connects to an address that was judged."""

    def __init__(
        self,
        *,
        loopback_allowed: bool = False,
        resolve: Resolve = system_resolve,
        dial: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._loopback_allowed = loopback_allowed
        self._resolve = resolve
        self._dial = dial or httpcore.AnyIOBackend()

    def connections(self, calls_max: int, trusted: ssl.SSLContext | None = None) -> httpcore.AsyncConnectionPool:
        """A pool that reaches nothing but what is judged here, ``calls_max`` at a time."""
        return httpcore.AsyncConnectionPool(
            ssl_context=trusted or httpcore.default_ssl_context(),
            max_connections=calls_max,
            max_keepalive_connections=calls_max,
            keepalive_expiry=30.0,
            network_backend=self,
        )

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception = Unresolvable(host)
        for address in await self._judged(host, port):
            try:
                return await self._dial.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as unreachable:
                failed = unreachable
        raise failed

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise NotPublic(path)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _judged(self, host: str, port: int) -> Sequence[Address]:
        """Raises ``NotPublic``, ``Unresolvable``."""
        try:
            # A scope ("%eth0") belongs to a link-local address: without it the address can be judged.
            found = [ip_address(text.partition("%")[0]) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError, ValueError) as unknown:
            raise Unresolvable(host) from unknown
        if not all(is_public(one) or (self._loopback_allowed and is_loopback(one)) for one in found):
            raise NotPublic(host)
        return found
