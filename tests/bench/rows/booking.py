"""Bookings beside three programs that do less, in turns: nothing at all, a row in a table, the library's own save.

And, to see what the machine can do, PostgreSQL's own benchmark with one insert a transaction, as many at a time.
"""

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

import psycopg

from infra.embedded import postgres_bin
from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.house import Bookings, open_house
from tests.bench.load import CONNECTIONS, put_load

KEYS = ("book_vs_noop", "book_vs_crud", "book_vs_library")
PER_SECOND_MAX = 6_000
"""More requests than this are not prepared for a second."""
BASELINES = ("noop", "crud", "library")
PLAIN_NOOP = "plain_noop"
_INSERTS = Path(__file__).parents[1] / "baselines" / "inserts.sql"
_TPS = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")


def measure(bench: Bench) -> Iterator[Figure]:
    with bench.database() as database, bench.daybook(database) as daybook:
        programs = {"book": daybook.urls[0]}
        programs |= {name: bench.baseline(name, daybook) for name in (*BASELINES, PLAIN_NOOP)}
        bookings = Bookings(open_house(daybook.urls[0]))
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE TABLE raw_insert (id uuid PRIMARY KEY, what text NOT NULL)")
        rates: defaultdict[str, list[float]] = defaultdict(list)
        p99: list[float] = []
        for url in programs.values():
            put_load(url, bookings.take(PER_SECOND_MAX), seconds=1, repeat=True)  # warm
        for number in range(bench.rounds):
            for name, url in programs.items():
                outcome = put_load(
                    url,
                    bookings.take(round(bench.seconds * PER_SECOND_MAX)),
                    seconds=bench.seconds,
                    repeat=name.endswith("noop"),  # it has no use for a slot of one's own
                )
                rates[name].append(outcome.per_second)
                if name == "book":
                    p99.append(outcome.p99_ms)
            rates["pgbench"].append(_raw_inserts(database, bench.seconds))
            bench.say(f"round {number + 1}: " + ", ".join(f"{n} {rates[n][-1]:,.0f}/s" for n in rates))
    for key, name in zip(KEYS, BASELINES, strict=True):
        details = {"bookings/s": median(rates["book"]), f"{name}/s": median(rates[name])}
        if key == KEYS[0]:
            details |= {
                "booking p99 ms": median(p99),
                "÷ a no-op that checks each signature": median(rates["book"]) / median(rates[PLAIN_NOOP]),
                "pgbench inserts/s": median(rates["pgbench"]),
            }
        yield Figure(key, [booked / other for booked, other in zip(rates["book"], rates[name], strict=True)], details)


def _raw_inserts(database_url: str, seconds: float) -> float:
    parts = urlsplit(database_url)
    where = ["-h", parse_qs(parts.query)["host"][0], "-U", parts.username or "", parts.path.lstrip("/")]
    how = ["-n", "-c", str(CONNECTIONS), "-j", "1", "-T", str(max(1, round(seconds))), "-f", str(_INSERTS)]
    said = subprocess.run([str(postgres_bin() / "pgbench"), *how, *where], capture_output=True, text=True, check=True)
    found = _TPS.search(said.stdout)
    assert found, said.stdout
    return float(found[1])
