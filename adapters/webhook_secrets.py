"""The secrets that webhooks are signed with, sealed as the vault seals: under a key of their own, itself sealed."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from adapters.vault import Seal
from adapters.walls import Walls
from application.clock import Clock

SECRET_BYTES = 32
PREFIX = "whsec_"
BOTH_FOR = timedelta(hours=24)
"""How long after a rotation what was told before is good, so that a receiver can change over."""
_NAME = "webhook secret"

_FIND = "SELECT version, wrapped_key, sealed FROM webhooks.secret WHERE webhook_id = %s AND organization_id = %s"
_SAVE = """
INSERT INTO webhooks.secret (webhook_id, organization_id, version, wrapped_key, sealed) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (webhook_id) DO UPDATE SET version = excluded.version, wrapped_key = excluded.wrapped_key,
    sealed = excluded.sealed WHERE secret.version < excluded.version
"""


class _Kept(msgspec.Struct):
    current: str
    previous: str | None = None
    previous_until: datetime | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Kept).decode


@dataclass(slots=True)
class PostgresWebhookSecrets:
    """The application's ``Secrets``. ``clock`` is the real one: receivers live by it."""

    walls: Walls
    seal: Seal
    clock: Clock

    async def keep(self, organization_id: UUID, webhook_id: UUID, version: int) -> str | None:
        async with self.walls.of(organization_id).transaction() as connection:
            known = await self._find(connection, organization_id, webhook_id)
            if known is None or known[0] < version:
                before = known[1].current if known else None
                kept = _Kept(new_secret(), before, self.clock.now() + BOTH_FOR if before else None)
                await connection.execute(_SAVE, self._row(organization_id, webhook_id, version, kept))
                # Of two who try at once one has saved; what is there now counts.
                known = await self._find(connection, organization_id, webhook_id)
        return known[1].current if known and known[0] == version else None

    async def signing(self, organization_id: UUID, webhook_id: UUID) -> Sequence[str]:
        async with self.walls.of(organization_id).transaction() as connection:
            known = await self._find(connection, organization_id, webhook_id)
        if known is None:
            return ()
        kept = known[1]
        if kept.previous and kept.previous_until and self.clock.now() < kept.previous_until:
            return (kept.current, kept.previous)
        return (kept.current,)

    async def _find(
        self, connection: AsyncConnection[Any], organization_id: UUID, webhook_id: UUID
    ) -> tuple[int, _Kept] | None:
        row = await (await connection.execute(_FIND, (webhook_id, organization_id))).fetchone()
        if row is None:
            return None
        version, wrapped_key, sealed = row
        return version, _decode(self.seal.open(sealed, wrapped_key, organization_id, webhook_id, _NAME))

    def _row(self, organization_id: UUID, webhook_id: UUID, version: int, kept: _Kept) -> tuple[object, ...]:
        wrapped_key = self.seal.new_key(organization_id, webhook_id)
        sealed = self.seal.seal(_encode(kept), wrapped_key, organization_id, webhook_id, _NAME)
        return webhook_id, organization_id, version, wrapped_key, sealed


def new_secret() -> str:
    """As Standard Webhooks writes it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
