"""The values of the contract, as types that accept nothing else: strict, bounded, and safe to store."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from domain.rules import OVERRIDABLE, Rule

INSTANT_MIN = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MAX = datetime(2200, 1, 1, tzinfo=UTC)
"""Far enough for any booking, near enough that no arithmetic on it overflows."""
MINUTES_MAX = 2**31 - 1
EMAIL_CHARS_MAX = 254
PASSWORD_CHARS_MIN = 8
PASSWORD_CHARS_MAX = 128
CODE_CHARS_MAX = 64
TOKEN_CHARS_MAX = 256

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"[\n\r\t]")


class Body(BaseModel):
    """A request's body: unknown fields are refused, since whoever sends one expects it to do something."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Body):
    """The body of a command whose address says it all."""


class Change(Body):
    """A PATCH: what is left out stays. ``NEVER_NULL`` are the fields that cannot be taken away."""

    NEVER_NULL: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("at least one field")
        for name in self.NEVER_NULL & self.model_fields_set:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self

    def changes(self) -> dict[str, Any]:
        """Only what was given."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


def _instant(given: Any) -> datetime:
    if isinstance(given, datetime):
        return given
    if not isinstance(given, str) or not _INSTANT.fullmatch(given):
        raise ValueError("an instant as RFC 3339 writes it, with its offset, such as 2027-03-01T09:00:00+01:00")
    try:
        moment = datetime.fromisoformat(given.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a moment that exists") from None
    if not INSTANT_MIN <= moment < INSTANT_MAX:
        raise ValueError("an instant between 1970 and 2200")
    return moment


def _day(given: Any) -> date:
    if isinstance(given, date):
        return given
    if not isinstance(given, str) or not _DATE.fullmatch(given):
        raise ValueError("a date such as 2027-03-01")
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise ValueError("a date that exists") from None
    if not INSTANT_MIN.date() < day < INSTANT_MAX.date():
        raise ValueError("a date between 1970 and 2200")
    return day


def _day_or_instant(given: Any) -> date:
    return _day(given) if isinstance(given, str) and _DATE.fullmatch(given) else _instant(given)


def _storable(text: str) -> str:
    if _FORBIDDEN.search(text):
        raise ValueError("no control characters")
    return text


def _one_line(text: str) -> str:
    if _LINE_BREAKS.search(text):
        raise ValueError("one line")
    return _storable(text)


def _email(text: str) -> str:
    _storable(text)
    try:
        # .test addresses are for testing (RFC 2606), and whoever tests us should be able to use them.
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as wrong:
        raise ValueError(f"an e-mail address. {wrong}") from None


def normalized_email(text: str) -> str:
    """The address as it was normalized at sign-up; any other text as it is."""
    try:
        return _email(text)
    except ValueError:
        return text


def _phone(text: str) -> str:
    _storable(text)
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise ValueError("an international phone number such as +5527999990000") from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError("a possible phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _minute_of_day(given: Any) -> int:
    if not isinstance(given, str) or not _CLOCK.fullmatch(given):
        raise ValueError("a wall-clock time such as 09:00, from 00:00 to 24:00")
    return int(given[:2]) * 60 + int(given[3:])


def _overridable(rule: Rule) -> Rule:
    if rule not in OVERRIDABLE:
        raise ValueError("a rule that may be broken")
    return rule


def clock_text(minute: int) -> str:
    """09:00 for 540."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


Instant = Annotated[datetime, BeforeValidator(_instant), _schema(format="date-time")]
Day = Annotated[date, BeforeValidator(_day), _schema(format="date")]
DayOrInstant = Annotated[
    date,
    PlainValidator(_day_or_instant),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
"""A ``datetime`` (which is a ``date``) if it was given as one."""
WallClock = Annotated[
    int,
    BeforeValidator(_minute_of_day),
    PlainSerializer(clock_text, return_type=str),
    _schema(pattern=_CLOCK.pattern, examples=["09:00"]),
]
"""Minutes after local midnight, written HH:MM."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)]
KindName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_one_line)
]
FreeText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000), AfterValidator(_storable)
]
Address = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_storable)
]
Email = Annotated[str, StringConstraints(max_length=EMAIL_CHARS_MAX), AfterValidator(_email), _schema(format="email")]
Phone = Annotated[str, StringConstraints(max_length=40), AfterValidator(_phone), _schema(examples=["+5527999990000"])]
Locale = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=35)]
ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Password = Annotated[
    str,
    StringConstraints(min_length=PASSWORD_CHARS_MIN, max_length=PASSWORD_CHARS_MAX),
    AfterValidator(_storable),
    _schema(format="password", minLength=PASSWORD_CHARS_MIN, maxLength=PASSWORD_CHARS_MAX),
]
GivenPassword = Annotated[
    str, StringConstraints(max_length=PASSWORD_CHARS_MAX), AfterValidator(_storable), _schema(format="password")
]
"""One that someone has already: what is asked of new ones may have been less then."""
Code = Annotated[
    str,
    StringConstraints(min_length=1, max_length=CODE_CHARS_MAX),
    AfterValidator(_one_line),
    _schema(examples=["123456"]),
]
"""Of a device, or a recovery code."""
LinkToken = Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_CHARS_MAX), AfterValidator(_one_line)]
"""What stands behind the # of a link that was sent."""
Minutes = Annotated[int, Strict(), Field(ge=0, le=MINUTES_MAX)]
Count = Annotated[int, Strict(), Field(ge=1, le=MINUTES_MAX)]
OverridableRule = Annotated[
    Rule, AfterValidator(_overridable), _schema(enum=sorted(OVERRIDABLE), description="A rule that staff may break.")
]
Flag = Annotated[bool, Strict()]
HouseRole = Literal["owner", "manager", "staff", "auditor"]
Weekday = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
Push = Annotated[str, StringConstraints(min_length=1, max_length=4_096), AfterValidator(_one_line)]
