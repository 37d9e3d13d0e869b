"""Public holidays from the library ``holidays``: some 250 countries and their subdivisions, worked out offline."""

from collections.abc import Collection, Sequence

import holidays as library

from domain.location import HOLIDAY_NAME_MAX, Holiday
from domain.refusals import InvalidValue

ALPHA_2_CHARS = 2
WARM = ("PT", 2026)


class LibraryHolidayCalendar:
    """Implements ``application.holidays.HolidayCalendar``. A country not asked for before takes a few milliseconds."""

    def __init__(self) -> None:
        """Made when the process starts: the library loads what all countries share, 0.4 s, at the first question."""
        self._subdivisions = {
            country: frozenset(known)
            for country, known in library.list_supported_countries().items()
            if len(country) == ALPHA_2_CHARS
        }
        country, year = WARM
        self.holidays(country, None, (year,))

    @property
    def countries(self) -> Collection[str]:
        """The countries whose holidays are known."""
        return self._subdivisions.keys()

    def holidays(self, country: str, subdivision: str | None, years: Collection[int]) -> Sequence[Holiday]:
        if country not in self._subdivisions:
            raise InvalidValue("country", "the ISO 3166-1 code of a country whose holidays are known, such as BR")
        if subdivision is not None and subdivision not in self._subdivisions[country]:
            raise InvalidValue("subdivision", f"a subdivision of {country} whose holidays are known, or none")
        # Names in the country's own language; left to itself, the library would ask the machine's locale.
        language = getattr(library, country).default_language
        found = library.country_holidays(country, subdiv=subdivision, years=years, language=language)
        return [Holiday(day, name[:HOLIDAY_NAME_MAX]) for day, name in sorted(found.items())]
