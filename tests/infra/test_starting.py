"""A process begins while its database is away for a moment."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from psycopg.pq import Ping

from infra import composition
from infra.composition import await_database
from infra.embedded import EmbeddedStack


@pytest.fixture
def servers_of_its_own() -> Iterator[EmbeddedStack]:
    where = Path(tempfile.mkdtemp(prefix="daybook-test-", dir="/tmp"))
    try:
        with EmbeddedStack(where) as servers:
            yield servers
    finally:
        shutil.rmtree(where)


def test_a_database_that_crashed_is_waited_for_until_it_is_back(servers_of_its_own: EmbeddedStack) -> None:
    url = servers_of_its_own.database_url("postgres")
    found: list[bool] = []

    def begin_while_it_is_away() -> None:
        while _answers(url):
            time.sleep(0.001)
        await_database(url)
        found.append(_answers(url))

    process = Thread(target=begin_while_it_is_away)
    process.start()
    # Here, and not in the thread: what a thread has started ends with it.
    servers_of_its_own.restart("postgres", signal.SIGQUIT)
    process.join()

    assert found == [True]


def test_a_database_that_is_not_there_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(composition.PATIENCE_S, Ping.NO_RESPONSE, 0.3)
    began = time.monotonic()
    await_database("postgresql://postgres@127.0.0.1:1/x")
    assert 0.3 <= time.monotonic() - began < 5.0


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
