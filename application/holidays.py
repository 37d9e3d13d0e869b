"""The port to the world's calendars of public holidays."""

from collections.abc import Collection, Sequence
from typing import Protocol

from domain.location import Holiday


class HolidayCalendar(Protocol):
    """What is known now: governments move holidays, so what was asked for is kept in a fact and never asked again.

    Synchronous, and at the first question slow: to be asked in a thread.
    """

    def holidays(self, country: str, subdivision: str | None, years: Collection[int]) -> Sequence[Holiday]:
        """The public holidays of those years by date, each date once.

        ``country`` is an ISO 3166-1 alpha-2 code, ``subdivision`` the part of an ISO 3166-2 code after the hyphen.
        Raises ``InvalidValue`` for one that no calendar is known of.
        """
