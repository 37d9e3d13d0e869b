"""A process of Daybook with one bug in it: ``python -m tests.torture.planted BUG VERB …`` is ``daybook VERB …``."""

import sys
from collections.abc import Mapping

from infra import cli
from tests.torture.bugs import Bug
from tests.torture.bugs_of_commands import OF_COMMANDS
from tests.torture.bugs_of_followers import OF_FOLLOWERS

BUGS: Mapping[str, Bug] = {**OF_COMMANDS, **OF_FOLLOWERS}


def main() -> None:
    plant = BUGS[sys.argv[1]].plant
    assert plant, "this one is the database's"
    plant()
    sys.argv = ["daybook", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    main()
