"""Explanations tell every rule, name the facts that they rest on, and can be had of the past."""

from datetime import UTC, datetime, timedelta

import pytest

from application.booking import Reschedule, reschedule
from application.explaining import Reasons
from application.resource_times import (
    CloseResource,
    ReopenResource,
    SetWorkingHours,
    close_resource,
    reopen_resource,
    set_working_hours,
)
from application.visits import Cancel, cancel
from domain.account import Role
from domain.allocation import Allocation
from domain.permissions import Actor
from domain.refusals import (
    Forbidden,
    InvalidValue,
    NotFound,
    NothingOffersThis,
    OffGrid,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    SlotTaken,
    TooFarAhead,
    TooSoon,
)
from domain.rules import Rule
from domain.service import Requirement
from tests.dated_desk import DatedDesk
from tests.desk import HOUR, MINUTE, MONDAY, NINE, OFFICE_HOURS

A_DAY = timedelta(days=1)


@pytest.fixture
def desk() -> DatedDesk:
    return DatedDesk()


def blocking(reasons: Reasons) -> list[tuple[Rule, type[Refusal]]]:
    return [(one.finding.rule, type(one.finding.refusal)) for one in reasons.rules if one.finding.refusal]


def topics(reasons: Reasons, rule: Rule) -> list[list[str]]:
    return [[fact.fact.TOPIC for fact in one.facts] for one in reasons.rules if one.finding.rule is rule]


def test_a_free_start_is_allowed_by_every_rule_and_each_names_its_fact(desk: DatedDesk) -> None:
    room = desk.resource(shifts=OFFICE_HOURS)
    service = desk.service()

    reasons = desk.why(service)

    assert blocking(reasons) == []
    assert [(one.finding.rule, [fact.fact.TOPIC for fact in one.facts]) for one in reasons.rules] == [
        (Rule.MIN_NOTICE, ["service.offered.v1"]),
        (Rule.MAX_ADVANCE, ["service.offered.v1"]),
        (Rule.SUITABLE_RESOURCE, ["service.offered.v1"]),
        (Rule.SLOT_GRID, ["resource.added.v1", "service.offered.v1"]),
        (Rule.RETIREMENT, ["resource.added.v1"]),
        (Rule.CLOSURES, ["resource.added.v1"]),
        (Rule.HOLIDAYS, ["resource.added.v1"]),
        (Rule.WORKING_HOURS, ["resource.added.v1"]),
        (Rule.CAPACITY, ["resource.added.v1"]),
    ]
    assert isinstance(reasons.outcome, Allocation)
    assert [allotment.resource_id for allotment in reasons.outcome.allotments] == [room]


def test_all_that_is_in_the_way_is_told_not_only_the_first(desk: DatedDesk) -> None:
    room = desk.resource(shifts=OFFICE_HOURS)
    service = desk.service(min_notice_min=20 * 60)
    desk.booked(service, MONDAY + 4 * A_DAY + 16 * HOUR)
    start = MONDAY + 4 * A_DAY + 16 * HOUR + 40 * MINUTE
    for _ in range(2):
        desk.do(
            close_resource,
            CloseResource(resource_id=room, closure_id=desk.new_id(), start=start, end=start + HOUR),
            desk.owner,
        )
    desk.now = start - HOUR

    reasons = desk.why(service, start)

    assert blocking(reasons) == [
        (Rule.MIN_NOTICE, TooSoon),
        (Rule.SLOT_GRID, OffGrid),
        (Rule.CLOSURES, ResourceClosed),
        (Rule.CLOSURES, ResourceClosed),
        (Rule.WORKING_HOURS, OutsideWorkingHours),
        (Rule.CAPACITY, SlotTaken),
    ]
    assert isinstance(reasons.outcome, TooSoon)


