"""Small, crowded worlds: a night on which a clock changes, few resources, few customers, and everyone at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from domain.pool import Strategy
from domain.refusals import Refusal
from domain.resource import Shift, Span
from domain.service import BookingLimit, Holder, Period, Requirement, Terms
from domain.wall_clock import WEEKDAYS
from tests.engine.both import Both
from tests.engine.reference import Pool, Resource, minute_of, wall
from tests.engine.reference_rules import candidates, too_few

KINDS = ("room", "chair")
A_QUARTER = 15
OPENS_BEFORE = timedelta(hours=10)
"""So long before the night's turn a world begins."""


@dataclass(frozen=True)
class Night:
    """At ``turn`` a clock changes, or a month begins."""

    turn: datetime
    time_zones: tuple[str, ...]


JUMPS = (
    Night(datetime(2026, 3, 8, 7, tzinfo=UTC), ("America/New_York", "UTC")),
    Night(datetime(2026, 4, 4, 15, tzinfo=UTC), ("Australia/Lord_Howe", "Asia/Kathmandu")),
    Night(datetime(2026, 10, 25, 1, tzinfo=UTC), ("Europe/London", "Asia/Tokyo")),
    Night(datetime(2026, 4, 5, 3, tzinfo=UTC), ("America/Santiago", "America/New_York")),
    Night(datetime(2026, 10, 3, 15, 30, tzinfo=UTC), ("Australia/Lord_Howe", "UTC")),
)
NIGHTS = (*JUMPS, Night(datetime(2026, 6, 1, tzinfo=UTC), ("UTC", "Etc/GMT-1")))


@dataclass(frozen=True)
class World:
    """As drawn. Hours are from minute to minute, counted from what the wall shows at the turn."""

    night: Night
    time_zone: str
    resources: list[tuple[str, str, int, bool, list[tuple[int, int]]]]
    pools: list[tuple[list[int], Strategy]]
    services: list[dict[str, Any]]
    customers: int
    theme: str


ALL_DAY = [(-1440, 1440)]
FREELY = {
    "max_advance_days": 30,
    "min_notice_min": 0,
    "approval_required": False,
    "customer_overlap_allowed": True,
    "booking_limits": (),
}
"""Terms under which little is refused, so that what is to be seen is soon reached."""

THEMES: dict[str, dict[str, Any]] = {
    "anything": {},
    "groups": FREELY | {"seats": 3},
    "crowds": FREELY | {"seats": 1, "buffer_before_min": 0},
    "pools": FREELY | {"seats": 1},
    "people": {"seats": 1, "customer_overlap_allowed": False, "min_notice_min": 0},
    "hours": FREELY | {"seats": 1, "slot_step_min": 15, "buffer_before_min": 0, "buffer_after_min": 0},
}
"""What a world is about: terms that all of its services have."""

odd_hours = st.sampled_from(
    [
        [(-120, 240)],
        [(-60, 60), (90, 300)],
        [(-45, -15), (-10, 30), (75, 180)],
        [(-600, 0), (30, 500)],
    ]
)
"""They begin and end before, at, within and after a jump of the clock at the turn."""
hours = st.one_of(st.just(ALL_DAY), st.just(ALL_DAY), odd_hours)
limits = st.lists(
    st.builds(BookingLimit, st.sampled_from(Holder), st.sampled_from(Period), st.integers(1, 3)),
    max_size=2,
    unique_by=lambda limit: (limit.per, limit.period),
).map(tuple)


@st.composite
def terms(draw: st.DrawFn, count: int, pools: int, theme: str = "anything") -> dict[str, Any]:
    """The requirements are ``(what, which, quantity)``, for ``which`` has no id yet."""
    named = st.tuples(st.just("resource"), st.integers(0, count - 1), st.just(1))
    kind = st.tuples(st.just("kind"), st.integers(0, len(KINDS) - 1), st.sampled_from([1, 1, 1, 2]))
    pool = st.tuples(st.just("pool"), st.integers(0, pools - 1), st.sampled_from([1, 1, 1, 2])) if pools else kind
    if theme in {"groups", "crowds"}:
        kind = st.tuples(st.just("kind"), st.just(0), st.sampled_from([1, 1, 2] if theme == "crowds" else [1]))
    one = {"groups": kind, "crowds": kind, "pools": pool}.get(theme, st.one_of(pool, kind, named))
    several = st.lists(one, min_size=1, max_size=3, unique_by=_once)
    needs: st.SearchStrategy[Any] = st.one_of(st.tuples(one), st.tuples(one), several)
    if theme in {"groups", "crowds"}:
        needs = st.tuples(one)
    drawn = {
        "needs": draw(needs),
        "duration_min": draw(st.sampled_from([30, 45, 60, 90])),
        "buffer_before_min": draw(st.sampled_from([0, 0, 0, 10])),
        "buffer_after_min": draw(st.sampled_from([0, 0, 0, 15, 20])),
        "slot_step_min": draw(st.sampled_from([15, 15, 15, 30, 20])),
        "min_notice_min": draw(st.sampled_from([0, 0, 0, 60])),
        "max_advance_days": draw(st.sampled_from([1, 2, 30])),
        "cancellation_notice_min": draw(st.sampled_from([0, 120])),
        "seats": draw(st.sampled_from([1, 1, 1, 2, 3])),
        "approval_required": draw(st.sampled_from([False, False, True])),
        "customer_overlap_allowed": draw(st.sampled_from([False, False, True])),
        "booking_limits": draw(st.one_of(st.just(()), st.just(()), limits)),
        "offer_min": draw(st.sampled_from([10, 60])),
        "no_show_after_min": draw(st.sampled_from([None, 5])),
        "release_after_min": draw(st.sampled_from([None, 10])),
    }
    return drawn | THEMES[theme]


