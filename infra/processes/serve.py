"""``daybook serve``: HTTP and WebSocket, one process, one event loop."""

import asyncio
import os
import signal
import socket

import psycopg
import psycopg_pool
import uvicorn
import uvloop
from fastapi import FastAPI

from infra.beside import beside
from infra.composition import NotMigrated
from infra.http_protocol import BoundedHttp
from infra.process import begun, cannot, end_in_time
from infra.serving import composed
from infra.settings import Settings, SettingsError, variable

FINISH_WITHIN_S = 10
"""How long requests may still take after a signal."""
FRAME_BYTES_MAX = 2**20
"""uvicorn's bound on what it buffers; the protocol's own is 64 KiB and says so in words."""
IDLE_S = 65
"""Longer than the load balancers in front, or they would reuse what we have just closed."""


def run() -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("serve")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except (NotMigrated, psycopg.OperationalError, psycopg_pool.PoolTimeout) as failed:
        return cannot("serve", failed)
    return 0


async def _serve(settings: Settings) -> None:
    # uvicorn raises the signal again once it has finished: the answer to that is that we have.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end_in_time())
    with _listening(settings) as listening:
        async with composed(settings) as served, beside(served.beside):
            await uvicorn.Server(uvicorn_config(served.app)).serve(sockets=[listening])


def _listening(settings: Settings) -> socket.socket:
    """Bound before anything else is opened. Raises ``SettingsError``."""
    host, port = settings.api_host, settings.api_port
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as taken:
        raise SettingsError(f"{variable('api_port')}: {os.strerror(taken.errno or 0)}: {host} {port}") from None


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    """How ``app`` is served. What is compared with Daybook runs by it too."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttp,
        # Whom a proxy speaks for is worked out by ``api.client_address``, and only from proxies that are ours.
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=FINISH_WITHIN_S,
        timeout_keep_alive=IDLE_S,
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
    )
