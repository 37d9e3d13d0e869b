"""What a planted bug is: what is wrong, in which processes, and what it takes to show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from psycopg import Connection

API, PROJECT, RELAY, NOTIFY = "serve", "project", "relay", "notify"


@dataclass(frozen=True, slots=True)
class Bug:
    """``plant`` changes the code of a process of one of these ``verbs``; ``alter`` the journal's own function, by text.

    ``faults``: what and whom, as the schedule names them. ``seconds``: how long clients are at work.
    """

    wrong: str
    verbs: Sequence[str] = ()
    plant: Callable[[], None] | None = None
    alter: Sequence[tuple[str, str]] = ()
    faults: Sequence[tuple[str, str]] = ()
    seconds: float = 8.0


def often(one_in: int) -> Callable[[], bool]:
    """True each time that it has been called so often."""
    calls = count(1)
    return lambda: next(calls) % one_in == 0


def replaced(where: Any, name: str, wrong: Any) -> None:
    """Put it in place of what is there. Raises ``AttributeError`` where nothing is: the code has changed."""
    getattr(where, name)
    setattr(where, name, wrong)


def altered(connection: Connection[Any], changes: Sequence[tuple[str, str]]) -> None:
    """The journal's append, as the database has it, with another text. Raises ``LookupError`` where it has changed."""
    row = connection.execute("SELECT pg_get_functiondef('journal_append'::regproc)").fetchone()
    text = str(row[0]) if row else ""
    for right, wrong in changes:
        if text.count(right) != 1:
            raise LookupError(f"the append has {right!r} {text.count(right)} times")
        text = text.replace(right, wrong)
    connection.execute(text.encode())
