"""Two API processes and many clients who all want the same slots, beside as many who each want their own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.house import PER_DAY, Bookings, House, booking_request, open_house
from tests.bench.load import put_load

KEYS = ("book_contended",)
CLIENTS = 64
PER_SECOND_MAX = 6_000
TRIES_PER_SLOT = 8
"""Of so many who want a slot one gets it. The others are refused, each by a decision of its own."""
FROM_DAY = 150


def measure(bench: Bench) -> Iterator[Figure]:
    with bench.database() as database, bench.daybook(database, apis=2) as daybook:
        house = open_house(daybook.urls[0])
        free, contested = Bookings(house), _Contested(house)
        rates: dict[str, list[float]] = {"own": [], "same": []}
        refused: list[float] = []
        for number in range(bench.rounds + 1):
            wanted = round(bench.seconds * PER_SECOND_MAX / 2)
            own, _ = _both(daybook.urls, free.take(wanted), free.take(wanted), bench.seconds)
            same, refusals = _both(daybook.urls, *contested.take(wanted), bench.seconds)
            if number == 0:
                continue  # warm
            rates["own"].append(own)
            rates["same"].append(same)
            refused.append(refusals)
            bench.say(f"round {number}: own slots {own:,.0f}/s, the same slots {same:,.0f}/s, {refusals:.0%} refused")
    details = {"contended decisions/s": median(rates["same"]), "own slots, decisions/s": median(rates["own"])}
    ratios = [same / own for same, own in zip(rates["same"], rates["own"], strict=True)]
    yield Figure("book_contended", ratios, details | {"of them refused": median(refused)})


def _both(urls: list[str], first: list[bytes], second: list[bytes], seconds: float) -> tuple[float, float]:
    """Decisions a second by both processes together, and which part of them were refusals."""
    with ThreadPoolExecutor(2) as threads:
        loads = [
            threads.submit(put_load, url, requests, seconds=seconds, connections=CLIENTS // 2, errors_allowed=True)
            for url, requests in zip(urls, (first, second), strict=True)
        ]
        outcomes = [load.result() for load in loads]
    errors = sum(outcome.errors for outcome in outcomes)
    return sum(outcome.per_second for outcome in outcomes), errors / sum(outcome.answers for outcome in outcomes)


class _Contested:
    """The same slots for both processes at the same time. Nobody else books so far ahead."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._number = FROM_DAY * PER_DAY * TRIES_PER_SLOT

    def take(self, how_many: int) -> tuple[list[bytes], list[bytes]]:
        """As many for each of the two processes."""
        token = self._house.token()
        bodies = [self._body() for _ in range(2 * how_many)]
        requests = [booking_request(body, token) for body in bodies]
        return requests[0::2], requests[1::2]

    def _body(self) -> dict[str, str]:
        house, self._number = self._house, self._number + 1
        return {
            "service_id": house.services[0],
            "start": house.start_of(self._number // TRIES_PER_SLOT),
            "customer_id": house.customers[self._number % len(house.customers)],
        }
