"""How facts are delivered to webhooks: at least once, under an id that stays the same, and only nearly in order.

A few calls to an endpoint are under way at a time, since it is far away: who needs the order has the position.

A delivery that fails is tried again over hours, and meanwhile its endpoint rests, so that one that is away holds up
nobody else. One that has failed for days is disabled, with a fact.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from application.clock import Clock
from application.parcels import Courier, DeliveryLedger, Parcel, Reached, Secrets, Unreached
from domain.webhook import Cause

RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""How long after each attempt the next is made; after the last there is none."""
FAILING_MAX = timedelta(days=3)
AGE_MAX = timedelta(days=6)
"""Older facts are not delivered: a ledger that was lost must not have everything sent again."""
REST_MAX = timedelta(minutes=5)
CALLS_MAX = 32
CALLS_PER_ENDPOINT_MAX = 4


Disable = Callable[[Parcel, Cause], Awaitable[None]]
Report = Callable[[Parcel, str, str], None]


@dataclass(slots=True, kw_only=True)
class Delivering:
    """Works the ledger off, at most ``CALLS_MAX`` calls at a time. ``clock`` is the one that facts are dated by."""

    ledger: DeliveryLedger
    secrets: Secrets
    courier: Courier
    disable: Disable
    clock: Clock
    report: Report
    _under_way: dict[asyncio.Task[None], UUID] = field(default_factory=dict)

    async def step(self) -> bool:
        """Begin what there is room for; False if there was nothing. Raises what an earlier call raised."""
        await self._make_room()
        endpoints = Counter(self._under_way.values())
        busy = [endpoint for endpoint, calls in endpoints.items() if calls >= CALLS_PER_ENDPOINT_MAX]
        room = CALLS_MAX - len(self._under_way)
        parcels = await self.ledger.take(room, per_endpoint=CALLS_PER_ENDPOINT_MAX, busy=busy) if room else ()
        for parcel in parcels:
            self._under_way[asyncio.create_task(self._deliver(parcel))] = parcel.webhook_id
        return bool(parcels)

    async def drain(self) -> None:
        """Wait for the calls that are under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._make_room()

    async def _make_room(self) -> None:
        if len(self._under_way) >= CALLS_MAX:
            await asyncio.wait(self._under_way, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        done = [call for call in self._under_way if call.done()]
        for call in done:
            del self._under_way[call]
        for call in done:
            call.result()

    async def _deliver(self, parcel: Parcel) -> None:
        if self.clock.now() - parcel.at > AGE_MAX:
            await self.ledger.dropped(parcel, "too_old")
            self.report(parcel, "dropped", "too_old")
            return
        secrets = await self.secrets.signing(parcel.organization_id, parcel.webhook_id)
        if not secrets:  # it is being made at this moment, or the endpoint is gone
            await self._failed(parcel, None, "no_secret")
            return
        match await self.courier.deliver(parcel, secrets):
            case Reached(status) if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES:
                await self.ledger.delivered(parcel, status)
                self.report(parcel, "delivered", "")
            case Reached(status):
                await self._failed(parcel, status, f"answered_{status}")
                if status == HTTPStatus.GONE:
                    await self.disable(parcel, Cause.GONE)
            case Unreached(reason):
                await self._failed(parcel, None, reason)

    async def _failed(self, parcel: Parcel, status: int | None, reason: str) -> None:
        tries_left = parcel.attempt <= len(RETRY_AFTER)
        again_after = RETRY_AFTER[parcel.attempt - 1] if tries_left else None
        failing_for = await self.ledger.failed(parcel, status=status, reason=reason, again_after=again_after)
        self.report(parcel, "retry" if tries_left else "failed", reason)
        if failing_for >= FAILING_MAX:
            await self.disable(parcel, Cause.FAILING)


def rest(failures: int) -> timedelta:
    """How long an endpoint is left alone after so many failures in a row."""
    return min(timedelta(seconds=2 ** min(failures, 20)), REST_MAX)
