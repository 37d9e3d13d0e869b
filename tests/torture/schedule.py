"""Which fault comes when: decided by the seed alone, so that a run that failed can be had again."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

FOLLOWERS = ("relay", "project", "notify", "timekeeper")
KILLED = ("serve:0", "serve:1", "checkpoint", *FOLLOWERS)
PAUSED = ("serve:1", "relay", "project", "notify")


@dataclass(frozen=True, slots=True)
class Fault:
    """``what`` happens to ``whom``, this long after the stack serves again."""

    what: str
    whom: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Profile:
    """``faults``: how often each kind; ``clients``: how many at once; ``disk_mb``: PostgreSQL's.

    On a machine so slow that the faults take longer than ``at_most_s``, the rest is left out, and that is said.
    """

    name: str
    clients: int
    subscribers: int
    faults: dict[str, int]
    gap_s: tuple[float, float]
    operations_per_s: float
    disk_mb: int
    at_most_s: float


_SMOKE = {"kill": 1, "lose_commit": 1}

BITES = Profile("bites", 16, 4, {}, (0.0, 0.0), 80.0, 500, 120.0)
"""Of ``make torture-bites``: each bug brings its own faults."""

PROFILES = {
    "smoke": Profile("smoke", 8, 4, _SMOKE, (0.5, 1.0), 40.0, 500, 120.0),
    "short": Profile(
        "short",
        16,
        6,
        {
            "kill": 8,
            "pause": 2,
            "lose_commit": 5,
            "lose_provider_answer": 3,
            "cut_database": 2,
            "stop_postgres": 2,
            "wipe_broker": 1,
            "wipe_redis": 2,
            "second_relay": 1,
            "fill_disk": 1,
            "skew_clock": 1,
        },
        (0.5, 2.0),
        40.0,
        700,
        240.0,
    ),
    "long": Profile(
        "long",
        64,
        16,
        {
            "kill": 48,
            "pause": 12,
            "lose_commit": 30,
            "lose_provider_answer": 20,
            "cut_database": 10,
            "stop_postgres": 8,
            "wipe_broker": 3,
            "wipe_redis": 3,
            "second_relay": 3,
            "fill_disk": 2,
            "skew_clock": 3,
        },
        (0.5, 4.0),
        80.0,
        2_000,
        3_600.0,
    ),
}


def schedule(seed: int, profile: Profile) -> Sequence[Fault]:
    """The same for the same seed and profile."""
    random = Random(seed)
    kinds = [kind for kind, times in profile.faults.items() for _ in range(times)]
    random.shuffle(kinds)
    killed = [KILLED[number % len(KILLED)] for number in range(profile.faults.get("kill", 0))]
    random.shuffle(killed)
    faults = []
    for kind in kinds:
        whom = killed.pop() if kind == "kill" else random.choice(PAUSED) if kind == "pause" else ""
        if kind == "skew_clock":
            whom = random.choice(("notify", "timekeeper"))
        faults.append(Fault(kind, whom, round(random.uniform(*profile.gap_s), 2)))
    return faults
