"""Public holidays are those of the country, in its language, whatever the machine speaks."""

import os
import subprocess
import sys
from datetime import date

import pytest

from adapters.holiday_calendar import LibraryHolidayCalendar
from domain.location import Holiday, ensure_valid_holidays
from domain.refusals import InvalidValue


@pytest.fixture(scope="module")
def calendar() -> LibraryHolidayCalendar:
    return LibraryHolidayCalendar()


def test_holidays_are_by_date_with_the_countrys_own_names(calendar: LibraryHolidayCalendar) -> None:
    found = calendar.holidays("BR", None, (2026,))
    assert found[:2] == [
        Holiday(date(2026, 1, 1), "Confraternização Universal"),
        Holiday(date(2026, 4, 3), "Sexta-feira Santa"),
    ]
    ensure_valid_holidays(found)


def test_a_subdivision_has_holidays_besides(calendar: LibraryHolidayCalendar) -> None:
    national, local = (set(calendar.holidays("BR", part, (2026, 2027))) for part in (None, "SP"))
    assert Holiday(date(2026, 7, 9), "Revolução Constitucionalista") in local - national
    assert national - local == set()


def test_only_the_years_that_were_asked_for(calendar: LibraryHolidayCalendar) -> None:
    assert {holiday.day.year for holiday in calendar.holidays("JP", None, (2026, 2028))} == {2026, 2028}


@pytest.mark.parametrize(
    ("country", "subdivision", "field"),
    [
        ("XX", None, "country"),
        ("br", None, "country"),
        ("BRA", None, "country"),
        ("", None, "country"),
        ("default", None, "country"),
        ("BR", "ZZ", "subdivision"),
        ("BR", "", "subdivision"),
        ("SG", "SP", "subdivision"),
    ],
)
def test_what_no_calendar_is_known_of_is_refused(
    calendar: LibraryHolidayCalendar, country: str, subdivision: str | None, field: str
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        calendar.holidays(country, subdivision, (2026,))
    assert refusal.value.field == field


def test_every_country_that_is_offered_has_an_answer(calendar: LibraryHolidayCalendar) -> None:
    for country in calendar.countries:
        ensure_valid_holidays(calendar.holidays(country, None, (2026,)))
    assert len(calendar.countries) > 200


def test_the_machines_language_changes_nothing() -> None:
    asked = (
        "from adapters.holiday_calendar import LibraryHolidayCalendar as C;"
        "print([h.name for h in C().holidays('PT', None, (2026,))][0].encode('unicode_escape').decode())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", asked],
            env={**os.environ, "LANG": language, "LANGUAGE": language, "LC_ALL": language},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for language in ("pt_PT.UTF-8", "en_US.UTF-8", "C")
    }
    assert answers == {"Ano Novo\n"}
