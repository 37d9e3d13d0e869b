"""Beside the requests of ``daybook serve``: whoever never proved their contact is forgotten, by one process."""

import asyncio

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from api.ports import Ports
from application.forgetting import forget_unproved
from application.journal import JournalUnavailable
from application.retrying import retry_delay_s

LOOK_EVERY_S = 5.0

_log = structlog.get_logger("forgetter")


async def forgetting(ports: Ports, every_s: float = LOOK_EVERY_S) -> None:
    """Round after round, until cancelled."""
    failures = 0
    while True:
        try:
            looked_at = await forget_unproved(ports.unproved, ports.journal, ports.vault, now=ports.clock.now())
            wait_s, failures = (0.0 if looked_at else every_s), 0
        except (psycopg.Error, PoolTimeout, JournalUnavailable) as lost:
            failures += 1
            wait_s = retry_delay_s(failures, every_s)
            _log.warning("forgetting.unavailable", error=type(lost).__name__, retry_after_s=round(wait_s, 1))
        await asyncio.sleep(wait_s)