def _once(need: tuple[str, int, int]) -> object:
    """A resource is named once; any one of a kind or a pool may be asked for twice."""
    return need if need[0] == "resource" else (need, object())


@st.composite
def worlds(draw: st.DrawFn, themes: Sequence[str] = tuple(THEMES)) -> World:
    theme = draw(st.sampled_from(themes))
    night = draw(st.sampled_from(JUMPS if theme == "hours" else NIGHTS))
    zones = st.sampled_from((night.time_zones[0], *night.time_zones))
    capacities = {"crowds": [2, 3, 3], "groups": [1], "pools": [1, 1, 2]}.get(theme, [1, 1, 1, 2, 3])
    kinds = KINDS[:1] if theme in {"groups", "crowds", "pools"} else (KINDS[0], *KINDS)
    resource = st.tuples(
        st.sampled_from(kinds),
        zones,
        st.sampled_from(capacities),
        st.booleans(),
        {"hours": odd_hours, "anything": hours}.get(theme, st.just(ALL_DAY)),
    )
    resources = draw(st.lists(resource, min_size=1 if theme == "crowds" else 2, max_size=4))
    members = st.lists(st.integers(0, len(resources) - 1), min_size=1, max_size=4, unique=True)
    pools = draw(st.lists(st.tuples(members, st.sampled_from(Strategy)), max_size=2))
    if theme == "pools":
        pools.append((list(range(len(resources))), draw(st.sampled_from(Strategy))))
    services = draw(st.lists(terms(len(resources), len(pools), theme), min_size=1, max_size=3))
    return World(night, draw(zones), resources, pools, services, draw(st.integers(2, 4)), theme)


@dataclass
class Opened:
    """A world that was opened in both engines: what there is, in the order in which it came."""

    world: World
    both: Both
    location_id: UUID
    resource_ids: list[UUID]
    service_ids: list[UUID]
    customer_ids: list[UUID]
    stranger_id: UUID
    """A customer who never books."""

    def start(self, quarter: int, odd_min: int = 0, days: int = 0) -> int:
        """So many quarters of an hour after the turn."""
        return minute_of(self.world.night.turn) + quarter * A_QUARTER + odd_min + days * 1440


def opened(world: World) -> Opened:
    both = Both(now=world.night.turn - OPENS_BEFORE, time_zone=world.time_zone)
    desk, house = both.desk, both.house
    location = desk.location(world.time_zone)
    for kind, time_zone, capacity, is_there, its_hours in world.resources:
        week = around(time_zone, world.night.turn, its_hours)
        added = desk.resource(
            kind,
            capacity=capacity,
            time_zone=time_zone,
            shifts=shifts_of(week),
            location_id=location if is_there else None,
        )
        house.resources[added] = Resource(added, kind, time_zone, capacity, location if is_there else None, week)
    resource_ids = list(house.resources)
    for members, strategy in world.pools:
        ids = [resource_ids[member] for member in members]
        house.pools[desk.pool(*ids, strategy=strategy)] = Pool(ids, strategy)
    for drawn in world.services:
        its_terms = terms_of(drawn, both)
        try:
            service_id = desk.service(
                *its_terms.requirements, **{name: value for name, value in drawn.items() if name != "needs"}
            )
        except Refusal:
            continue  # more than any of them has
        if not too_few(candidates(house, its_terms)):
            house.services[service_id] = its_terms
    if not house.services:
        plain = Terms(name="Visit", duration_min=30, requirements=(Requirement(kind=world.resources[0][0]),))
        house.services[desk.service(*plain.requirements, duration_min=30)] = plain
    customers = [desk.customer() for _ in range(world.customers)]
    return Opened(world, both, location, resource_ids, list(house.services), customers, desk.customer())


def terms_of(drawn: dict[str, Any], both: Both) -> Terms:
    resource_ids, pool_ids = list(both.house.resources), list(both.house.pools)
    needs = tuple(
        Requirement(
            resource_id=resource_ids[which] if what == "resource" else None,
            kind=KINDS[which] if what == "kind" else None,
            pool_id=pool_ids[which] if what == "pool" else None,
            quantity=quantity,
        )
        for what, which, quantity in drawn["needs"]
    )
    plain = {name: value for name, value in drawn.items() if name != "needs"}
    return Terms(name="Visit", requirements=needs, **plain)


def around(time_zone: str, turn: datetime, spans: list[tuple[int, int]]) -> dict[int, list[tuple[int, int]]]:
    """The hours of each weekday, by the wall: these spans around what it would have shown at the turn."""
    shown = wall(time_zone, minute_of(turn) - 1).now
    at = shown.hour * 60 + shown.minute + 1
    week: dict[int, list[tuple[int, int]]] = {weekday: [] for weekday in range(7)}
    for weekday in week:
        clipped = [(max(at + start, 0), min(at + end, 1440)) for start, end in spans]
        week[weekday] = [(start, end) for start, end in clipped if start < end]
    return week


def shifts_of(week: dict[int, list[tuple[int, int]]]) -> tuple[Shift, ...]:
    return tuple(Shift(WEEKDAYS[weekday], Span(*span)) for weekday, spans in week.items() for span in spans)
