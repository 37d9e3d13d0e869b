"""What every row of the bench is given: servers, fresh databases, Daybook's processes, programs to compare with."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from psycopg import Connection

from adapters.journal_reader import PostgresJournalReader
from infra import development
from infra.embedded import EmbeddedStack
from infra.migrations import migrate
from infra.program import Program, free_port, listens
from infra.whole_stack import PROCESSES_OF_OURS, answers
from projections.checkpoint import lowest_checkpoint
from tests.running import RunningStack

TEMPLATE = "bench_template"
CATCHES_UP_WITHIN_S = 120.0
FOLLOWERS = tuple(verb for verb in PROCESSES_OF_OURS if verb != "serve")
"""All of them: what one has not applied, a broker that was wiped is filled with again."""


@dataclass
class Bench:
    """``rounds`` of each row, of about ``seconds`` each, in which what is compared takes turns."""

    servers: EmbeddedStack
    rounds: int
    seconds: float
    _has_template: bool = field(default=False, init=False)

    def say(self, line: str) -> None:
        """Progress, for whoever watches."""
        sys.stderr.write(f"bench: {line}\n")
        sys.stderr.flush()

    @contextmanager
    def database(self) -> Iterator[str]:
        """A fresh, migrated database, dropped at the end."""
        if not self._has_template:
            self.servers.ensure_database(TEMPLATE)
            migrate(self.servers.database_url(TEMPLATE))
            self._has_template = True
        name = f"bench_{uuid4().hex}"
        self.servers.ensure_database(name, template=TEMPLATE)
        try:
            yield self.servers.database_url(name)
        finally:
            self.servers.drop_database(name)

    @contextmanager
    def daybook(self, database_url: str, *, apis: int = 1, others: Sequence[str] = ()) -> Iterator[RunningStack]:
        """``apis`` API processes (``urls``), and the ``others`` of Daybook's processes, on one database.

        None of the others is needed to book: then nothing is read from what they keep.
        """
        name = database_url.partition("?")[0].rpartition("/")[2]
        outbox_port = free_port()
        stack = RunningStack(
            {
                **development.environment(self.servers, port=free_port(), environment="test"),
                **development.stand_in_providers(self.servers.data_dir, outbox_port),
                "DAYBOOK_DATABASE_URL": database_url,
                "DAYBOOK_KAFKA_TOPIC": f"facts.{name}",
                "DAYBOOK_LOG_FORMAT": "json",
                "DAYBOOK_LOG_LEVEL": "warning",
            },
            self.servers.data_dir,
            outbox_url=f"http://127.0.0.1:{outbox_port}",
        )
        try:
            if "notify" in others:
                stack.start("fake-provider", "--port", str(outbox_port))
                stack.await_that("fake-provider", lambda: listens(outbox_port))
            for verb in others:
                stack.start(verb)
            for number in range(apis):
                port = free_port()
                stack.start(f"serve:{number}", DAYBOOK_API_PORT=str(port))
                stack.urls.append(f"http://127.0.0.1:{port}")
            # Without projectors the API says 503 for its read models, but it answers.
            path = "readyz" if "project" in others else "livez"
            for number, url in enumerate(stack.urls):
                stack.await_that(f"serve:{number}", lambda url=url: answers(f"{url}/{path}"))  # type: ignore[misc]
            yield stack
        finally:
            stack.stop()

    def baseline(self, name: str, stack: RunningStack) -> str:
        """Start a program of ``tests.bench.baselines`` with the settings of ``stack``, to end with it; its URL."""
        port = free_port()
        argv = (sys.executable, "-m", f"tests.bench.baselines.{name}")
        stack.run(Program(name, argv, env={**stack.environment, "DAYBOOK_API_PORT": str(port)}))
        stack.await_that(name, lambda: listens(port))
        return f"http://127.0.0.1:{port}"


def await_followers(connection: Connection[Any]) -> None:
    """Until every follower has applied all that the journal holds."""
    head = PostgresJournalReader(connection).head()
    deadline = time.monotonic() + CATCHES_UP_WITHIN_S
    while lowest_checkpoint(connection) < head:
        assert time.monotonic() < deadline, "the followers do not catch up"
        time.sleep(0.2)
