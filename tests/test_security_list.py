"""Each promise of the README's security table has a test that is there and says so itself."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = range(1, 41)
_ROW = re.compile(r"^\| (\d+) \| (.+) \| \[`(\w+)`\]\((tests/[\w/]+\.py)\) \|$", re.MULTILINE)


def rows_proved_by(function: ast.FunctionDef | ast.AsyncFunctionDef, module: ast.Module) -> set[int]:
    """What it is marked with, by itself or with its whole module."""
    marks = [*function.decorator_list, *(one.value for one in module.body if isinstance(one, ast.Assign))]
    calls = [node for mark in marks for node in ast.walk(mark) if isinstance(node, ast.Call)]
    found = [call for call in calls if ast.unparse(call.func) == "pytest.mark.security"]
    return {int(ast.literal_eval(row)) for call in found for row in call.args}


def test_every_row_of_the_list_is_in_the_readme_with_a_test_that_proves_it() -> None:
    told = _ROW.findall((ROOT / "README.md").read_text())
    assert [int(number) for number, *_ in told] == list(ROWS)
    for number, _, name, path in told:
        module = ast.parse((ROOT / path).read_text())
        found = [
            node
            for node in ast.walk(module)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        ]
        assert len(found) == 1, f"row {number}: {path} has no test {name}"
        assert int(number) in rows_proved_by(found[0], module), f"{name} is not marked with row {number}"
