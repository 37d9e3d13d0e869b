"""The port that turns an RFC 5545 rule into the wall-clock starts of a series, before the command is submitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.service import ADVANCE_MAX_DAYS

WINDOW_MAX = timedelta(days=ADVANCE_MAX_DAYS + 1)
"""How far from its start a rule may reach. A visit is booked at most ``ADVANCE_MAX_DAYS`` ahead; the day more is for
what lies between two zones' dates."""
RRULE_CHARS_MAX = 500
EXDATES_MAX = 366


@dataclass(frozen=True, slots=True)
class Expansion:
    """``rrule`` is the rule's normal form, to be stored: without prefix, in capitals, its parts and their members in
    one order, defaults left out. ``starts`` are naive, ascending, each once, at least one.
    """

    rrule: str
    starts: tuple[datetime, ...]


class Recurrences(Protocol):
    def expand(self, rrule: str, start_local: datetime, time_zone: str, exdates: Sequence[datetime] = ()) -> Expansion:
        """Every start that the rule gives from ``start_local`` on, less ``exdates``: wall-clock times of ``time_zone``.

        ``start_local`` (DTSTART) is one of them only if it fits the rule. COUNT counts before ``exdates`` are taken
        out. A date that the zone skipped has no occurrence, and COUNT does not count it. A start may fall in a spring
        gap: ``domain.series.start_of`` says when it happens, and then two of one morning may happen at once.

        Raises ``InvalidValue`` (``rrule``, ``start_local``, ``time_zone`` or ``exdates``) within 100 ms.
        """
