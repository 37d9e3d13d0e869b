"""Everything that the API needs of the world outside, composed once in infra."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from starlette.requests import HTTPConnection

from api.limits import RateLimits
from api.verified_tokens import VerifiedTokens
from application.access_log import AccessLog
from application.callbacks import CallbackReader, Reports
from application.clock import Clock
from application.holidays import HolidayCalendar
from application.journal import Journal
from application.machine_clients import ApiKeys
from application.manage_links import ManageLinks, UnprovedPeople
from application.oidc import Oidc
from application.one_time_codes import OneTimeCodes
from application.parcels import Secrets
from application.recurrences import Recurrences
from application.sign_in import Door
from application.sign_in_tries import Threshold
from application.slots import Sources
from application.vault import Vault
from application.writer import Writer


class ReadFence(Protocol):
    """Waits for the read models (see ``api.position``)."""

    async def reached(self, sink: str, organization_id: UUID, position: int, *, timeout_s: float = ...) -> bool: ...

    async def pass_or_raise(self, sink: str, organization_id: UUID, header: str | None) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """Other programs: providers that call back, by their names if they are configured, and endpoints of webhooks."""

    callbacks: Mapping[str, CallbackReader]
    reports: Reports
    webhook_secrets: Secrets
    loopback_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """``reads.of(an organization)`` is where the read models' queries are asked; by itself it shows nobody's rows.

    ``digest_secret`` keys the fingerprints of requests. ``outages`` are the exceptions by which the adapters and
    queries say that a server is away; they are answered as 503.
    """

    journal: Journal
    writer: Writer
    reads: Any
    vault: Vault
    codes: OneTimeCodes
    manage_links: ManageLinks
    unproved: UnprovedPeople
    clock: Clock
    slots: Sources
    recurrences: Recurrences
    holidays: HolidayCalendar
    door: Door
    api_keys: ApiKeys
    access_log: AccessLog
    limits: RateLimits
    threshold: Threshold
    verified: VerifiedTokens
    fence: ReadFence
    digest_secret: bytes
    partners: Partners
    oidc: Oidc
    outages: tuple[type[Exception], ...] = ()


def ports_of(connection: HTTPConnection) -> Ports:
    """The ports of the app that serves this request or socket."""
    ports: Ports = connection.app.state.ports
    return ports
