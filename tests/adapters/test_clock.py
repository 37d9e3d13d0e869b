"""The replay clock is one clock for several processes, and none at all in production."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import ReplayClock, ReplayClockRefused, SystemClock

NINE = datetime(2016, 5, 2, 9, 0, 0, 123456, tzinfo=UTC)


def test_the_system_clock_tells_the_present_instant_in_utc() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC


def test_a_time_set_through_one_clock_is_read_through_another_to_the_microsecond(tmp_path: Path) -> None:
    setter = ReplayClock(tmp_path / "clock", environment="test")
    reader = ReplayClock(tmp_path / "clock", environment="test")
    setter.set(NINE)
    assert reader.now() == NINE


def test_another_process_sees_the_time_at_once(tmp_path: Path) -> None:
    clock = ReplayClock(tmp_path / "clock", environment="test")
    clock.set(NINE)
    program = (
        "import sys; from pathlib import Path; from adapters.clock import ReplayClock;"
        "print(ReplayClock(Path(sys.argv[1]), environment='development').now().isoformat())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "clock")], check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == NINE.isoformat()


def test_it_stands_still_until_it_is_set_and_a_restart_keeps_it(tmp_path: Path) -> None:
    with ReplayClock(tmp_path / "clock", environment="test") as clock:
        clock.set(NINE)
        assert clock.now() == clock.now() == NINE
    with ReplayClock(tmp_path / "clock", environment="test") as opened_again:
        assert opened_again.now() == NINE


def test_it_never_goes_back(tmp_path: Path) -> None:
    clock = ReplayClock(tmp_path / "clock", environment="test")
    clock.set(NINE)
    with pytest.raises(ValueError, match="never goes back"):
        clock.set(NINE - timedelta(microseconds=1))
    assert clock.now() == NINE


def test_production_refuses_it_and_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(ReplayClockRefused, match="replay_clock"):
        ReplayClock(tmp_path / "clock", environment="production")
    assert not (tmp_path / "clock").exists()
