"""What clients saw: every call with its invocation and its return, every frame of a socket; one file each."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

OK, FAIL, UNKNOWN = "ok", "fail", "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. A retry with the same key is a call of its own.

    ``invoked_ns`` and ``returned_ns`` are of the machine's monotonic clock, ``invoked_at`` of the one on its wall, by
    which deadlines are. ``position`` is what the answer told, ``fence`` what a read demanded.
    """

    process: int
    kind: str
    key: str | None
    arguments: dict[str, Any]
    invoked_ns: int
    returned_ns: int | None
    invoked_at: str
    outcome: str
    status: int | None = None
    answer: Any = None
    position: int | None = None
    fence: int | None = None
    replayed: bool = False

    @property
    def problem(self) -> str:
        """The last word of a problem document's type."""
        told = self.answer.get("type", "") if isinstance(self.answer, dict) else ""
        return str(told).rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One change as a subscriber got it, over its n-th connection."""

    process: int
    topic: str
    position: int
    payload: Any
    at_ns: int
    connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A subscriber's n-th connection: resumed after ``since``."""

    process: int
    topic: str
    connection: int
    since: int
    opened_ns: int


@dataclass(slots=True)
class Histories:
    calls: list[Call] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)


_KINDS = {"Call": Call, "Frame": Frame, "Connection": Connection}


def write(to: TextIO, record: Call | Frame | Connection) -> None:
    """One line, out of the process at once: its death loses none."""
    to.write(json.dumps({"record": type(record).__name__, **asdict(record)}) + "\n")
    to.flush()


def read(directory: Path) -> Histories:
    """All files of a run. A last line that was cut off by a death is left out."""
    found = Histories()
    for path in sorted(directory.glob("*.jsonl")):
        for record in _records(path):
            match record:
                case Call():
                    found.calls.append(record)
                case Frame():
                    found.frames.append(record)
                case Connection():
                    found.connections.append(record)
    return found


def _records(path: Path) -> Iterator[Call | Frame | Connection]:
    for line in path.read_text().splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            return
        yield _KINDS[told.pop("record")](**told)
