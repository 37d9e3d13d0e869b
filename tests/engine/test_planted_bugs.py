"""The naive engine is worth something only if it finds what is wrong: each of these bugs is planted, and found."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

import application.booking_pages
import application.offering
import application.placing
import application.visits
import domain.allocation
import domain.possible_starts
import domain.resource
from application.prospects import near
from domain.open_hours import grid_mask
from domain.resource_day import Claim, ResourceDay
from domain.session import Session
from domain.wall_clock import instant
from tests.engine.engine import SEARCH, Engine


def _greatest_claim(page: ResourceDay, *asked: Any, **how: Any) -> int:
    return max((claim.quantity for claim in page.claims_against(*asked, **how)), default=0)


def _takers(session: Session, **how: Any) -> int:
    return sum(taker.counts_at(how["now"]) and taker.appointment_id != how.get("besides") for taker in session.takers)


def _last_first(*asked: Any) -> Sequence[object]:
    return near(*asked)[::-1]


def _in_utc(_: str, *asked: Any) -> int:
    return grid_mask("UTC", *asked)


def _nothing(*_: object, **__: object) -> list[object]:
    return []


BUGS: dict[str, tuple[str, object, str, Callable[..., object]]] = {
    "claims at one minute are not added up": ("crowds", ResourceDay, "peak_quantity", _greatest_claim),
    "a claim past its deadline blocks": ("pools", Claim, "blocks_at", lambda *_: True),
    "customers are counted, not their seats": ("groups", Session, "seats_taken", _takers),
    "hours within a spring gap are moved out of it": ("hours", domain.resource, "reached", instant),
    "a person may be in two places": ("people", application.booking_pages, "_may_overlap", lambda *_: True),
    "a limit is never reached": ("people", application.booking_pages, "reached", lambda *_, **__: None),
    "a hold locks its own customer out": ("people", application.placing, "held_by_customer", _nothing),
    "what is given back is offered to nobody": ("pools", application.visits, "offer_released", _nothing),
    "who came last is offered first": ("pools", application.offering, "near", _last_first),
    "slots are on the grid of another zone": ("pools", domain.possible_starts, "grid_mask", _in_utc),
    "the least loaded is whoever comes first": ("pools", domain.allocation, "load_min", lambda *_, **__: 0),
}
"""What is wrong, in a world of which theme it shows, and where it is planted."""


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theme, where, name, wrong = BUGS[bug]
    monkeypatch.setattr(where, name, wrong)

    class Themed(Engine):
        themes = (theme,)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Themed, settings=SEARCH)
