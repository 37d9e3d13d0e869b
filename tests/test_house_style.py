"""The house rules that a linter does not know: sizes, names, and calls that have a better place."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("domain", "application", "projections", "adapters", "api", "infra", "tests")
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
MODULE_LINES_MEDIAN_MAX = 115
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


def trees(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    return ((named(path), ast.parse(path.read_text())) for path in modules(*folders))


def test_a_module_is_small_enough_to_be_read_whole() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in modules(*FOLDERS)}

    too_long = {name: lines for name, lines in lengths.items() if lines > MODULE_LINES_MAX}
    assert too_long.keys() - LONGER_WITH_A_REASON.keys() == set(), too_long


def test_modules_are_small_as_a_rule() -> None:
    # Of the product: a test module is a list of sentences, for which being readable from anywhere is enough.
    product = [path for path in modules(*FOLDERS[:-1]) if path.name != "__init__.py"]
    lengths = sorted(len(path.read_text().splitlines()) for path in product)

    assert lengths[len(lengths) // 2] <= MODULE_LINES_MEDIAN_MAX


def test_a_function_fits_on_a_screen() -> None:
    lengths = {
        f"{name}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for name, tree in trees(*FOLDERS)
        for function in functions(tree)
    }

    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_a_module_is_named_for_what_it_does() -> None:
    vague = [
        named(path)
        for path in modules(*FOLDERS)
        if path.stem in VAGUE or (path.stem == "service" and path.parent.name != "domain")
    ]

    assert vague == []


def test_clock_ids_and_chance_come_from_outside() -> None:
    found = [
        f"{name}:{line} {call}: {BANNED_INSIDE[call]}"
        for name, tree in trees("domain", "application")
        for call, line in calls(tree)
        if call in BANNED_INSIDE
    ]

    assert found == []


def test_no_call_that_has_a_better_form() -> None:
    found = [
        f"{name}:{line} {call}: write {BANNED_EVERYWHERE[call]}"
        for name, tree in trees(*FOLDERS)
        for call, line in calls(tree)
        if call in BANNED_EVERYWHERE
    ]

    assert found == []


def test_no_error_is_swallowed_whole() -> None:
    """``except Exception: pass`` hides what happened; a named error may be expected."""
    silent = [
        f"{name}:{handler.lineno}"
        for name, tree in trees(*FOLDERS)
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"})
        and all(isinstance(line, ast.Pass | ast.Continue) for line in handler.body)
    ]

    assert silent == []


def test_the_rules_find_what_they_look_for() -> None:
    """A rule that cannot fail is none."""
    tree = ast.parse("try:\n    x = datetime.now(UTC)\nexcept Exception:\n    pass\n")

    assert [call for call, _ in calls(tree)] == ["datetime.now"]
    assert [ast.unparse(node.type) for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.type]
