"""HTTP as a client that is mistreated speaks it: one connection, one request at a time; what is not known is said."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_WITHIN_S = 6.0


class Unknown(Exception):  # noqa: N818
    """No answer came: whether it was done cannot be known."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def position(self) -> int | None:
        told = self.headers.get("journal-position")
        return int(told) if told else None


class Line:
    """A connection to one API process, opened anew where it broke."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, *, token: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises ``Unknown``."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None:
            lines.append("Content-Type: application/json")
        if method != "GET":
            lines.append(f"Content-Length: {len(content)}")
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._exchange("\r\n".join([*lines, "", ""]).encode() + content)
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError) as lost:
            self.hang_up()
            raise Unknown(repr(lost)) from None

    def hang_up(self) -> None:
        if self._streams:
            with suppress(RuntimeError):
                self._streams[1].transport.abort()
        self._streams = None

    async def _exchange(self, request: bytes) -> Answer:
        if self._streams is None:
            address = urlsplit(self.url)
            self._streams = await asyncio.open_connection(address.hostname, address.port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.hang_up()
        return Answer(int(head[0].split()[1]), headers, json.loads(content) if content else None)
