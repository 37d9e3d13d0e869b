"""The text of a recurrence rule (RFC 5545, 3.3.10), read strictly: what is not certainly understood is refused.

python-dateutil would read more than that: lines of DTSTART and EXDATE inside the text, BYEASTER, ``1_0`` for a number.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from application.recurrences import RRULE_CHARS_MAX
from domain.refusals import InvalidValue
from domain.series import OCCURRENCES_MAX
from domain.wall_clock import WEEKDAYS

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
"""SECONDLY, MINUTELY and HOURLY are no way to visit anyone."""
WEEKS_OF_YEAR = 53
WEEKS_OF_MONTH = 5


class Span(NamedTuple):
    """The members that a list may have; ``signed``: the same counted from the end too, as negative numbers."""

    least: int
    most: int
    signed: bool


NUMBERS = {
    "BYMONTH": Span(1, 12, signed=False),
    "BYWEEKNO": Span(1, WEEKS_OF_YEAR, signed=True),
    "BYYEARDAY": Span(1, 366, signed=True),
    "BYMONTHDAY": Span(1, 31, signed=True),
    "BYHOUR": Span(0, 23, signed=False),
    "BYMINUTE": Span(0, 59, signed=False),
    "BYSECOND": Span(0, 0, signed=False),  # visits start on whole minutes
    "BYSETPOS": Span(1, 366, signed=True),
}
NOT_WITH = {
    "BYWEEKNO": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYYEARDAY": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYMONTHDAY": ("WEEKLY",),
}
"""The frequencies with which a part must not be used (RFC 5545, 3.3.10)."""
PARTS = {"FREQ", "COUNT", "UNTIL", "INTERVAL", "WKST", "BYDAY", *NUMBERS}

_PART = re.compile(r"([A-Z]+)=([A-Z0-9,+-]+)")
_WHOLE = re.compile(r"[0-9]+")
_MEMBER = re.compile(r"[+-]?[0-9]{1,3}")
_WEEKDAY = re.compile(rf"([+-]?[0-9]{{1,2}})?({'|'.join(WEEKDAYS)})")
_UNTIL_DATE = re.compile(r"[0-9]{8}")
_UNTIL_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z?")


class WeekdayOf(NamedTuple):
    """``weekday`` as ``date.weekday()``; ``nth`` of its month or year, from the end if negative, each if 0."""

    weekday: int
    nth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A bounded rule: either ``count`` or ``until``. Lists are ascending and without doubles; () where not given.

    ``until`` is the last moment at which an occurrence may start: naive, or in UTC. A DATE includes the whole date.
    """

    freq: str
    count: int | None
    until: datetime | None
    until_text: str | None
    interval: int
    week_start: int
    byday: tuple[WeekdayOf, ...]
    bymonth: tuple[int, ...]
    byweekno: tuple[int, ...]
    byyearday: tuple[int, ...]
    bymonthday: tuple[int, ...]
    byhour: tuple[int, ...]
    byminute: tuple[int, ...]
    bysetpos: tuple[int, ...]

    @property
    def text(self) -> str:
        return ";".join(f"{name}={value}" for name, value in self._parts() if value)

    def _parts(self) -> Iterator[tuple[str, str | None]]:
        yield "FREQ", self.freq
        yield "COUNT", str(self.count) if self.count else None
        yield "UNTIL", self.until_text
        yield "INTERVAL", str(self.interval) if self.interval > 1 else None
        yield "BYMONTH", _joined(self.bymonth)
        yield "BYWEEKNO", _joined(self.byweekno)
        yield "BYYEARDAY", _joined(self.byyearday)
        yield "BYMONTHDAY", _joined(self.bymonthday)
        yield "BYDAY", ",".join(f"{one.nth or ''}{WEEKDAYS[one.weekday]}" for one in self.byday)
        yield "BYHOUR", _joined(self.byhour)
        yield "BYMINUTE", _joined(self.byminute)
        yield "BYSETPOS", _joined(self.bysetpos)
        yield "WKST", WEEKDAYS[self.week_start] if self.week_start else None


def invalid(reason: str) -> InvalidValue:
    return InvalidValue("rrule", reason)


