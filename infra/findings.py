"""What an audit of the journal has found."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

FAULTS_MAX = 100
"""How many faults of each kind are described; all are counted."""

DOUBLE_BOOKING = "double booking"
DISORDER = "position out of order"
GAP = "version out of order"
ILLEGAL = "illegal transition"
MISMATCH = "claims that differ from their appointment"
NOTHING_TO_RELEASE = "release of a claim that is not there"
OVERSOLD = "more seats than the session has"
SEATS_LOST = "seats taken away from their appointment"
SEATS_MISMATCH = "seats that differ from their appointment"
SESSION_TWICE = "two sessions of a service at one start"
ENTRY_MISMATCH = "booking page that differs from its appointment"
CUSTOMER_TWICE = "customer in two places"
PASSED_OVER = "offer that passed somebody over"
UNBACKED = "offer without its hold"
FOREIGN = "claim on another organization's resource"
UNREADABLE = "unreadable fact"
UNKNOWN = "unknown topic"


@dataclass(frozen=True, slots=True)
class Fault:
    """``position`` is that of the fact at fault, ``against`` those of the facts that it contradicts."""

    kind: str
    position: int
    detail: str
    against: tuple[int, ...] = ()


@dataclass(slots=True)
class Findings:
    """``overrun_minutes``: the minutes, by resource, at which more was claimed than there is."""

    facts: int = 0
    claims: int = 0
    resources: int = 0
    appointments: int = 0
    overrun_minutes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    @property
    def double_bookings(self) -> int:
        return self.counts[DOUBLE_BOOKING]

    @property
    def clean(self) -> bool:
        return not self.counts

    def report(self, kind: str, position: int, detail: str, against: Iterable[int] = ()) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= FAULTS_MAX:
            self.faults.append(Fault(kind, position, detail, tuple(sorted(against))))
