"""The diary page of one resource on one local date: the consistency boundary of conflicts."""

from collections.abc import Mapping, ValuesView
from dataclasses import field
from datetime import date, datetime
from functools import lru_cache
from typing import assert_never
from uuid import UUID, uuid5

from domain.fact import Fact, fact
from domain.interval import Interval
from domain.refusals import SlotTaken
from domain.value import value

PAGE_IDS_KEPT = 16_384
"""Their digests cost more than the rest of a decision, and the same pages are asked for again and again: those of a
pool of two hundred in the next weeks, say."""
PAGE_ID_BYTES = 400
"""What one that is kept takes, with what it was made from."""


@fact("resource_day.slot_claimed.v1")
class SlotClaimed(Fact):
    """``claim`` includes buffers and is clipped to the local date, so the pages of a claim add up to it.

    ``until`` is a hold's deadline; a claim past it blocks no one. Claimed again by the same
    appointment, the new claim replaces the old.
    """

    resource_id: UUID
    day: date
    appointment_id: UUID
    claim: Interval
    quantity: int
    until: datetime | None = None


@fact("resource_day.claim_released.v1")
class ClaimReleased(Fact):
    resource_id: UUID
    day: date
    appointment_id: UUID
    claim: Interval
    quantity: int


ResourceDayFact = SlotClaimed | ClaimReleased


@value(frozen=True, slots=True)
class Claim:
    appointment_id: UUID
    interval: Interval
    quantity: int
    until: datetime | None

    def blocks_at(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@value(frozen=True, slots=True, kw_only=True)
class ResourceDay:
    resource_id: UUID
    day: date
    claim_by_appointment: Mapping[UUID, Claim] = field(default_factory=dict)

    @property
    def claims(self) -> ValuesView[Claim]:
        return self.claim_by_appointment.values()

    def claims_against(self, wanted: Interval, *, now: datetime, besides: UUID | None = None) -> list[Claim]:
        """The claims that count at some minute of ``wanted``, ``besides`` one appointment's own."""
        start, end = wanted.start, wanted.end
        # Spelt out, not ``overlaps``: on a full page this is what a decision does most.
        return [
            claim
            for claim in self.claims
            if claim.interval.start < end
            and start < claim.interval.end
            and claim.blocks_at(now)
            and claim.appointment_id != besides
        ]

    def peak_quantity(self, wanted: Interval, *, now: datetime, besides: UUID | None = None) -> int:
        """The greatest quantity claimed at any one minute of ``wanted``, ``besides`` one appointment's own."""
        steps: list[tuple[datetime, int]] = []
        for claim in self.claims_against(wanted, now=now, besides=besides):
            steps.append((claim.interval.start, claim.quantity))
            steps.append((claim.interval.end, -claim.quantity))
        level = peak = 0
        for _, change in sorted(steps):  # at one instant a release (negative) sorts before a claim: half-open
            level += change
            peak = max(peak, level)
        return peak

    def claim_of(self, appointment_id: UUID) -> Claim | None:
        return self.claim_by_appointment.get(appointment_id)


@lru_cache(PAGE_IDS_KEPT)
def page_id(resource_id: UUID, day: date) -> UUID:
    """The stream id of a diary page."""
    return uuid5(resource_id, day.isoformat())


def claim(page: ResourceDay, wanted: Claim, *, capacity: int, now: datetime) -> SlotClaimed:
    """Raises ``SlotTaken`` if ``wanted`` would exceed ``capacity`` at any minute."""
    peak = page.peak_quantity(wanted.interval, now=now, besides=wanted.appointment_id)
    if peak + wanted.quantity > capacity:
        raise SlotTaken(page.resource_id, wanted.interval)
    return SlotClaimed(
        resource_id=page.resource_id,
        day=page.day,
        appointment_id=wanted.appointment_id,
        claim=wanted.interval,
        quantity=wanted.quantity,
        until=wanted.until,
    )


def shorten(page: ResourceDay, appointment_id: UUID, until: datetime | None) -> SlotClaimed:
    """The appointment's claim with an earlier deadline: it takes nothing that it had not."""
    held = page.claim_of(appointment_id)
    assert held
    return SlotClaimed(
        resource_id=page.resource_id,
        day=page.day,
        appointment_id=appointment_id,
        claim=held.interval,
        quantity=held.quantity,
        until=until,
    )


def release(page: ResourceDay, appointment_id: UUID) -> ClaimReleased:
    """The release of the appointment's claim on this page."""
    held = page.claim_of(appointment_id)
    assert held
    return ClaimReleased(
        resource_id=page.resource_id,
        day=page.day,
        appointment_id=appointment_id,
        claim=held.interval,
        quantity=held.quantity,
    )


def evolve(state: ResourceDay | None, happened: ResourceDayFact) -> ResourceDay:
    claims = dict(state.claim_by_appointment) if state else {}
    match happened:
        case SlotClaimed():
            claims[happened.appointment_id] = Claim(
                happened.appointment_id, happened.claim, happened.quantity, happened.until
            )
        case ClaimReleased():
            claims.pop(happened.appointment_id, None)
        case _:
            assert_never(happened)
    return ResourceDay(resource_id=happened.resource_id, day=happened.day, claim_by_appointment=claims)
