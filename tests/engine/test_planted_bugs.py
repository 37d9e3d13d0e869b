"""The naive engine is worth something only if it finds what is wrong: each of these bugs is planted, and found."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis.stateful import run_state_machine_as_test

import application.booking_pages
import application.moving
import application.offering
import application.placing
import application.recurring
import application.visits
import domain.allocation
import domain.possible_starts
import domain.resource
from application.prospects import near
from domain.open_hours import grid_mask
from domain.resource_day import Claim, ResourceDay
from domain.session import Session
from domain.wall_clock import instant
from tests.engine.bookings import Bookings
from tests.engine.engine import SEARCH, Queue, Slots, Standing


def _greatest_claim(page: ResourceDay, *asked: Any, **how: Any) -> int:
    return max((claim.quantity for claim in page.claims_against(*asked, **how)), default=0)


def _takers(session: Session, **how: Any) -> int:
    return sum(taker.counts_at(how["now"]) and taker.appointment_id != how.get("besides") for taker in session.takers)


def _last_first(*asked: Any) -> Sequence[object]:
    return near(*asked)[::-1]


def _in_utc(_: str, *asked: Any) -> int:
    return grid_mask("UTC", *asked)


def _as_in_january(start_local: datetime, zone: ZoneInfo) -> datetime:
    offset = zone.utcoffset(datetime(2026, 1, 1, tzinfo=UTC))
    assert offset is not None
    return start_local.replace(tzinfo=UTC) - offset


def _nothing(*_: object, **__: object) -> list[object]:
    return []


class Bug(NamedTuple):
    """Where it is planted, and what is done, in a world of which theme, when it shows."""

    where: object
    name: str
    wrong: Callable[..., object]
    machine: type[Bookings]
    theme: str


BUGS = {
    "claims at one minute are not added up": Bug(ResourceDay, "peak_quantity", _greatest_claim, Bookings, "crowds"),
    "a claim past its deadline blocks": Bug(Claim, "blocks_at", lambda *_: True, Bookings, "pools"),
    "customers are counted, not their seats": Bug(Session, "seats_taken", _takers, Bookings, "groups"),
    "hours within a gap are moved out of it": Bug(domain.resource, "reached", instant, Slots, "hours"),
    "a person is in two places": Bug(application.booking_pages, "_may_overlap", lambda *_: True, Bookings, "people"),
    "a limit is never reached": Bug(application.booking_pages, "reached", lambda *_, **__: None, Bookings, "people"),
    "a hold locks its customer out": Bug(application.placing, "held_by_customer", _nothing, Bookings, "people"),
    "what is free again is offered to nobody": Bug(application.visits, "offer_released", _nothing, Queue, "pools"),
    "who came last is offered first": Bug(application.offering, "near", _last_first, Queue, "pools"),
    "slots are on the grid of another zone": Bug(domain.possible_starts, "grid_mask", _in_utc, Slots, "pools"),
    "the least loaded comes first": Bug(domain.allocation, "load_min", lambda *_, **__: 0, Bookings, "pools"),
    "nine o'clock in summer is ten": Bug(application.recurring, "start_of", _as_in_january, Standing, "pools"),
    "a series is moved in name only": Bug(application.moving, "move", _nothing, Standing, "pools"),
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bug.where, bug.name, bug.wrong)

    class Themed(bug.machine):  # type: ignore[name-defined,misc]
        themes = (bug.theme,)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Themed, settings=SEARCH)
