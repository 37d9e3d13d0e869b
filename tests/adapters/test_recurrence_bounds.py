"""What a recurrence rule may not be, how soon that is said, and the one form in which a rule is kept."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from adapters.recurrence_rules import RecurrenceRules
from adapters.recurrence_text import read
from application.recurrences import RRULE_CHARS_MAX
from domain.refusals import InvalidValue

RULES = RecurrenceRules()
ZONE = "America/New_York"
START = datetime.fromisoformat("2026-03-04T09:00")
WITHIN_MS = 100
TRIES = 3
"""The best of them counts: on a busy machine one may wait for its turn."""

HOURS = "BYHOUR=" + ",".join(map(str, range(24)))
MINUTES = "BYMINUTE=" + ",".join(map(str, range(60)))
POSITIONS = "BYSETPOS=" + ",".join(map(str, range(253, 366)))


def best_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return min(took)


def answer(rrule: str, start: datetime = START) -> str:
    """What was refused and why, or how many starts there are."""
    try:
        return f"{len(RULES.expand(rrule, start, ZONE).starts)} starts"
    except InvalidValue as refusal:
        return f"{refusal.field}: {refusal.reason}"


NO_FREQ = "needs FREQ, one of DAILY, WEEKLY, MONTHLY, YEARLY"
NEVER = "no occurrence lies within 1099 days of the start"
TOO_MANY = "at most 366 occurrences: UNTIL lies beyond them"
TOO_FAR = "UNTIL lies at most 1099 days after the start"
MALFORMED = "one rule, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10"
NO_UNTIL = "UNTIL is a date, a local time or a time in UTC, such as 20301231T235959Z"
NO_WEEKDAYS = "BYDAY is a list of weekdays, such as MO,TU or 1MO,-1FR"


@pytest.mark.parametrize(
    ("rrule", "expected"),
    [
        ("FREQ=SECONDLY;COUNT=10", NO_FREQ),
        ("FREQ=MINUTELY;INTERVAL=7;BYHOUR=25;COUNT=10", NO_FREQ),
        ("FREQ=HOURLY;COUNT=10", NO_FREQ),
        ("FREQ=DAILY;COUNT=1000000000", "COUNT is at most 366"),
        ("FREQ=DAILY;COUNT=367", "COUNT is at most 366"),
        ("FREQ=DAILY;COUNT=366", "366 starts"),
        ("FREQ=DAILY;UNTIL=20270304", "366 starts"),
        ("FREQ=DAILY;UNTIL=20270305", TOO_MANY),
        ("FREQ=DAILY;UNTIL=20360304", TOO_FAR),
        ("FREQ=DAILY;UNTIL=99991231", TOO_FAR),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", TOO_FAR),
        ("FREQ=DAILY;UNTIL=00010101T000000Z", "no occurrence lies between the start and UNTIL"),
        ("FREQ=YEARLY;UNTIL=20290306", "4 starts"),
        ("FREQ=YEARLY;UNTIL=20290307T090000", "4 starts"),
        ("FREQ=YEARLY;UNTIL=20290307T090001", TOO_FAR),
        ("FREQ=YEARLY;COUNT=4;BYMONTH=3", "4 starts"),
        ("FREQ=YEARLY;COUNT=5", "only 4 of COUNT=5 occurrences lie within 1099 days"),
        ("FREQ=DAILY;INTERVAL=1000000000;COUNT=1", "1 starts"),
        ("FREQ=DAILY;INTERVAL=1000000000;COUNT=2", "only 1 of COUNT=2 occurrences lie within 1099 days"),
        ("FREQ=YEARLY;INTERVAL=1000000000;UNTIL=20290101", "1 starts"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", NEVER),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", NEVER),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU;COUNT=3", NEVER),
        ("FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=31;COUNT=3", NEVER),
        ("FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1;COUNT=1", NEVER),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20290101", "no occurrence lies between the start and UNTIL"),
        ("FREQ=DAILY;BYDAY=MO;BYSETPOS=2;COUNT=1", NEVER),
        (f"FREQ=DAILY;COUNT=1;BYHOUR=1;{POSITIONS}", NEVER),
        (f"FREQ=WEEKLY;COUNT=366;BYHOUR=1;{POSITIONS}", NEVER),
        (f"FREQ=DAILY;COUNT=366;{HOURS};{MINUTES}", "366 starts"),
        (f"FREQ=DAILY;UNTIL=20290101;{HOURS};{MINUTES}", TOO_MANY),
        (f"FREQ=YEARLY;UNTIL=20290101T000000Z;BYDAY=MO,TU,WE,TH,FR,SA,SU;{HOURS};{MINUTES}", TOO_MANY),
        (f"FREQ=YEARLY;COUNT=366;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1;{HOURS};{MINUTES}", "only 3 of COUNT=366"),
        (f"FREQ=YEARLY;UNTIL=20260303;BYDAY=MO;{HOURS};{MINUTES}", "no occurrence lies between"),
        ("FREQ=DAILY;COUNT=1;BYDAY=" + ",".join(["MO"] * 5000), f"at most {RRULE_CHARS_MAX} characters"),
        ("FREQ=WEEKLY;COUNT=1;BYDAY=" + ",".join(["MO"] * 150), "1 starts"),
        ("FREQ=DAILY;COUNT=" + "9" * 1_000_000, f"at most {RRULE_CHARS_MAX} characters"),
        ("FREQ=DAILY;COUNT=" + "9" * 400, "COUNT is at most 366"),
        ("FREQ=DAILY;COUNT=1;INTERVAL=" + "9" * 400, "1 starts"),
        ("FREQ=WEEKLY;" + ";" * 400, MALFORMED),
    ],
    ids=lambda given: given[:60],
)
def test_what_could_run_for_long_is_answered_at_once(rrule: str, expected: str) -> None:
    assert expected in answer(rrule)
    assert best_ms(lambda: answer(rrule)) < WITHIN_MS


@pytest.mark.parametrize("day", ["2026-01-01", "2026-12-31", "2027-02-28"])
def test_a_year_of_minutes_is_not_walked_to_reach_the_start(day: str) -> None:
    rrule = f"FREQ=YEARLY;COUNT=366;BYDAY=MO,TU,WE,TH,FR,SA,SU;{HOURS};{MINUTES}"
    start = datetime.fromisoformat(f"{day}T23:59")

    assert RULES.expand(rrule, start, ZONE).starts[:2] == (start, start + timedelta(minutes=1))
    assert best_ms(lambda: answer(rrule, start)) < WITHIN_MS


@pytest.mark.parametrize(
    ("rrule", "reason"),
    [
        ("", MALFORMED),
        ("COUNT=3", NO_FREQ),
        ("FREQ=WEEKLY", "needs COUNT or UNTIL"),
        ("FREQ=WEEKLY;COUNT=3;UNTIL=20260401", "COUNT or UNTIL, not both"),
        ("FREQ=WEEKLY;COUNT=0", "COUNT is a number of at least 1"),
        ("FREQ=WEEKLY;COUNT=-1", "COUNT is a number of at least 1"),
        ("FREQ=WEEKLY;COUNT=1;INTERVAL=0", "INTERVAL is a number of at least 1"),
        ("FREQ=WEEKLY;COUNT=1;INTERVAL=+2", "INTERVAL is a number of at least 1"),
        ("FREQ=WEEKLY;COUNT=1;COUNT=2", "COUNT once"),
        ("FREQ=WEEKLY;COUNT=1;BYDAY=MO;BYDAY=TU", "BYDAY once"),
        ("FREQ=DAILY;COUNT=1;BYEASTER=0", "BYEASTER is no part of a rule"),
        ("FREQ=DAILY;COUNT=1;BYWEEKDAY=MO", "BYWEEKDAY is no part of a rule"),
        ("FREQ=MONTHLY;COUNT=1;RSCALE=CHINESE", "RSCALE is no part of a rule"),
        ("FREQ=DAILY;COUNT=1;BYSECOND=0,30", "BYSECOND is 0…0"),
        ("FREQ=DAILY;COUNT=1;BYHOUR=24", "BYHOUR is 0…23"),
        ("FREQ=DAILY;COUNT=1;BYHOUR=-1", "BYHOUR is 0…23"),
        ("FREQ=DAILY;COUNT=1;BYMINUTE=60", "BYMINUTE is 0…59"),
        ("FREQ=DAILY;COUNT=1;BYMONTH=13", "BYMONTH is 1…12"),
        ("FREQ=DAILY;COUNT=1;BYMONTHDAY=0", "BYMONTHDAY is 1…31, or negative"),
        ("FREQ=DAILY;COUNT=1;BYMONTHDAY=-32", "BYMONTHDAY is 1…31, or negative"),
        ("FREQ=YEARLY;COUNT=1;BYYEARDAY=367", "BYYEARDAY is 1…366, or negative"),
        ("FREQ=YEARLY;COUNT=1;BYWEEKNO=54", "BYWEEKNO is 1…53, or negative"),
        ("FREQ=YEARLY;COUNT=1;BYMONTH=1;BYSETPOS=0", "BYSETPOS is 1…366, or negative"),
        ("FREQ=DAILY;COUNT=1;BYMONTH=1,", "BYMONTH is a list of numbers"),
        ("FREQ=DAILY;COUNT=1;BYMONTH=MO", "BYMONTH is a list of numbers"),
        ("FREQ=WEEKLY;COUNT=1;BYMONTHDAY=1", "BYMONTHDAY does not go with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;COUNT=1;BYYEARDAY=1", "BYYEARDAY does not go with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;COUNT=1;BYWEEKNO=1", "BYWEEKNO does not go with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;COUNT=1;BYSETPOS=1", "BYSETPOS needs another BY… part to choose from"),
        ("FREQ=MONTHLY;COUNT=1;BYSECOND=0;BYSETPOS=1", "BYSETPOS needs another BY… part to choose from"),
        ("FREQ=WEEKLY;COUNT=1;BYDAY=XX", NO_WEEKDAYS),
        ("FREQ=WEEKLY;COUNT=1;BYDAY=MO,", NO_WEEKDAYS),
        ("FREQ=WEEKLY;COUNT=1;BYDAY=MO(+1)", MALFORMED),
        ("FREQ=MONTHLY;COUNT=1;BYDAY=0MO", NO_WEEKDAYS),
        (
            "FREQ=WEEKLY;COUNT=1;BYDAY=1MO",
            "BYDAY has numbers only with FREQ=MONTHLY or YEARLY, and without BYWEEKNO",
        ),
        (
            "FREQ=YEARLY;COUNT=1;BYWEEKNO=1;BYDAY=1MO",
            "BYDAY has numbers only with FREQ=MONTHLY or YEARLY, and without BYWEEKNO",
        ),
        ("FREQ=MONTHLY;COUNT=1;BYDAY=6MO", "a weekday's number in BYDAY is at most 5"),
        ("FREQ=YEARLY;BYMONTH=12;COUNT=1;BYDAY=53MO", "a weekday's number in BYDAY is at most 5"),
        ("FREQ=YEARLY;COUNT=1;BYDAY=-54MO", "a weekday's number in BYDAY is at most 53"),
        ("FREQ=WEEKLY;COUNT=1;WKST=1MO", "WKST is a weekday, such as MO"),
        ("FREQ=DAILY;UNTIL=2026-04-01", NO_UNTIL),
        ("FREQ=DAILY;UNTIL=20260431", NO_UNTIL),
        ("FREQ=DAILY;UNTIL=20260401T09", NO_UNTIL),
        ("FREQ=DAILY;UNTIL=20260401T250000Z", NO_UNTIL),
        ("FREQ=DAILY;UNTIL=20260401Z", NO_UNTIL),
        ("FREQ=DAILY;UNTIL=TOMORROW", NO_UNTIL),
        ("FREQ=DAILY;COUNT=1;", MALFORMED),
        ("FREQ=DAILY; COUNT=1", MALFORMED),
        ("FREQ=DAILY;COUNT=1\n", MALFORMED),
        ("FREQ=DAILY;COUNT=1_0", MALFORMED),
        ("FREQ=DAILY;COUNT=1\r\nEXDATE:20260304T090000", MALFORMED),
        ("DTSTART:19700101T000000\nRRULE:FREQ=DAILY;COUNT=1", MALFORMED),
        ("RRULE:RRULE:FREQ=DAILY;COUNT=1", MALFORMED),
        ("EXRULE:FREQ=DAILY;COUNT=1", MALFORMED),
        ("FREQ=DAILY;COUNT=1\x00", MALFORMED),
        ("FREQ=DAILY;COUNT=١", "ASCII characters only"),
        ("FREQ=DAıLY;COUNT=1", "ASCII characters only"),
    ],
    ids=ascii,
)
def test_what_the_rfc_does_not_allow_is_refused_with_a_reason(rrule: str, reason: str) -> None:
    assert answer(rrule) == f"rrule: {reason}"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("RRULE:FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;COUNT=3"),
        ("rrule:count=03;byday=we,mo,we;freq=weekly", "FREQ=WEEKLY;COUNT=3;BYDAY=MO,WE"),
        ("WKST=MO;INTERVAL=1;BYSECOND=0;COUNT=3;FREQ=DAILY", "FREQ=DAILY;COUNT=3"),
        ("FREQ=WEEKLY;WKST=SU;INTERVAL=02;COUNT=3", "FREQ=WEEKLY;COUNT=3;INTERVAL=2;WKST=SU"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=FR,+1MO,-1MO", "FREQ=MONTHLY;COUNT=3;BYDAY=-1MO,1MO,FR"),
        ("FREQ=DAILY;BYMINUTE=30,00;BYHOUR=09;UNTIL=20260401t090000z",
         "FREQ=DAILY;UNTIL=20260401T090000Z;BYHOUR=9;BYMINUTE=0,30"),
        ("FREQ=YEARLY;COUNT=1;BYSETPOS=-1;BYYEARDAY=+9,-9;BYMONTHDAY=2;BYMONTH=3,1;BYWEEKNO=5",
         "FREQ=YEARLY;COUNT=1;BYMONTH=1,3;BYWEEKNO=5;BYYEARDAY=-9,9;BYMONTHDAY=2;BYSETPOS=-1"),
    ],
)  # fmt: skip
def test_a_rule_is_kept_in_one_form(given: str, kept: str) -> None:
    assert read(given).text == kept
    assert read(kept).text == kept


def test_an_expansion_tells_the_form_to_keep() -> None:
    assert RULES.expand("rrule:freq=daily;count=2", START, ZONE).rrule == "FREQ=DAILY;COUNT=2"


@pytest.mark.parametrize(
    ("start", "zone", "exdates", "field"),
    [
        (START.replace(tzinfo=UTC), ZONE, [], "start_local"),
        (START.replace(second=1), ZONE, [], "start_local"),
        (START.replace(microsecond=1), ZONE, [], "start_local"),
        (datetime.fromisoformat("0001-01-01T00:00"), ZONE, [], "start_local"),
        (datetime.fromisoformat("9999-12-31T23:59"), ZONE, [], "start_local"),
        (START, "Mars/Olympus", [], "time_zone"),
        (START, "../etc/passwd", [], "time_zone"),
        (START, "", [], "time_zone"),
        (START, ZONE, [START.replace(tzinfo=UTC)], "exdates"),
        (START, ZONE, [START] * 367, "exdates"),
        (START, ZONE, [START, START + timedelta(days=1)], "exdates"),
    ],
    ids=[
        "offset",
        "seconds",
        "fractions",
        "year 1",
        "year 9999",
        "Mars",
        "path",
        "no zone",
        "exdate offset",
        "367",
        "all",
    ],
)
def test_what_the_rule_is_applied_to_is_checked_too(
    start: datetime, zone: str, exdates: list[datetime], field: str
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        RULES.expand("FREQ=DAILY;COUNT=2", start, zone, exdates)

    assert refusal.value.field == field


@pytest.mark.parametrize("year", [1970, 2999])
def test_the_first_and_the_last_year_of_a_start_are_possible(year: int) -> None:
    start = START.replace(year=year)

    assert len(RULES.expand("FREQ=DAILY;COUNT=366", start, ZONE).starts) == 366
