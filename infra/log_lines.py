"""How every process logs: structlog for ours, the same shape for the libraries' own lines."""

import logging
import os
import sys

import structlog
from structlog.typing import Processor

QUIET = {
    "librdkafka": logging.CRITICAL,  # it complains at every reconnection; what matters is told by those who use it
    "uvicorn": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "psycopg.pool": logging.ERROR,
    "eventsourcing": logging.WARNING,
}

_NO_LOCALS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Local variables hold names, addresses and tokens: no line ever shows them."""


def configure_logging(process: str, *, log_format: str, log_level: str) -> None:
    """Lines on standard error, as ``console`` or ``json``; of the latter each carries ``process``."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
    ]
    if log_format == "json":  # on a console the supervisor writes the process's name in front of each line
        shared += [structlog.processors.TimeStamper(fmt="iso", utc=True), _named(process)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(log_level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(log_level.upper())
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))


def _rendering(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.ExceptionRenderer(_NO_LOCALS), structlog.processors.JSONRenderer()]
    colours = sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))
    tracebacks = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, exception_formatter=tracebacks)]


def _named(process: str) -> Processor:
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    return name
