"""Public holidays from the library ``holidays``: some 250 countries and their subdivisions, worked out offline."""

from collections.abc import Collection, Sequence

from domain.location import HOLIDAY_NAME_MAX, Holiday
from domain.refusals import InvalidValue

ALPHA_2_CHARS = 2


class LibraryHolidayCalendar:
    """Implements ``application.holidays.HolidayCalendar``.

    The library loads all its countries at the first question, which takes a tenth of a second and 12 MB: most
    processes are never asked. So it is imported then, and asked in a thread.
    """

    @property
    def countries(self) -> Collection[str]:
        """The countries whose holidays are known."""
        return self._subdivisions().keys()

    def holidays(self, country: str, subdivision: str | None, years: Collection[int]) -> Sequence[Holiday]:
        import holidays as library

        known = self._subdivisions()
        if country not in known:
            raise InvalidValue("country", "the ISO 3166-1 code of a country whose holidays are known, such as BR")
        if subdivision is not None and subdivision not in known[country]:
            raise InvalidValue("subdivision", f"a subdivision of {country} whose holidays are known, or none")
        # Names in the country's own language; left to itself, the library would ask the machine's locale.
        language = getattr(library, country).default_language
        found = library.country_holidays(country, subdiv=subdivision, years=years, language=language)
        return [Holiday(day, name[:HOLIDAY_NAME_MAX]) for day, name in sorted(found.items())]

    def _subdivisions(self) -> dict[str, list[str]]:
        """Of each country. The library keeps what it is asked here."""
        import holidays as library

        listed = library.list_supported_countries()
        return {country: parts for country, parts in listed.items() if len(country) == ALPHA_2_CHARS}
