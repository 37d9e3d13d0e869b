"""A way to PostgreSQL that can be cut at the worst moment: when the server has answered, before anyone heard it."""

import asyncio
import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class SeveredPostgres:
    """A proxy on a Unix socket. ``url`` leads through it to the server of ``behind``."""

    def __init__(self, behind: str) -> None:
        self._behind = behind
        parts = conninfo_to_dict(behind)
        self._socket = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"
        self._directory = TemporaryDirectory(dir="/tmp")
        self._swallow = False
        self._links: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return make_conninfo(self._behind, host=self._directory.name, port=5432)

    def swallow_next_answer(self) -> None:
        """The server will do as it is asked next; its answer is lost and the connection cut."""
        self._swallow = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._link, Path(self._directory.name) / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        self._directory.cleanup()

    async def _link(self, client_reads: asyncio.StreamReader, client_hears: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._links.add(task)
        server_reads, server_hears = await asyncio.open_unix_connection(self._socket)
        asking = asyncio.create_task(self._forward(client_reads, server_hears))
        try:
            while answer := await server_reads.read(65_536):
                if self._swallow:
                    self._swallow = False
                    break
                client_hears.write(answer)
        finally:
            asking.cancel()
            client_hears.close()
            server_hears.close()
            self._links.discard(task)

    async def _forward(self, reads: asyncio.StreamReader, hears: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while question := await reads.read(65_536):
                hears.write(question)
