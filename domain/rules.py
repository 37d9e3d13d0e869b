"""The rules that a booking is held against, by name: for explanations, and for staff who override one."""

from collections.abc import Iterable
from enum import StrEnum

from domain.refusals import (
    BookingLimitReached,
    ClosedForHoliday,
    CustomerElsewhere,
    NothingOffersThis,
    OffGrid,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceRetired,
    SessionFull,
    SlotTaken,
    TooFarAhead,
    TooSoon,
)


class Rule(StrEnum):
    MIN_NOTICE = "min_notice"
    MAX_ADVANCE = "max_advance"
    SUITABLE_RESOURCE = "suitable_resource"
    """Some resource meets the requirement and serves no other one of the visit."""
    ONE_REQUIREMENT = "one_requirement"
    """A resource serves one requirement of a visit. Named only where it blocks."""
    SLOT_GRID = "slot_grid"
    RETIREMENT = "retirement"
    CLOSURES = "closures"
    HOLIDAYS = "holidays"
    WORKING_HOURS = "working_hours"
    CAPACITY = "capacity"
    SEATS = "seats"
    BOOKING_LIMITS = "booking_limits"
    CUSTOMER_OVERLAP = "customer_overlap"


_RULES: dict[type[Refusal], Rule] = {
    TooSoon: Rule.MIN_NOTICE,
    TooFarAhead: Rule.MAX_ADVANCE,
    NothingOffersThis: Rule.SUITABLE_RESOURCE,
    OffGrid: Rule.SLOT_GRID,
    ResourceRetired: Rule.RETIREMENT,
    ResourceClosed: Rule.CLOSURES,
    ClosedForHoliday: Rule.HOLIDAYS,
    OutsideWorkingHours: Rule.WORKING_HOURS,
    SlotTaken: Rule.CAPACITY,
    SessionFull: Rule.SEATS,
    BookingLimitReached: Rule.BOOKING_LIMITS,
    CustomerElsewhere: Rule.CUSTOMER_OVERLAP,
}

OF_WHEN_AND_WHERE = tuple(_RULES)
"""The refusals that speak for a rule: another start may do."""

OVERRIDABLE = frozenset(
    {
        Rule.MIN_NOTICE,
        Rule.MAX_ADVANCE,
        Rule.SLOT_GRID,
        Rule.CLOSURES,
        Rule.HOLIDAYS,
        Rule.WORKING_HOURS,
        Rule.BOOKING_LIMITS,
        Rule.CUSTOMER_OVERLAP,
    }
)
"""What is a matter of policy. What is taken stays taken, what is gone stays gone, and the past is past."""


def rule_of(refusal: Refusal) -> Rule | None:
    """The rule that a refusal speaks for; None for one that is no rule about when and where."""
    return _RULES.get(type(refusal))


def ensure_besides(waived: frozenset[Rule], reasons: Iterable[Refusal]) -> frozenset[Rule]:
    """Raises the first of ``reasons`` whose rule is not ``waived``; returns the rules that would have refused."""
    broken: set[Rule] = set()
    for reason in reasons:
        rule = rule_of(reason)
        if rule is None or rule not in waived:
            raise reason
        broken.add(rule)
    return frozenset(broken)
