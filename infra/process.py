"""What all processes do alike: read settings, log, show metrics, stop on a signal, say in one line why not."""

import faulthandler
import gc
import signal
import sys
from collections.abc import Callable

from infra.log_lines import configure_logging
from infra.settings import Settings, load_settings, variable

ENDS_WITHIN_S = 25.0
"""After a signal; below the 30 s after which most who send one send SIGKILL."""

GARBAGE_THRESHOLDS = (700, 10, 10_000)
"""When to look for cycles among new objects, as Python would, and among all of them: a thousand times less often.

Facts are many objects at a time and no cycles, and so are cached streams and requests. To look through all of a batch
again and again, while it is decoded and made something of, was a third of the projector's CPU; to look through a full
cache takes a third of a second, in which nothing is answered.
"""


def begun(process: str) -> Settings:
    """The settings, with logging and metrics set up. Raises ``SettingsError``."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    settings = load_settings()
    configure_logging(process, log_format=settings.log_format, log_level=settings.log_level)
    if settings.metrics_port is not None:
        from prometheus_client import start_http_server

        start_http_server(settings.metrics_port, addr=settings.api_host)
    return settings


def on_stop(stop: Callable[[], None]) -> None:
    """Call ``stop`` at SIGINT and SIGTERM, in the main thread, between two of its steps."""

    def asked(*_: object) -> None:
        end_in_time()
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)


def end_in_time() -> None:
    """Whatever waits for whom: a process that has been asked to stop ends, and tells where each thread stood.

    It may be killed at any instruction, so nothing is lost by it.
    """
    faulthandler.dump_traceback_later(ENDS_WITHIN_S, exit=True)


def cannot(process: str, why: Exception) -> int:
    """Say in one line why the process cannot begin; its exit code."""
    import psycopg

    # Whoever starts it again when PostgreSQL is back is right to: no code 2, although the setting is named.
    named = f"{variable('database_url')}: " if isinstance(why, psycopg.OperationalError) else ""
    sys.stderr.write(f"daybook {process}: {named}{str(why).splitlines()[0]}\n")
    return 1
