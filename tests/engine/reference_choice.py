"""Whom the second engine would choose, by the plain meaning of each strategy."""

from collections.abc import Collection
from uuid import UUID

from domain.pool import Strategy
from domain.service import Requirement, Terms
from tests.engine.reference import House, Taken, day_of
from tests.engine.reference_rules import candidates, claim_of, reasons_against


def chosen(
    house: House, terms: Terms, start: int, taken: Taken, preferred: Collection[UUID] = ()
) -> tuple[UUID, ...] | None:
    """For each requirement in turn its best candidate that is left; None if that leads nowhere, and others must do."""
    found: list[UUID] = []
    for place, ones in enumerate(candidates(house, terms)):
        listed = _by_turn(house, terms.requirements[place], ones)
        able = [one for one in listed if not set(reasons_against(house, terms, place, one, start, taken))]
        liked = [one for one in able if one in preferred]
        others = _ranked(house, terms, place, [one for one in able if one not in preferred], start, taken)
        best = next((one for one in [*liked, *others] if one not in found), None)
        if best is None:
            return None
        found.append(best)
    return tuple(found)


def turns_after(house: House, terms: Terms, by: Collection[UUID], preferred: Collection[UUID]) -> dict[UUID, UUID]:
    """Whose turn it was in each round-robin pool, once these have been chosen."""
    turns = {}
    for need, resource_id in zip(terms.requirements, by, strict=True):
        by_turn = need.pool_id is not None and house.pools[need.pool_id].strategy is Strategy.ROUND_ROBIN
        if need.pool_id is not None and by_turn and resource_id not in preferred:
            turns[need.pool_id] = resource_id
    return turns


def _by_turn(house: House, need: Requirement, ones: list[UUID]) -> list[UUID]:
    """Of a round-robin pool those first who come after the one that was taken last."""
    if need.pool_id is None or house.pools[need.pool_id].strategy is not Strategy.ROUND_ROBIN:
        return ones
    listed, last = house.pools[need.pool_id].resource_ids, house.pools[need.pool_id].last
    first = listed.index(last) + 1 if last in listed else 0
    return [one for one in listed[first:] + listed[:first] if one in ones]


def _ranked(house: House, terms: Terms, place: int, able: list[UUID], start: int, taken: Taken) -> list[UUID]:
    need: Requirement = terms.requirements[place]
    if need.pool_id is None:
        return able
    pool = house.pools[need.pool_id]
    match pool.strategy:
        case Strategy.PRIORITY | Strategy.ROUND_ROBIN:
            return able
        case Strategy.LEAST_LOADED:
            return sorted(able, key=lambda one: _load(house, terms, one, start, taken))
        case Strategy.BEST_FIT:
            return sorted(able, key=lambda one: _stretch(house, terms, need.quantity, one, start, taken))


def _days(house: House, terms: Terms, resource_id: UUID, start: int) -> set[object]:
    """The dates, where the resource is, of the visit with its buffers."""
    zone = house.resources[resource_id].time_zone
    return {day_of(zone, minute) for minute in range(*claim_of(terms, start))}


def _load(house: House, terms: Terms, resource_id: UUID, start: int, taken: Taken) -> int:
    """Quantity times minutes that is taken on these dates."""
    days, zone = _days(house, terms, resource_id, start), house.resources[resource_id].time_zone
    return sum(
        quantity for (one, minute), quantity in taken.items() if one == resource_id and day_of(zone, minute) in days
    )


def _stretch(house: House, terms: Terms, quantity: int, resource_id: UUID, start: int, taken: Taken) -> int:
    """The minutes around the visit, on these dates, that are open and free without a gap."""
    resource = house.resources[resource_id]
    days = _days(house, terms, resource_id, start)

    def is_free(minute: int) -> bool:
        return (
            day_of(resource.time_zone, minute) in days
            and not resource.closed_at(minute)
            and taken[resource_id, minute] + quantity <= resource.capacity
        )

    first, last = claim_of(terms, start)
    while is_free(first - 1):
        first -= 1
    while is_free(last):
        last += 1
    return last - first
