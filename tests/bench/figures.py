"""What is measured, and what has to come out of it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """``unit`` is empty for a ratio. Without ``at_least`` and ``at_most`` a figure has only to be seen."""

    key: str
    meaning: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    @property
    def has_bound(self) -> bool:
        return self.at_least is not None or self.at_most is not None

    def times_better(self, value: float) -> float:
        """1 at the bound, more on its right side. Only of a target with a bound."""
        if self.at_least is not None:
            return value / self.at_least
        assert self.at_most is not None
        return self.at_most / value

    def met_by(self, value: float) -> bool:
        return not self.has_bound or self.times_better(value) >= 1

    @property
    def wanted(self) -> str:
        if not self.has_bound:
            return "–"
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {bound:,g}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. ``rounds`` has the figure of each round, so its median is the row's value.

    ``details``: what the figure is made of, such as ``{"bookings/s": 1_830.0}``, medians as well.
    """

    key: str
    rounds: Sequence[float]
    details: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def value(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.rounds), max(self.rounds)


TARGETS = (
    Target("book_vs_noop", "bookings/s ÷ authenticated no-op POSTs/s", at_least=0.55),
    Target("book_vs_crud", "bookings/s ÷ CRUD inserts/s", at_least=1.3),
    Target("book_vs_library", "bookings/s ÷ saves/s of the event store's library", at_least=4),
    Target("book_contended", "decisions/s for the same slots ÷ for slots of one's own, 2 API processes", at_least=0.5),
    Target("book_flat", "cost with 200,000 earlier bookings ÷ with none", at_most=1.15),
    Target("slots_vs_noop", "GET slots/s (one resource, 31 days) ÷ authenticated no-op GETs/s", at_least=0.5),
    Target("slots_pool", "GET slots of 200 resources × 31 days, 124 bookings each, p50", at_most=15, unit="ms"),
    Target("slots_flat", "cost of GET slots with 10× the bookings ÷ 1×", at_most=1.1),
    Target("follow", "facts/s that one projector applies ÷ that one API process writes at its peak", at_least=2),
    Target("lag_p99_ms", "commit → visible in a read model, at half of peak load, p99", at_most=250, unit="ms"),
    Target("socket_p99_ms", "commit → frame at a subscriber, 200 of them, same load, p99", at_most=300, unit="ms"),
    Target("rebuild", "facts/s of a rebuild of calendars from 1,000,000 facts", at_least=20_000, unit="facts/s"),
    Target("memory_mb", "resident set of an API process after 1,000,000 bookings", at_most=400, unit="MB"),
    Target("start_s", "`daybook serve` ready", at_most=2, unit="s"),
    Target("booking_cpu_us", "CPU of one booking, all processes together", unit="µs"),
    Target("append_max", "bookings/s that the journal takes, in batches of 256, with one at a time", unit="bookings/s"),
)
BY_KEY: Mapping[str, Target] = {target.key: target for target in TARGETS}
