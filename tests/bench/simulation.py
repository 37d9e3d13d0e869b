"""How far one journal goes, and what has to take over beyond: for loads that no machine at hand can make.

A discrete-event simulation of clients, API processes and journals. Each API process works through its requests one
after another and has one append under way at a time; what has gathered meanwhile is its next batch. A journal appends
one batch at a time, whoever sends it.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

BATCH_MAX = 256
API_BUSY_MAX = 0.7
"""Beyond, waiting grows faster than load."""
P99_MAX_MS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds. ``api``: what an API process works for one booking. ``append``: an append with its fsync, however many
    bookings there are in it; ``append_each``: what every one of them adds.
    """

    api: float
    append: float
    append_each: float

    @property
    def journal_max(self) -> float:
        """Bookings a second of one journal, whose every batch is full."""
        return BATCH_MAX / (self.append + BATCH_MAX * self.append_each)


@dataclass(frozen=True, slots=True)
class Deployment:
    """``apis`` are shared out among ``journals``, each of which has organizations of its own."""

    apis: int = 1
    journals: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """``api_used``, ``journal_used``: which part of what the busiest of them can do was needed."""

    per_second: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    api_used: float
    journal_used: float
    batch: float


@dataclass(slots=True)
class _Api:
    journal: "_Journal"
    free_at: float = 0.0
    worked: float = 0.0
    ready: deque[float] = field(default_factory=deque)
    """When each booking arrived that is decided and waits for the next append."""
    is_appending: bool = False


@dataclass(slots=True)
class _Journal:
    is_busy: bool = False
    batches: int = 0
    bookings: int = 0
    waiting: deque["_Api"] = field(default_factory=deque)


@dataclass(slots=True)
class _Run:
    costs: Costs
    clock: float = 0.0
    events: list[tuple[float, int, _Api, list[float] | float]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)
    took: list[float] = field(default_factory=list)

    def arrive(self, api: _Api, at: float) -> None:
        """A request: it is worked on as soon as the process is free, and then is ready to be appended."""
        api.free_at = max(at, api.free_at) + self.costs.api
        api.worked += self.costs.api
        heapq.heappush(self.events, (api.free_at, next(self.numbers), api, at))

    def finish(self) -> None:
        while self.events:
            self.clock, _, api, what = heapq.heappop(self.events)
            if isinstance(what, list):
                self._appended(api, what)
            else:
                api.ready.append(what)
            self._ask(api)

    def _ask(self, api: _Api) -> None:
        """Have the journal append what is ready, now or when its turn comes."""
        if api.is_appending or not api.ready:
            return
        api.is_appending = True
        if api.journal.is_busy:
            api.journal.waiting.append(api)
        else:
            self._append(api)

    def _append(self, api: _Api) -> None:
        batch = [api.ready.popleft() for _ in range(min(BATCH_MAX, len(api.ready)))]
        took = self.costs.append + len(batch) * self.costs.append_each
        journal = api.journal
        journal.is_busy = True
        journal.batches += 1
        journal.bookings += len(batch)
        heapq.heappush(self.events, (self.clock + took, next(self.numbers), api, batch))

    def _appended(self, api: _Api, batch: list[float]) -> None:
        self.took += [self.clock - arrived for arrived in batch]
        api.is_appending = api.journal.is_busy = False
        if api.journal.waiting:
            self._append(api.journal.waiting.popleft())


def simulate(costs: Costs, deployment: Deployment, *, per_second: float, bookings: int, seed: int = 1) -> Outcome:
    """``bookings`` arrive at random, ``per_second`` of them (a Poisson process); the same seed, the same outcome."""
    random = Random(seed)
    journals = [_Journal() for _ in range(deployment.journals)]
    apis = [_Api(journals[number % len(journals)]) for number in range(deployment.apis)]
    run, at = _Run(costs), 0.0
    for _ in range(bookings):
        at += random.expovariate(per_second)
        run.arrive(random.choice(apis), at)
    run.finish()
    run.took.sort()
    return Outcome(
        per_second=bookings / run.clock,
        mean_ms=sum(run.took) / bookings * 1000,
        p50_ms=run.took[bookings // 2] * 1000,
        p99_ms=run.took[bookings * 99 // 100] * 1000,
        api_used=max(api.worked for api in apis) / run.clock,
        journal_used=max(journal.bookings for journal in journals) / run.clock / costs.journal_max,
        batch=sum(journal.bookings for journal in journals) / sum(journal.batches for journal in journals),
    )


def smallest(costs: Costs, per_second: float, *, bookings: int) -> tuple[Deployment, Outcome]:
    """The fewest journals, each with API processes enough, whose p99 is at most ``P99_MAX_MS``."""
    apis = math.ceil(per_second * costs.api / API_BUSY_MAX)
    for journals in count(math.ceil(per_second / costs.journal_max)):
        deployment = Deployment(max(apis, journals), journals)
        outcome = simulate(costs, deployment, per_second=per_second, bookings=bookings)
        if outcome.p99_ms <= P99_MAX_MS:
            return deployment, outcome
    raise AssertionError("a single booking takes longer than that")
