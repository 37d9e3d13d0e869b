"""What is planted is in the code: a bug that changes nothing any more would be missed, or worse, caught by chance."""

import subprocess
import sys

import pytest

from adapters.journal_schema import create_statements
from tests.torture.planted import BUGS

PLANT_ALL = "from tests.torture.planted import BUGS\nfor bug in BUGS.values():\n    bug.plant and bug.plant()"


def test_there_are_as_many_bugs_as_are_promised() -> None:
    assert len(BUGS) >= 30
    assert len({bug.wrong for bug in BUGS.values()}) == len(BUGS)
    assert not any("," in name for name in BUGS)  # several are asked for with commas between them


def test_every_bug_finds_what_it_is_to_replace() -> None:
    done = subprocess.run([sys.executable, "-c", PLANT_ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name, bug in BUGS.items() if bug.alter])
def test_the_append_has_the_text_that_a_bug_alters(name: str) -> None:
    (append,) = (one for one in create_statements() if "FUNCTION" in one and "journal_append(" in one)
    for right, wrong in BUGS[name].alter:
        assert right in append
        assert right != wrong


def test_a_bug_is_in_a_process_or_in_the_database() -> None:
    for name, bug in BUGS.items():
        assert bool(bug.plant) == bool(bug.verbs), name
        assert bug.plant or bug.alter, name
