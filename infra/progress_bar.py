"""How long jobs show how far they are: a bar on a terminal, plain lines elsewhere, nothing with ``--json``."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PLAIN_EVERY_S = 5.0


@contextmanager
def progress(what: str, *, silent: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A function to be told what is done and how much there is, on standard error."""
    if silent:
        yield lambda *_: None
    elif sys.stderr.isatty():
        with _bar(what) as tell:
            yield tell
    else:
        yield _plain(what)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(what: str) -> Callable[[int, int], None]:
    told_at = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= PLAIN_EVERY_S or done >= total > 0:
            told_at = time.monotonic()
            sys.stderr.write(f"{what}: {done} of {total}\n")
            sys.stderr.flush()

    return tell
