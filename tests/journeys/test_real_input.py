"""Rows of real appointments through a fresh stack, as ``make real`` does with all of them."""

import re
import subprocess
import sys
from pathlib import Path

HEADER = "appointment_id,patient_id,scheduled_at,appointment_day,clinic,sms_received,no_show"
ROWS = (
    "1,1,2016-04-27T08:00:00,2016-04-29,CENTRO,1,0",
    "2,2,2016-04-27T08:00:30,2016-04-29,CENTRO,0,1",
    "3,3,2016-04-27T08:01:00,2016-04-29,JABOUR,0,0",
    "4,4,yesterday,2016-04-29,CENTRO,0,0",
    "5,1,2016-04-28T09:00:00,2016-04-27,CENTRO,0,0",
    "6,1,2016-04-29T19:30:00,2016-04-29,CENTRO,0,0",
)


def test_every_row_is_booked_or_reported_and_the_end_is_judged(tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("\n".join((HEADER, *ROWS)) + "\n", encoding="utf-8")

    argv = [sys.executable, "-m", "infra.cli", "real", "--data", str(data)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(re.search(r"line 5: broken, .*yesterday", line) for line in lines)
    assert any(re.search(r"line 6: refused, too-soon", line) for line in lines)
    assert re.fullmatch(r"real: rows=6 booked=4 refused=2 double_bookings=0 replay_equal=true seconds=\d+", lines[-1])
    assert "bookings and visits: 10 of 10" in done.stderr


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "infra.cli", "real", "--data", str(tmp_path / "none.csv")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "none.csv" in done.stderr
