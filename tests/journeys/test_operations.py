"""What an operator does while Daybook runs: verify, replay, rebuild; and what crashes do to it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from infra.embedded import EmbeddedStack
from infra.read_models import NAMES
from tests.journeys.visitor import Visitor, a_service_of_one_room, owner_of_a_new_clinic
from tests.running import RunningStack

RECOVERS_WITHIN_S = 60.0


class Clinic:
    """A clinic with a service and a customer, and slots that nobody has booked yet."""

    def __init__(self, url: str) -> None:
        self.owner = owner_of_a_new_clinic(url)
        _, self.service_id = a_service_of_one_room(self.owner)
        self.customer_id = self.owner.post("/customers", {"display_name": "Somebody"})["id"]
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
        window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(days=2)).isoformat()}
        slots = self.owner.get(f"/services/{self.service_id}/slots", **window)["slots"]
        self.starts: Iterator[str] = iter([slot["start"] for slot in slots[::2]])

    def visit(self) -> dict[str, str]:
        return {"service_id": self.service_id, "customer_id": self.customer_id, "start": next(self.starts)}


def daybook(stack: RunningStack, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and what a job says as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.cli", *arguments, "--json"],
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def listed(owner: Visitor) -> list[str]:
    return [item["id"] for item in owner.get("/appointments", limit=200)["items"]]


def retried_until_answered(owner: Visitor, body: dict[str, str]) -> dict[str, Any]:
    """As any client does: the same key again while the answer is 503, or none."""
    import httpx

    key, deadline = uuid4().hex, time.monotonic() + RECOVERS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            answer = owner.send("POST", "/appointments", body, key=key)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code != 503:
            assert answer.status_code == 201, answer.text
            found: dict[str, Any] = answer.json()
            return found
        assert "Retry-After" in answer.headers
        time.sleep(0.2)
    raise AssertionError("no answer in time")


def read_again_until_there(owner: Visitor, appointment_id: str) -> None:
    """A fenced list answers 503 until its read model has caught up."""
    deadline = time.monotonic() + RECOVERS_WITHIN_S
    while time.monotonic() < deadline:
        answer = owner.ask("/appointments", limit=200)
        if answer.status_code == 200:
            assert appointment_id in [item["id"] for item in answer.json()["items"]]
            return
        assert answer.status_code == 503, answer.text
        time.sleep(0.2)
    raise AssertionError("the read model has not caught up")


def test_the_journal_has_no_double_booking_and_replays_to_what_is_live(stack: RunningStack) -> None:
    clinic = Clinic(stack.urls[0])
    clinic.owner.post("/appointments", clinic.visit())
    listed(clinic.owner)

    swept, findings = daybook(stack, "verify")
    compared, verdict = daybook(stack, "replay")

    assert (swept, findings["clean"], findings["counts"]) == (0, True, {})
    assert findings["appointments"] >= 1
    assert (compared, verdict["replay_equal"]) == (0, True), verdict
    assert sorted(verdict["read_models"]) == sorted(NAMES)


NOTHING_HAS_HAPPENED = {"series", "waitlist_queue"}
"""Read models of which a clinic that has only booked has no facts."""


@pytest.mark.parametrize("name", NAMES)
def test_a_read_model_is_rebuilt_while_it_answers(stack: RunningStack, name: str) -> None:
    clinic = Clinic(stack.urls[0])
    before = clinic.owner.post("/appointments", clinic.visit())["id"]

    code, done = daybook(stack, "rebuild", name)
    after = clinic.owner.post("/appointments", clinic.visit())["id"]

    assert code == 0
    assert done["position"] > 0
    assert done["facts"] > 0 or name in NOTHING_HAS_HAPPENED
    read_again_until_there(clinic.owner, after)
    assert {before, after} <= set(listed(clinic.owner))


def test_killed_processes_and_a_forgetful_broker_lose_nothing(stack: RunningStack, servers: EmbeddedStack) -> None:
    # given a clinic, and everything between journal and reader killed without warning
    clinic = Clinic(stack.urls[0])
    for name in ("relay", "project", "notify", "timekeeper"):
        stack.restart(name)
    servers.wipe_broker()
    servers.restart("valkey", signal.SIGKILL)

    # when someone books meanwhile
    visit = clinic.owner.post("/appointments", clinic.visit())

    # then the booking is soon to be read everywhere
    read_again_until_there(clinic.owner, visit["id"])
    assert clinic.owner.get(f"/appointments/{visit['id']}")["status"] == "booked"


def test_a_crash_of_postgresql_takes_no_acknowledged_booking(stack: RunningStack, servers: EmbeddedStack) -> None:
    # given a booking that was acknowledged just before PostgreSQL stops without finishing anything
    clinic = Clinic(stack.urls[0])
    before = clinic.owner.post("/appointments", clinic.visit())
    servers.restart("postgres", signal.SIGQUIT)

    # when someone goes on booking
    after = retried_until_answered(clinic.owner, clinic.visit())

    # then both are there
    read_again_until_there(clinic.owner, after["id"])
    assert {before["id"], after["id"]} <= set(listed(clinic.owner))
    assert daybook(stack, "verify")[1]["clean"]
