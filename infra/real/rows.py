"""The rows of the appointments file; a broken one is reported with its line and the run goes on."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Sao_Paulo")
COLUMNS = ("appointment_id", "patient_id", "scheduled_at", "appointment_day", "clinic", "sms_received", "no_show")
FLAGS = {"0": False, "1": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One appointment. ``booked_at`` is UTC, ``day`` a date in ``ZONE``; ``line`` counts from 1, the header."""

    line: int
    source_id: str
    patient_id: int
    booked_at: datetime
    day: date
    clinic: str
    reminded: bool
    missed: bool


@dataclass(frozen=True, slots=True)
class BrokenRow:
    line: int
    reason: str


class NotTheData(Exception):  # noqa: N818
    """The file is not there, or is no such table at all."""


def read_rows(path: Path) -> Iterator[Row | BrokenRow]:
    """The rows of a CSV file, gzipped or not, in its order. Raises ``NotTheData``."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as file
        ):
            yield from _rows(file)
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise NotTheData(f"{path}: {problem}") from problem


def _rows(file: TextIO) -> Iterator[Row | BrokenRow]:
    table = csv.reader(file)
    header = next(table, [])
    if tuple(header) != COLUMNS:
        raise NotTheData(f"expected the columns {', '.join(COLUMNS)}; found {', '.join(header) or 'nothing'}")
    for cells in table:
        if len(cells) != len(COLUMNS):
            yield BrokenRow(table.line_num, f"{len(cells)} cells instead of {len(COLUMNS)}")
            continue
        try:
            yield _row(table.line_num, dict(zip(COLUMNS, cells, strict=True)))
        except (ValueError, KeyError) as problem:
            yield BrokenRow(table.line_num, str(problem))


def _row(line: int, cells: dict[str, str]) -> Row:
    for flag in ("sms_received", "no_show"):
        if cells[flag] not in FLAGS:
            raise ValueError(f"{flag} is 0 or 1, not {cells[flag]!r}")
    if not cells["clinic"].strip():
        raise ValueError("no clinic")
    return Row(
        line=line,
        source_id=cells["appointment_id"],
        patient_id=int(cells["patient_id"]),
        booked_at=datetime.fromisoformat(cells["scheduled_at"]).replace(tzinfo=ZONE).astimezone(UTC),
        day=date.fromisoformat(cells["appointment_day"]),
        clinic=cells["clinic"].strip(),
        reminded=FLAGS[cells["sms_received"]],
        missed=FLAGS[cells["no_show"]],
    )