def read(text: str) -> Rule:
    """Raises ``InvalidValue`` that says why. Any letter case, with or without ``RRULE:``."""
    parts = _split(text)
    freq = parts.get("FREQ")
    if freq not in FREQUENCIES:
        raise invalid(f"needs FREQ, one of {', '.join(FREQUENCIES)}")
    _ensure_they_go_together(freq, parts)
    numbers = {name: _numbers(name, parts[name]) if name in parts else () for name in NUMBERS}
    until = parts.get("UNTIL")
    return Rule(
        freq=freq,
        count=_whole("COUNT", parts["COUNT"], OCCURRENCES_MAX) if "COUNT" in parts else None,
        until=_moment(until) if until else None,
        until_text=until,
        interval=_whole("INTERVAL", parts.get("INTERVAL", "1")),
        week_start=_week_start(parts.get("WKST", "MO")),
        byday=_weekdays(freq, parts) if "BYDAY" in parts else (),
        bymonth=numbers["BYMONTH"],
        byweekno=numbers["BYWEEKNO"],
        byyearday=numbers["BYYEARDAY"],
        bymonthday=numbers["BYMONTHDAY"],
        byhour=numbers["BYHOUR"],
        byminute=numbers["BYMINUTE"],
        bysetpos=numbers["BYSETPOS"],
    )


def _split(text: str) -> Mapping[str, str]:
    if len(text) > RRULE_CHARS_MAX:
        raise invalid(f"at most {RRULE_CHARS_MAX} characters")
    if not text.isascii():
        raise invalid("ASCII characters only")
    parts: dict[str, str] = {}
    for part in text.upper().removeprefix("RRULE:").split(";"):
        # fullmatch: a line break, a space or a colon would begin another property than this rule.
        found = _PART.fullmatch(part)
        if not found:
            raise invalid("one rule, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10")
        name, value = found.groups()
        if name not in PARTS:
            raise invalid(f"{name[:20]} is no part of a rule")
        if name in parts:
            raise invalid(f"{name} once")
        parts[name] = value
    return parts


def _ensure_they_go_together(freq: str, parts: Mapping[str, str]) -> None:
    if "COUNT" not in parts and "UNTIL" not in parts:
        raise invalid("needs COUNT or UNTIL")
    if "COUNT" in parts and "UNTIL" in parts:
        raise invalid("COUNT or UNTIL, not both")
    for name, frequencies in NOT_WITH.items():
        if name in parts and freq in frequencies:
            raise invalid(f"{name} does not go with FREQ={freq}")
    if "BYSETPOS" in parts and not any(name.startswith("BY") for name in parts.keys() - {"BYSETPOS", "BYSECOND"}):
        raise invalid("BYSETPOS needs another BY… part to choose from")


def _whole(name: str, value: str, most: int | None = None) -> int:
    if not _WHOLE.fullmatch(value) or not int(value):
        raise invalid(f"{name} is a number of at least 1")
    if most and int(value) > most:
        raise invalid(f"{name} is at most {most}")
    return int(value)


def _numbers(name: str, value: str) -> tuple[int, ...]:
    span, members = NUMBERS[name], value.split(",")
    if not all(_MEMBER.fullmatch(member) for member in members):
        raise invalid(f"{name} is a list of numbers")
    numbers = {int(member) for member in members}
    if not all(span.least <= (abs(number) if span.signed else number) <= span.most for number in numbers):
        raise invalid(f"{name} is {span.least}…{span.most}{', or negative' if span.signed else ''}")
    return tuple(sorted(numbers))


def _weekdays(freq: str, parts: Mapping[str, str]) -> tuple[WeekdayOf, ...]:
    found = [_WEEKDAY.fullmatch(member) for member in parts["BYDAY"].split(",")]
    weekdays = {WeekdayOf(WEEKDAYS.index(one[2]), int(one[1] or 0)) for one in found if one}
    if None in found or any(one and one[1] and not int(one[1]) for one in found):
        raise invalid("BYDAY is a list of weekdays, such as MO,TU or 1MO,-1FR")
    if any(one.nth for one in weekdays):
        if freq not in {"MONTHLY", "YEARLY"} or "BYWEEKNO" in parts:
            raise invalid("BYDAY has numbers only with FREQ=MONTHLY or YEARLY, and without BYWEEKNO")
        most = WEEKS_OF_MONTH if freq == "MONTHLY" or "BYMONTH" in parts else WEEKS_OF_YEAR
        if any(abs(one.nth) > most for one in weekdays):
            raise invalid(f"a weekday's number in BYDAY is at most {most}")
    return tuple(sorted(weekdays))


def _week_start(value: str) -> int:
    if value not in WEEKDAYS:
        raise invalid("WKST is a weekday, such as MO")
    return WEEKDAYS.index(value)


def _moment(value: str) -> datetime:
    try:
        # strptime alone takes 2030115 for the 15th of January.
        if _UNTIL_DATE.fullmatch(value):
            return datetime.strptime(value, "%Y%m%d").replace(hour=23, minute=59, second=59)  # noqa: DTZ007  as local
        if _UNTIL_TIME.fullmatch(value):
            moment = datetime.strptime(value[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007  as local, or in UTC
            return moment.replace(tzinfo=UTC) if value.endswith("Z") else moment
    except ValueError:
        pass  # a 31st of June
    raise invalid("UNTIL is a date, a local time or a time in UTC, such as 20301231T235959Z")


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))
