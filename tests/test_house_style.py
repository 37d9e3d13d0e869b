"""The house rules that a linter does not know: sizes, names, and calls that have a better place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("domain", "application", "projections", "adapters", "api", "infra", "tests")
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
MODULE_LINES_MEDIAN_MAX = 120
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "core", "manager", "managers", "services", "models"}
"""``domain/service.py`` is the vocabulary's Service; any other module of that name would be vague."""

LONGER_WITH_A_REASON: dict[str, str] = {}
"""Modules above the limit, each with why it is one thing."""

BANNED_INSIDE = {
    "datetime.now": "take `now` as an argument",
    "datetime.utcnow": "take `now` as an argument",
    "datetime.today": "take `now` as an argument",
    "date.today": "take the day as an argument",
    "time.time": "take `now` as an argument",
    "uuid4": "derive the id from the command's id, so that a retry makes the same object",
    "uuid.uuid4": "derive the id from the command's id, so that a retry makes the same object",
    "uuid1": "derive the id from the command's id, so that a retry makes the same object",
    "random.random": "a decision gives the same answer each time",
    "random.choice": "a decision gives the same answer each time",
    "print": "return it, or raise a Refusal",
    "open": "reach the outside through a port",
}
"""Calls that the domain may not make, each with what to do instead."""

BANNED_EVERYWHERE = {
    "datetime.utcnow": "datetime.now(UTC)",
    "os.system": "subprocess.run with a list",
    "eval": "nothing: parse it",
}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", modules(*FOLDERS), ids=named)
def test_a_module_is_small_enough_to_be_read_whole(path: Path) -> None:
    lines = len(path.read_text().splitlines())

    assert lines <= MODULE_LINES_MAX or named(path) in LONGER_WITH_A_REASON, f"{lines} lines: split it, or say why not"


def test_modules_are_small_as_a_rule() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in modules(*FOLDERS) if path.name != "__init__.py")

    assert lengths[len(lengths) // 2] <= MODULE_LINES_MEDIAN_MAX


@pytest.mark.parametrize("path", modules(*FOLDERS), ids=named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    lengths = {
        f"{function.name} (line {function.lineno})": (function.end_lineno or 0) - function.lineno + 1
        for function in functions(ast.parse(path.read_text()))
    }

    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


@pytest.mark.parametrize("path", modules(*FOLDERS), ids=named)
def test_a_module_is_named_for_what_it_does(path: Path) -> None:
    assert path.stem not in VAGUE
    assert path.stem != "service" or path.parent.name == "domain"


@pytest.mark.parametrize("path", modules("domain", "application"), ids=named)
def test_clock_ids_and_chance_come_from_outside(path: Path) -> None:
    found = [
        f"line {line}: {call}: {BANNED_INSIDE[call]}"
        for call, line in calls(ast.parse(path.read_text()))
        if call in BANNED_INSIDE
    ]

    assert found == []


@pytest.mark.parametrize("path", modules(*FOLDERS), ids=named)
def test_no_call_that_has_a_better_form(path: Path) -> None:
    found = [
        f"line {line}: {call}: write {BANNED_EVERYWHERE[call]}"
        for call, line in calls(ast.parse(path.read_text()))
        if call in BANNED_EVERYWHERE
    ]

    assert found == []


@pytest.mark.parametrize("path", modules(*FOLDERS), ids=named)
def test_no_error_is_swallowed(path: Path) -> None:
    """``except: pass`` hides what happened; ``contextlib.suppress`` of a named error says what is expected."""
    silent = [
        handler.lineno
        for handler in ast.walk(ast.parse(path.read_text()))
        if isinstance(handler, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in handler.body)
    ]

    assert silent == []
