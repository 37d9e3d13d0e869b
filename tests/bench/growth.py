"""What becomes of it at 10, 100 and 1,000 times today's load: simulated, with the costs that this run has measured."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure as Picture
from rich.table import Table

from tests.bench.figures import Figure
from tests.bench.simulation import P99_MAX_MS, Costs, Deployment, simulate, smallest

TIMES = (1, 10, 100, 1_000)
API_COST, APPEND_COST, APPEND_EACH_COST = "to write: serve µs", "ms of an append", "ms of each booking in it"
TODAY_SHARE = 0.5
"""Today's load: this part of what one API process can book. The load under which lag is measured."""
BOOKINGS_MIN, BOOKINGS_MAX, SECONDS = 20_000, 150_000, 5
APIS = (1, 2, 4, 8, 16)


def costs_of(figures: Mapping[str, Figure]) -> Costs | None:
    """None where this run has not measured them."""
    if not {"booking_cpu_us", "append_max"} <= figures.keys():
        return None
    api, append = figures["booking_cpu_us"].details, figures["append_max"].details
    return Costs(
        api=float(api[API_COST]) / 1e6,
        append=float(append[APPEND_COST]) / 1e3,
        append_each=float(append[APPEND_EACH_COST]) / 1e3,
    )


def table(costs: Costs) -> Table:
    """At each load: one API process and one journal, and the least that answers in time."""
    shown = Table(title="At more than today's load (simulated)", title_justify="left")
    for column in (
        "load",
        "bookings/s",
        "as today: answered/s",
        "p99 ms",
        "API processes",
        "journals",
        "batch",
        "p99 ms",
    ):
        shown.add_column(column, justify="right")
    for times in TIMES:
        per_second = times * TODAY_SHARE / costs.api
        bookings = _enough(per_second)
        as_today = simulate(costs, Deployment(), per_second=per_second, bookings=bookings)
        least, outcome = smallest(costs, per_second, bookings=bookings)
        shown.add_row(
            f"{times:,}×",
            f"{per_second:,.0f}",
            f"{as_today.per_second:,.0f}",
            f"{as_today.p99_ms:,.0f}" if as_today.api_used < 1 - 1 / SECONDS else "grows",
            f"{least.apis:,}",
            f"{least.journals:,}",
            f"{outcome.batch:.0f}",
            f"{outcome.p99_ms:.0f}",
        )
    return shown


def chart(costs: Costs, path: Path) -> None:
    """How long a booking takes on one journal, by load and number of API processes: where a curve turns is its end."""
    picture = Picture(figsize=(9, 4.5), layout="constrained")
    axes = picture.subplots()
    for apis in APIS:
        ends_at = min(apis / costs.api, costs.journal_max)
        loads = [ends_at * share / 20 for share in range(1, 21)]
        axes.plot(loads, [_p99_ms(costs, apis, load) for load in loads], label=f"API processes: {apis}")
    axes.axvline(costs.journal_max, color="#1c2b33", linewidth=1, linestyle=":")
    axes.text(costs.journal_max, 1.2, "the journal, in full batches ", fontsize=8, ha="right")
    axes.axhline(P99_MAX_MS, color="#b3472f", linewidth=1, linestyle=":")
    axes.set(xlabel="bookings/s on one journal", ylabel="p99, ms", ylim=(1, 1_000), yscale="log", xscale="log")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, metadata={"Date": None})


def _p99_ms(costs: Costs, apis: int, per_second: float) -> float:
    return simulate(costs, Deployment(apis), per_second=per_second, bookings=BOOKINGS_MIN).p99_ms


def _enough(per_second: float) -> int:
    return min(BOOKINGS_MAX, max(BOOKINGS_MIN, round(per_second * SECONDS)))
