"""What the README says of costs is what the bench prints."""

import re
from pathlib import Path

from tests.bench.figures import TARGETS

README = Path(__file__).parents[2] / "README.md"
_TABLE = re.compile(r"<!-- bench -->\n(.*?)<!-- /bench -->", re.DOTALL)


def test_the_readme_has_a_row_for_every_figure_with_its_bound() -> None:
    found = _TABLE.search(README.read_text())
    assert found
    told = {row.split("|")[1].strip(" `"): row for row in found[1].splitlines() if row.startswith("| `")}
    assert list(told) == [target.key for target in TARGETS]
    for target in TARGETS:
        assert f"| {target.meaning} | {target.wanted} |" in told[target.key]
