"""Clients that never end are left behind: by who closes them, by the process, and in bounded number."""

import subprocess
import sys
import time
from threading import Event

import pytest

from adapters import closing_apart
from adapters.closing_apart import LEFT_BEHIND_MAX, ClosingApart

NEVER_ENDS = """
import sys
from adapters.closing_apart import ClosingApart
from threading import Event
apart = ClosingApart()
apart.begin(Event().wait)
print("going")
"""


def test_what_closes_in_time_is_waited_for() -> None:
    began = time.monotonic()
    apart = ClosingApart()
    apart.begin(lambda: time.sleep(0.3))
    apart.wait()
    assert time.monotonic() - began >= 0.3


def test_what_never_closes_is_left_behind(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(closing_apart, "CLOSED_WITHIN_S", 0.2)
    may_end = Event()
    apart = ClosingApart()
    for _ in range(2):
        apart.begin(may_end.wait)
    began = time.monotonic()
    apart.wait()
    assert 0.2 <= time.monotonic() - began < 2.0, "all of them together"
    assert "2 clients of the broker did not close" in caplog.text
    may_end.set()


def test_no_more_are_made_than_may_be_left_behind() -> None:
    may_end = Event()
    apart = ClosingApart()
    for _ in range(LEFT_BEHIND_MAX):
        assert apart.has_room()
        apart.begin(may_end.wait)
    assert not apart.has_room()
    may_end.set()
    apart.wait()
    assert apart.has_room()


def test_a_process_ends_although_a_client_of_it_does_not() -> None:
    ended = subprocess.run([sys.executable, "-c", NEVER_ENDS], capture_output=True, text=True, check=True, timeout=30)
    assert ended.stdout == "going\n"
