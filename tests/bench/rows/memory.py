"""What an API process takes in memory after a million bookings, all of them over HTTP.

People book for some day of the next month, in two hundred rooms, and the month moves on through the year: in the end
a hundred thousand diary and booking pages were written, and every appointment is a stream besides.
"""

import re
import urllib.request
from collections.abc import Iterator
from random import Random

import psutil
import psycopg

from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.house import DAYS_MAX, PER_DAY, House, booking_request, open_house
from tests.bench.load import put_load

KEYS = ("memory_mb",)
BOOKINGS = 1_000_000
ROOMS, CUSTOMERS = 200, 2_400
AHEAD_DAYS = 30
CONNECTIONS = 64
PART_SECONDS = 20.0
SPARE = 1.5
"""So many times the requests that were answered in the fastest part are ready for each, and for the first as many as
nobody could answer."""
PER_SECOND_MAX = 6_000
READINGS = 10

_STREAMS = """
SELECT split_part(topic, '.', 1), count(*) FROM stored_events WHERE originator_version = 1 GROUP BY 1
"""


def measure(bench: Bench) -> Iterator[Figure]:
    yield memory_after(bench, BOOKINGS)


def memory_after(bench: Bench, bookings: int) -> Figure:
    with bench.database() as database, bench.daybook(database) as daybook:
        url, process = daybook.urls[0], psutil.Process(daybook.process_id("serve:0"))
        readings = [_mb(process)]
        coming = _Month(open_house(url, rooms=ROOMS, customers=CUSTOMERS), bookings)
        booked, seconds = 0, 0.0
        rates = [float(PER_SECOND_MAX)]
        requests: list[bytes] = []
        while booked < bookings:
            part_s = min(PART_SECONDS, max(1.0, (bookings - booked) / rates[-1]))
            fastest = max(rates[1:], default=rates[0])
            requests += coming.take(round(fastest * part_s * SPARE) - len(requests))
            outcome = put_load(url, requests, seconds=part_s, connections=CONNECTIONS)
            # What may have been sent besides what was answered is not sent again.
            requests = requests[outcome.answers + CONNECTIONS + 1 :]
            booked, seconds = booked + outcome.answers, seconds + outcome.seconds
            rates.append(outcome.per_second)
            readings.append(_mb(process))
            bench.say(f"{booked:,} bookings, {outcome.per_second:,.0f}/s, {readings[-1]:.0f} MB")
        told = _told(url)
        pages, appointments = _written(database)
    assert appointments >= booked, f"{booked} bookings were answered, {appointments} are in the journal"
    details: dict[str, float | str] = {
        "bookings": booked,
        "bookings/s": booked / seconds,
        "pages": pages,
        "MB on the way": " ".join(f"{one:.0f}" for one in readings[:: max(1, len(readings) // READINGS)]),
        "hit rate": told["hits_total"] / (told["hits_total"] + told["misses_total"]),
        "streams in memory": told["entries"],
    }
    return Figure("memory_mb", [max(readings)], details)


def _mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def _told(url: str) -> dict[str, float]:
    """What the process says of the streams in its memory."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found = (re.match(r'daybook_cache_(\w+)\{cache="streams"\} (.+)', line) for line in lines)
    return {one[1]: float(one[2]) for one in found if one}


def _written(database_url: str) -> tuple[int, int]:
    """Pages and appointments in the journal."""
    with psycopg.connect(database_url) as connection:
        counted: dict[str, int] = dict(connection.execute(_STREAMS).fetchall())
    return counted["resource_day"] + counted["booking_page"], counted["appointment"]


class _Month:
    """Bookings for a day of the next thirty, at random; on each day the rooms are booked from the morning on."""

    def __init__(self, house: House, bookings: int) -> None:
        self._house = house
        self._random = Random(bookings)
        self._per_day = -(-bookings // (DAYS_MAX - AHEAD_DAYS))
        self._made = 0
        self._taken: dict[tuple[int, int], int] = {}

    def take(self, how_many: int) -> list[bytes]:
        token = self._house.token()
        return [booking_request(self._next(), token) for _ in range(how_many)]

    def _next(self) -> dict[str, str]:
        house = self._house
        while True:
            day = min(self._made // self._per_day, DAYS_MAX - AHEAD_DAYS - 1) + self._random.randrange(AHEAD_DAYS)
            room = self._random.randrange(ROOMS)
            slot = self._taken.get((day, room), 0)
            if slot < PER_DAY:
                break
        self._taken[day, room] = slot + 1
        self._made += 1
        return {
            "service_id": house.services[room],
            "start": house.start_of(day * PER_DAY + slot),
            # Of those who come to this room only: nobody is to be in two rooms at once.
            "customer_id": house.customers[room + ROOMS * self._random.randrange(CUSTOMERS // ROOMS)],
        }
