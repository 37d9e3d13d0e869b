"""A client program of the HTTP API: keeps trying where it is told to, with the same key, and signs in again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid5

import aiohttp

ATTEMPTS_MAX = 60
WAIT_S = 0.5
KEYS = UUID("6c3f4a52-0f6b-4c58-9d0e-2c8a1e4b7d10")
"""Idempotency keys are made of what a request is about, so that a second run of a step would do nothing twice."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any
    position: int | None

    @property
    def ok(self) -> bool:
        return self.status < 400

    @property
    def problem(self) -> str:
        """The problem document's short name, such as ``too-soon``; its words if it has none."""
        if not isinstance(self.body, dict):
            return f"status {self.status}"
        return str(self.body.get("type", "")).rpartition("/")[2] or str(self.body.get("title"))


class Unanswered(Exception):  # noqa: N818
    """The API kept failing, or answered what it should not."""


class Client:
    """One connection pool for everyone who signs in."""

    def __init__(self, url: str, *, connections_max: int = 64) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections_max))
        self.calls = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        key: str | None = None,
        position: int | None = None,
    ) -> Reply:
        """One request until it is answered; 503 and lost connections are tried again. Raises ``Unanswered``."""
        headers: dict[str, str] = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency-Key"] = str(uuid5(KEYS, key))
        if position is not None:
            headers["Journal-Position"] = str(position)
        last: object = None
        for _ in range(ATTEMPTS_MAX):
            self.calls += 1
            try:
                async with self._session.request(
                    method, self._url + path, json=json, data=form, params=query, headers=headers
                ) as answer:
                    body = await answer.json(content_type=None)
                    if answer.status == 503:
                        last = body
                        await asyncio.sleep(float(answer.headers.get("Retry-After", WAIT_S)))
                        continue
                    said = answer.headers.get("Journal-Position")
                    return Reply(answer.status, body, int(said) if said else None)
            except (aiohttp.ClientConnectionError, TimeoutError) as lost:
                last = lost
                await asyncio.sleep(WAIT_S)
        raise Unanswered(f"{method} {path}: {last}")


class Member:
    """Someone signed in to one organization."""

    def __init__(self, client: Client, email: str, password: str) -> None:
        self._client = client
        self._email = email
        self._password = password
        self._token: str | None = None
        self._signing_in = asyncio.Lock()

    async def call(self, method: str, path: str, **wanted: Any) -> Reply:
        """As ``Client.call``, signed in; an expired token is renewed once."""
        token = self._token or await self._sign_in(None)
        reply = await self._client.call(method, path, token=token, **wanted)
        if reply.status == 401:
            token = await self._sign_in(token)
            reply = await self._client.call(method, path, token=token, **wanted)
        return reply

    async def must(self, method: str, path: str, **wanted: Any) -> Reply:
        """As ``call``, for what cannot be refused. Raises ``Unanswered``."""
        reply = await self.call(method, path, **wanted)
        if not reply.ok:
            raise Unanswered(f"{method} {path}: {reply.status} {reply.body}")
        return reply

    async def _sign_in(self, expired: str | None) -> str:
        async with self._signing_in:
            if self._token is not None and self._token != expired:
                return self._token  # somebody else was here while we waited
            form = {"grant_type": "password", "username": self._email, "password": self._password}
            reply = await self._client.call("POST", "/v1/auth/token", form=form)
            if not reply.ok:
                raise Unanswered(f"sign-in of {self._email}: {reply.status} {reply.body}")
            self._token = str(reply.body["access_token"])
            return self._token
