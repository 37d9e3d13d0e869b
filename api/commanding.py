"""What every command over HTTP has in common: who, which command, what it must not have missed; and its answer."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

import msgspec
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from api.identity import actor_of_request
from api.ports import Ports, ports_of
from api.problems import Rejected
from api.tracing import traceparent_of
from application.decision import UseCase
from application.writer import Answer
from domain.permissions import Actor

ANY_VERSION = None
NO_VERSION = 0
"""What an ETag that is not one of ours stands for: streams begin with version 1."""
ANONYMOUS = UUID("0b7a7c52-7d6c-4c06-8f5b-8f0c6f1fd1a4")
"""Stands where an account's id would, in the command ids of those who have none yet."""

_ETAG = re.compile(r'"v([1-9]\d{0,17})"', re.ASCII)
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(slots=True)
class Call:
    """One command as it was sent. ``fingerprint`` is a keyed digest of the request, so it gives nothing away."""

    ports: Ports
    command_id: UUID
    fingerprint: bytes
    traceparent: str
    path: str
    _actor: Actor | None = field(default=None)

    @property
    def actor(self) -> Actor:
        assert self._actor is not None
        return self._actor

    @property
    def reads(self) -> Any:
        """Where queries are asked: it shows the rows of this organization, whatever a query asks for."""
        return self.ports.reads.of(self.actor.organization_id)

    def by(self, actor: Actor) -> "Call":
        """The same call, once it is known on whose behalf."""
        return replace(self, _actor=actor)

    def new_id(self, what: str) -> UUID:
        """The id of an object that this command makes; a retry makes the same."""
        return uuid5(self.command_id, what)

    def new_subject_id(self, what: str) -> UUID:
        """The same for what has data in the vault, where it is stored before the command is decided.

        Another request under the same key is refused, but its data would be stored first: not over the other's.
        """
        return uuid5(self.command_id, f"{what} {self.fingerprint.hex()}")

    async def submit(self, use_case: UseCase[Any], command: object, *, actor: Actor | None = None) -> Answer:
        """Raises what ``Writer.submit`` does."""
        return await self.ports.writer.submit(
            use_case,
            command,
            actor=actor or self.actor,
            command_id=self.command_id,
            fingerprint=self.fingerprint,
            traceparent=self.traceparent,
        )


# Each is ONE dependency that calls what it needs: FastAPI takes as long for a dependency as a decision does.
async def _keyed(request: Request) -> Call:
    return await call_of(request, actor_of_request(request), idempotency_key(request))


async def _keyed_if_given(request: Request) -> Call:
    return await call_of(request, actor_of_request(request), idempotency_key(request, required=False))


async def _keyed_anonymous(request: Request) -> Call:
    return await call_of(request, None, idempotency_key(request))


Commanded = Annotated[Call, Depends(_keyed)]
"""A POST: signed in, with an Idempotency-Key."""
Changed = Annotated[Call, Depends(_keyed_if_given)]
"""A PATCH, PUT or DELETE: the key is optional, since doing it again does no harm."""
AnonymouslyCommanded = Annotated[Call, Depends(_keyed_anonymous)]
"""A POST by someone who has no account yet."""


async def call_of(request: Request, actor: Actor | None, key: str | None) -> Call:
    ports = ports_of(request)
    return Call(
        ports=ports,
        command_id=uuid5(actor.account_id if actor else ANONYMOUS, key) if key is not None else uuid4(),
        fingerprint=_fingerprint(ports.digest_secret, request, await request.body()),
        traceparent=traceparent_of(request),
        path=request.scope["path"],
        _actor=actor,
    )


def idempotency_key(request: Request, *, required: bool = True) -> str | None:
    """Raises ``Rejected`` where it is missing or not a key."""
    key = request.headers.get("idempotency-key")
    if key is None and not required:
        return None
    if key is None or not _KEY.fullmatch(key):
        raise Rejected(
            "idempotency-key-missing", "Send an Idempotency-Key header of 1 to 255 visible ASCII characters."
        )
    return key


def _fingerprint(secret: bytes, request: Request, body: bytes) -> bytes:
    digest = hashlib.blake2b(key=secret[: hashlib.blake2b.MAX_KEY_SIZE], digest_size=32)
    # Not of ``request.url``: making that takes longer than all of this.
    asked = request.scope
    digest.update(f"{asked['method']} {asked['path']}?".encode())
    digest.update(asked["query_string"] + b"\n" + _canonical(body))
    return digest.digest()


def _canonical(body: bytes) -> bytes:
    """The same bytes for the same JSON: a retry may write its members in another order."""
    try:
        return msgspec.json.encode(msgspec.json.decode(body), order="deterministic")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return body


def _if_match(request: Request) -> int | None:
    """The version that the client saw; None for ``*``. Raises ``Rejected`` where there is no If-Match."""
    given = request.headers.get("if-match")
    if given is None:
        raise Rejected("if-match-missing", 'Send If-Match with the ETag that you last saw, such as "v7".')
    given = given.strip()
    if given == "*":
        return ANY_VERSION
    found = _ETAG.fullmatch(given)
    if found:
        return int(found[1])
    if given.startswith(('"', "W/")):
        return NO_VERSION
    raise Rejected("malformed-request", 'If-Match takes an ETag such as "v7".')


async def _required_version(request: Request) -> int | None:
    return _if_match(request)


IfMatch = Annotated[int | None, Depends(_required_version)]


async def _version_if_given(request: Request) -> int | None:
    return _if_match(request) if "if-match" in request.headers else ANY_VERSION


IfMatchIfGiven = Annotated[int | None, Depends(_version_if_given)]


class _Versioned(msgspec.Struct):
    version: int | None = None


_VERSION = msgspec.json.Decoder(_Versioned)


def answered(
    answer: Answer,
    *,
    status: int = 200,
    location: str | None = None,
    besides: Mapping[str, object] | None = None,
) -> Response:
    """The writer's bytes as they are; or, with ``besides``, joined by what the journal must not know."""
    headers = {"Journal-Position": str(answer.position)}
    version = _VERSION.decode(answer.body).version
    if version is not None:
        headers["ETag"] = f'"v{version}"'
    if answer.replayed:
        headers["Idempotent-Replay"] = "true"
    if location is not None:
        headers["Location"] = location
    body = answer.body
    if besides:
        body = msgspec.json.encode({**msgspec.json.decode(body), **besides})
    return Response(body, status, headers, "application/json")
