import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from infra.real.rows import BrokenRow, NotTheData, Row, read_rows

HEADER = "appointment_id,patient_id,scheduled_at,appointment_day,clinic,sms_received,no_show\n"
GOOD = "5030230,1,2015-11-10T07:13:56,2016-05-04,RESISTÊNCIA,1,0\n"


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def test_a_row_is_read_with_its_line_and_its_instant(tmp_path: Path) -> None:
    (row,) = read_rows(table(tmp_path, GOOD))
    assert row == Row(
        line=2,
        source_id="5030230",
        patient_id=1,
        booked_at=datetime(2015, 11, 10, 9, 13, 56, tzinfo=UTC),  # daylight time: two hours west of UTC
        day=date(2016, 5, 4),
        clinic="RESISTÊNCIA",
        reminded=True,
        missed=False,
    )


@pytest.mark.parametrize(
    "broken",
    [
        "5,1,2015-11-10T07:13:56,2016-05-04,X,1\n",
        "5,one,2015-11-10T07:13:56,2016-05-04,X,1,0\n",
        "5,1,yesterday,2016-05-04,X,1,0\n",
        "5,1,2015-11-10T07:13:56,2016-13-04,X,1,0\n",
        "5,1,2015-11-10T07:13:56,2016-05-04,X,2,0\n",
        "5,1,2015-11-10T07:13:56,2016-05-04,,1,0\n",
    ],
)
def test_a_broken_row_is_reported_with_its_line_and_the_rest_is_read(tmp_path: Path, broken: str) -> None:
    first, second, third = read_rows(table(tmp_path, GOOD, broken, GOOD))
    assert isinstance(second, BrokenRow)
    assert second.line == 3
    assert second.reason
    assert isinstance(first, Row)
    assert isinstance(third, Row)


def test_a_gzipped_file_is_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress((HEADER + GOOD).encode()))
    assert [row.line for row in read_rows(path)] == [2]


def test_a_file_that_is_no_such_table_is_refused_as_a_whole(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(NotTheData, match="expected the columns"):
        list(read_rows(other))
    with pytest.raises(NotTheData):
        list(read_rows(tmp_path / "missing.csv"))