def test_a_horizon_is_told_though_a_longer_notice_hides_it_from_booking(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service(min_notice_min=5 * 24 * 60, max_advance_days=1)

    reasons = desk.why(service, NINE + 2 * A_DAY)

    assert blocking(reasons) == [(Rule.MIN_NOTICE, TooSoon), (Rule.MAX_ADVANCE, TooFarAhead)]


def test_the_latest_fact_that_set_a_rule_is_named(desk: DatedDesk) -> None:
    room = desk.resource(shifts=OFFICE_HOURS)
    service, closure = desk.service(), desk.new_id()
    desk.do(
        close_resource, CloseResource(resource_id=room, closure_id=closure, start=NINE, end=NINE + HOUR), desk.owner
    )
    desk.do(set_working_hours, SetWorkingHours(resource_id=room, shifts=()), desk.owner)

    reasons = desk.why(service)
    assert blocking(reasons) == [(Rule.CLOSURES, ResourceClosed), (Rule.WORKING_HOURS, OutsideWorkingHours)]
    assert topics(reasons, Rule.CLOSURES) == [["resource.closed.v1"]]
    assert topics(reasons, Rule.WORKING_HOURS) == [["resource.working_hours_set.v1"]]

    desk.do(reopen_resource, ReopenResource(resource_id=room, closure_id=closure), desk.owner)
    assert topics(desk.why(service), Rule.CLOSURES) == [["resource.reopened.v1"]]


def test_a_resource_that_serves_one_requirement_is_told_to_be_of_no_use_for_the_next(desk: DatedDesk) -> None:
    desk.resource("room")
    service = desk.service(Requirement(kind="room"), Requirement(kind="room"))

    reasons = desk.why(service)

    assert blocking(reasons) == [
        (Rule.SUITABLE_RESOURCE, NothingOffersThis),
        (Rule.ONE_REQUIREMENT, NothingOffersThis),
    ]
    assert isinstance(reasons.outcome, NothingOffersThis)


def test_what_blocks_one_resource_is_not_decisive_where_another_is_free(desk: DatedDesk) -> None:
    first, second = desk.resource(), desk.resource()
    service = desk.service()
    desk.booked(service)

    reasons = desk.why(service)

    assert blocking(reasons) == [(Rule.CAPACITY, SlotTaken)]
    assert not any(one.finding.decisive for one in reasons.rules)
    assert isinstance(reasons.outcome, Allocation)
    assert [allotment.resource_id for allotment in reasons.outcome.allotments] == [second]
    assert isinstance(desk.why(service, resource_id=first).outcome, SlotTaken)


def test_why_nine_could_not_be_booked_is_told_after_the_visit_in_the_way_was_cancelled(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service()
    visit = desk.booked(service)
    desk.now = asked_then = MONDAY + HOUR
    desk.now = MONDAY + 2 * HOUR
    desk.do(cancel, Cancel(appointment_id=visit.id))
    desk.now = MONDAY + A_DAY  # nine has passed

    then = desk.why(service, as_of=asked_then)
    assert isinstance(then.outcome, SlotTaken)
    assert then.asked_at == asked_then
    (capacity,) = [one for one in then.rules if one.finding.rule is Rule.CAPACITY]
    assert [fact.fact.TOPIC for fact in capacity.facts] == ["resource.added.v1", "resource_day.slot_claimed.v1"]
    assert capacity.facts[-1].provenance.at == MONDAY
    assert getattr(capacity.facts[-1].fact, "appointment_id", None) == visit.id

    assert isinstance(desk.why(service, as_of=MONDAY + 2 * HOUR).outcome, Allocation)
    assert isinstance(desk.why(service).outcome, TooSoon)


def test_a_lapsed_hold_is_in_no_ones_way_but_was_while_it_lasted(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service()
    desk.booked(service, hold_min=10)
    desk.now = MONDAY + 10 * MINUTE

    assert isinstance(desk.why(service).outcome, Allocation)
    assert isinstance(desk.why(service, as_of=MONDAY + 9 * MINUTE).outcome, SlotTaken)


def test_the_claim_that_is_named_is_the_one_that_stands(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service()
    visit = desk.booked(service)
    desk.now = MONDAY + HOUR
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 30 * MINUTE))

    (capacity,) = [one for one in desk.why(service).rules if one.finding.rule is Rule.CAPACITY]

    assert capacity.facts[-1].provenance.at == MONDAY + HOUR


def test_a_customer_hears_that_it_is_taken_and_not_by_which_visit(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service()
    desk.booked(service)

    reasons = desk.why(service, actor=desk.as_customer(desk.customer()))

    assert blocking(reasons) == [(Rule.CAPACITY, SlotTaken)]
    assert topics(reasons, Rule.CAPACITY) == [["resource.added.v1"]]


def test_what_was_not_offered_yet_is_not_found_and_the_future_is_no_history(desk: DatedDesk) -> None:
    desk.now = MONDAY + HOUR
    desk.resource()
    service = desk.service()

    with pytest.raises(NotFound):
        desk.why(service, as_of=MONDAY)
    with pytest.raises(InvalidValue):
        desk.why(service, as_of=MONDAY + 2 * HOUR)


def test_another_organizations_service_is_not_found_and_a_process_may_not_ask(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service()
    stranger = Actor(desk.new_id(), desk.new_id(), desk.new_id(), Role.OWNER)

    with pytest.raises(NotFound):
        desk.why(service, actor=stranger)
    with pytest.raises(Forbidden):
        desk.why(service, actor=desk.clock)


def test_a_visit_over_midnight_is_told_of_each_page(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service()
    desk.booked(service, datetime(2026, 11, 24, 0, 15, tzinfo=UTC))

    reasons = desk.why(service, datetime(2026, 11, 23, 23, 30, tzinfo=UTC))

    assert [one.finding.refusal is None for one in reasons.rules if one.finding.rule is Rule.CAPACITY] == [True, False]
