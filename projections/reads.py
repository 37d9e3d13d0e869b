"""Where queries get connections from: a pool, or the part of one that shows one organization (``adapters.walls``)."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol
from uuid import UUID


class Reads(Protocol):
    def connection(self) -> AbstractAsyncContextManager[Any]:
        """A connection in autocommit, whose ``execute`` is psycopg's."""


class WalledReads(Reads, Protocol):
    def of(self, *organization_ids: UUID) -> Reads:
        """Connections that see these organizations' rows. ``connection`` itself sees nobody's."""
