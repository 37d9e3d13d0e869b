"""The figures as a table, as a picture, and as the last line."""

import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Picture
from rich.table import Table

from tests.bench.figures import BY_KEY, Figure

MET, MISSED, SPREAD = "#2f7d5b", "#b3472f", "#1c2b33"


def table(figures: Sequence[Figure]) -> Table:
    shown = Table(title="What Daybook costs", title_justify="left")
    for column, justify in (
        ("", "left"),
        ("what", "left"),
        ("median", "right"),
        ("spread", "right"),
        ("must be", "right"),
    ):
        shown.add_column(column, justify=justify)  # type: ignore[arg-type]
    for figure in figures:
        target = BY_KEY[figure.key]
        low, high = figure.spread
        style = None if target.met_by(figure.value) else "red"
        made_of = "\n".join(f"  {name}: {_shown(value)}" for name, value in figure.details.items())
        what = f"{target.meaning}\n{made_of}" if made_of else target.meaning
        shown.add_row(
            figure.key, what, _shown(figure.value), f"{_shown(low)} … {_shown(high)}", target.wanted, style=style
        )
    return shown


def markdown(figures: Sequence[Figure]) -> str:
    """The same table for a README."""
    lines = ["| | What | Must be | Measured (median, spread) |", "|---|---|---|---|"]
    for figure in figures:
        target, (low, high) = BY_KEY[figure.key], figure.spread
        measured = f"{_shown(figure.value)} ({_shown(low)} … {_shown(high)})"
        lines.append(f"| `{figure.key}` | {target.meaning} | {target.wanted} | {measured} |")
    return "\n".join(lines) + "\n"


def chart(figures: Sequence[Figure], path: Path) -> None:
    """How far each figure is on the right side of its bound, as an SVG."""
    bounded = [figure for figure in figures if BY_KEY[figure.key].has_bound]
    picture = Picture(figsize=(9, 0.5 * len(bounded) + 1.2), layout="constrained")
    axes = picture.subplots()
    for place, figure in enumerate(bounded):
        target = BY_KEY[figure.key]
        middle, *ends = (target.times_better(value) for value in (figure.value, *figure.spread))
        axes.barh(place, middle, color=MET if target.met_by(figure.value) else MISSED)
        axes.plot(ends, [place, place], color=SPREAD, linewidth=2)
        label = f" {_shown(figure.value)} {target.unit}".rstrip() + f"  ({target.wanted})"
        axes.text(max(middle, *ends), place, label, va="center", fontsize=8)
    axes.axvline(1, color=SPREAD, linewidth=1)
    axes.set_yticks(range(len(bounded)), [figure.key for figure in bounded])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("times better than it must be: the line is the bound, the stroke the spread over the rounds")
    axes.margins(x=0.35)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, metadata={"Date": None})


def last_line(figures: Sequence[Figure]) -> str:
    """``bench: {json}``."""
    return "bench: " + json.dumps({figure.key: float(f"{figure.value:.4g}") for figure in figures})


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
