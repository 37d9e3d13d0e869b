"""What the second engine says to a wish: every rule that stands in the way, found by trying everything out."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations, permutations, product
from uuid import UUID

from domain.refusals import (
    BookingLimitReached,
    ClosedForHoliday,
    CustomerElsewhere,
    InvalidValue,
    NothingOffersThis,
    OffGrid,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceNotSuitable,
    SessionFull,
    SlotTaken,
    TooFarAhead,
    TooSoon,
)
from domain.service import BookingLimit, Requirement, Terms
from tests.engine.reference import House, Resource, Taken, Visit, day_of, moment_of, wall

WAIVABLE: dict[str, type[Refusal]] = {
    "min_notice": TooSoon,
    "max_advance": TooFarAhead,
    "slot_grid": OffGrid,
    "closures": ResourceClosed,
    "holidays": ClosedForHoliday,
    "working_hours": OutsideWorkingHours,
    "booking_limits": BookingLimitReached,
    "customer_overlap": CustomerElsewhere,
}


NOBODY_LEFT: frozenset[type[Refusal]] = frozenset({NothingOffersThis, ResourceNotSuitable})


@dataclass(frozen=True, kw_only=True)
class Wish:
    """``own``: the visit that is to be moved. ``is_offer``: nobody's hold is given back for it."""

    service_id: UUID
    customer_id: UUID | None
    start: int
    resource_ids: tuple[UUID, ...] = ()
    seats: int = 1
    own: UUID | None = None
    is_offer: bool = False
    waived: frozenset[str] = frozenset()


@dataclass
class Verdict:
    """``against``: what refuses it. ``broken``: what would, were it not waived, but for what concerns resources alone.

    ``joins``: those in whose session it would sit. ``returned``: the customer's holds that it would give back.
    ``plain``: whether resources are found without waiving anything. ``taken`` is what is taken by all others.
    ``refusable``: as the engine fixes first of all which requirement is met by a resource that the client names, it may
    refuse for these what would do if that resource met another.
    """

    against: set[type[Refusal]]
    broken: set[str]
    joins: list[Visit]
    returned: list[Visit]
    plain: bool
    taken: Taken
    refusable: frozenset[type[Refusal]] = frozenset()


def judge(house: House, wish: Wish, taken: Taken | None = None) -> Verdict:
    """``taken``: by all others, if that is known already."""
    terms = house.services[wish.service_id]
    returned = [] if wish.is_offer else list(_own_holds(house, wish, terms))
    besides = [visit.id for visit in returned] + ([wish.own] if wish.own else [])
    verdict = Verdict(set(), set(), [], returned, True, house.taken(besides=besides) if taken is None else taken)
    if not 1 <= wish.seats <= terms.seats:
        verdict.against.add(InvalidValue)
        return verdict
    if moment_of(wish.start) < house.now:
        verdict.against.add(TooSoon)
    _weigh(verdict, wish, set(_untimely(house, wish, terms)))
    if terms.seats > 1:
        # Somebody who moves within a session does not leave it first.
        others = [visit.id for visit in returned]
        verdict.joins = house.seated((wish.service_id, wish.start), besides=others)
    if verdict.joins:
        _judge_seats(house, wish, verdict, besides)
    else:
        verdict.against |= _judge_resources(house, wish, terms, verdict)
    _weigh(verdict, wish, set(_busy(house, wish, terms, besides)))
    return verdict


def _weigh(verdict: Verdict, wish: Wish, reasons: set[type[Refusal]]) -> None:
    for name, reason in WAIVABLE.items():
        if reason in reasons and name in wish.waived:
            verdict.broken.add(name)
            reasons.discard(reason)
    verdict.against |= reasons


def _untimely(house: House, wish: Wish, terms: Terms) -> Iterator[type[Refusal]]:
    start = moment_of(wish.start)
    if start < house.now + timedelta(minutes=terms.min_notice_min):
        yield TooSoon
    if start > house.now + timedelta(days=terms.max_advance_days):
        yield TooFarAhead


def _own_holds(house: House, wish: Wish, terms: Terms) -> Iterator[Visit]:
    for visit in house.standing():
        if visit.customer_id == wish.customer_id and visit.status == "held" and visit.entry_id is None:
            same = visit.service_id == wish.service_id and visit.start == wish.start
            meets = visit.start < wish.start + terms.duration_min and wish.start < visit.end
            apart = meets and not (terms.customer_overlap_allowed or visit.may_overlap)
            if visit.id != wish.own and (same or apart):
                yield visit


def _busy(house: House, wish: Wish, terms: Terms, besides: Collection[UUID]) -> Iterator[type[Refusal]]:
    for visit in house.standing(besides=besides):
        meets = visit.start < wish.start + terms.duration_min and wish.start < visit.end
        apart = meets and not (terms.customer_overlap_allowed or visit.may_overlap)
        if visit.customer_id == wish.customer_id and apart:
            yield CustomerElsewhere
    for limit in terms.booking_limits:
        if sum(_counts(house, wish, limit, visit) for visit in house.standing(besides=besides)) >= limit.count:
            yield BookingLimitReached


