"""Everything that the API needs of the world outside, composed once in infra."""

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from starlette.requests import HTTPConnection

from application.clock import Clock
from application.journal import Journal
from application.sign_in import Door
from application.slots import Sources
from application.vault import Vault
from application.writer import Writer


class ReadFence(Protocol):
    """Waits for the read models (see ``api.position``)."""

    async def reached(self, sink: str, organization_id: UUID, position: int) -> bool: ...

    async def pass_or_raise(self, sink: str, organization_id: UUID, header: str | None) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """``reads`` is the pool of connections that the read models' queries ask for; only they look into it.

    ``digest_secret`` keys the fingerprints of requests. ``public_url`` has no slash at its end.
    """

    journal: Journal
    writer: Writer
    reads: Any
    vault: Vault
    clock: Clock
    slots: Sources
    door: Door
    fence: ReadFence
    digest_secret: bytes
    public_url: str


def ports_of(connection: HTTPConnection) -> Ports:
    """The ports of the app that serves this request or socket."""
    ports: Ports = connection.app.state.ports
    return ports