def _counts(house: House, wish: Wish, limit: BookingLimit, visit: Visit) -> bool:
    if visit.service_id != wish.service_id:
        return False
    if limit.per == "customer" and visit.customer_id != wish.customer_id:
        return False
    if limit.per == "service" and not visit.counts_for_service:
        return False
    one, other = day_of(house.time_zone, visit.start), day_of(house.time_zone, wish.start)
    match limit.period.value:
        case "day":
            return one == other
        case "week":
            return one.isocalendar()[:2] == other.isocalendar()[:2]
        case _:
            return (one.year, one.month) == (other.year, other.month)


def _judge_seats(house: House, wish: Wish, verdict: Verdict, besides: Collection[UUID]) -> None:
    of_it = verdict.joins[0]
    allotted = [resource_id for resource_id, _ in of_it.takes]
    if any(wanted not in allotted for wanted in wish.resource_ids):
        verdict.against.add(ResourceNotSuitable)
    for resource_id in allotted:
        reasons = set(closed_within(house.resources[resource_id], of_it.begins, of_it.ends))
        _weigh(verdict, wish, reasons)
    seated = sum(visit.seats for visit in verdict.joins if visit.id not in besides)
    if seated + wish.seats > of_it.session_seats:
        verdict.against.add(SessionFull)


def candidates(house: House, terms: Terms) -> list[list[UUID]]:
    """For each requirement who suits it. Whoever is named by one serves no other."""
    named = {need.resource_id for need in terms.requirements}
    return [
        [one for one in _suiting(house, need) if one == need.resource_id or one not in named]
        for need in terms.requirements
    ]


def _suiting(house: House, need: Requirement) -> list[UUID]:
    if need.resource_id is not None:
        return [need.resource_id]
    if need.kind is not None:
        return [resource.id for resource in house.resources.values() if resource.kind == need.kind]
    assert need.pool_id is not None
    return house.pools[need.pool_id].resource_ids


def _judge_resources(house: House, wish: Wish, terms: Terms, verdict: Verdict) -> set[type[Refusal]]:
    suiting = candidates(house, terms)
    wanted = wish.resource_ids
    places = permutations(range(len(suiting)), len(wanted))
    if not any(all(one in suiting[place] for one, place in zip(wanted, seats, strict=True)) for seats in places):
        return {ResourceNotSuitable}
    refused = {
        (place, one): set(reasons_against(house, terms, place, one, wish.start, verdict.taken))
        for place, ones in enumerate(suiting)
        for one in ones
    }
    waived = {WAIVABLE[name] for name in wish.waived}

    def is_met(by: tuple[UUID, ...], without: set[type[Refusal]]) -> bool:
        distinct = len(set(by)) == len(by) and set(wanted) <= set(by)
        return distinct and not any(refused[place, one] - without for place, one in enumerate(by))

    if any(sum(one in ones for ones in suiting) > 1 for one in wanted):
        verdict.refusable = frozenset(NOBODY_LEFT.union(*refused.values()) - waived)
    combined = list(product(*suiting))
    verdict.plain = any(is_met(by, set()) for by in combined)
    if verdict.plain or any(is_met(by, waived) for by in combined):
        return set()
    against = {reason for reasons in refused.values() for reason in reasons - waived}
    return against | ({NothingOffersThis} if too_few(suiting) else set())


def too_few(suiting: list[list[UUID]]) -> bool:
    """Whether some requirements have together fewer candidates than they are."""
    return any(
        len({one for ones in some for one in ones}) < count
        for count in range(1, len(suiting) + 1)
        for some in combinations(suiting, count)
    )


def reasons_against(
    house: House, terms: Terms, place: int, resource_id: UUID, start: int, taken: Taken
) -> Iterator[type[Refusal]]:
    """Why a resource cannot meet a requirement of a visit that starts then."""
    resource, quantity = house.resources[resource_id], terms.requirements[place].quantity
    shown = wall(resource.time_zone, start).now
    if (shown.hour * 60 + shown.minute) % terms.slot_step_min:
        yield OffGrid
    begins, ends = claim_of(terms, start)
    yield from closed_within(resource, begins, ends)
    if any(taken[resource_id, minute] + quantity > resource.capacity for minute in range(begins, ends)):
        yield SlotTaken


def closed_within(resource: Resource, begins: int, ends: int) -> Iterator[type[Refusal]]:
    for minute in range(begins, ends):
        yield from resource.closed_at(minute)


def claim_of(terms: Terms, start: int) -> tuple[int, int]:
    return start - terms.buffer_before_min, start + terms.duration_min + terms.buffer_after_min
