"""The real servers of the test run: one set per pytest-xdist worker, a fresh database per test module."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest

from infra.embedded import EmbeddedStack
from infra.migrations import migrate
from tests.running import RunningStack, started

# How long an example takes says how busy the machine is, and nothing else. What fails is not explained line by line:
# before Python 3.12 that traces every line that is run, for minutes.
hypothesis.settings.register_profile(
    "daybook",
    deadline=None,
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
)
hypothesis.settings.load_profile("daybook")

TEMPLATE = "daybook_template"


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedStack]:
    """PostgreSQL, Valkey and a broker, in a directory that goes away with them."""
    # Not pytest's tmp_path: that is 0700 all the way, and PostgreSQL runs as another user where we are root.
    data_dir = Path(tempfile.mkdtemp(prefix="daybook-test-", dir="/tmp"))
    try:
        with EmbeddedStack(data_dir) as stack:
            yield stack
    finally:
        shutil.rmtree(data_dir)


@pytest.fixture(scope="session")
def migrated_template(servers: EmbeddedStack) -> str:
    """A migrated database, to be copied: a copy takes a tenth of a second, the migrations many."""
    servers.ensure_database(TEMPLATE)
    migrate(servers.database_url(TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="module")
def postgres_url(servers: EmbeddedStack, migrated_template: str) -> Iterator[str]:
    """A fresh, migrated database for the test module."""
    name = f"test_{uuid4().hex}"
    servers.ensure_database(name, template=migrated_template)
    yield servers.database_url(name)
    servers.drop_database(name)


@pytest.fixture
def valkey_url(servers: EmbeddedStack) -> str:
    """An empty Valkey."""
    import redis

    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()
    return servers.redis_url


@pytest.fixture(scope="session")
def broker(servers: EmbeddedStack) -> Iterator[str]:
    """The bootstrap address of a running broker. Shared by the run: use a topic name of your own.

    The embedded one, or with ``DAYBOOK_TEST_BROKER=apache`` Apache Kafka itself.
    """
    if os.environ.get("DAYBOOK_TEST_BROKER") != "apache":
        yield servers.kafka_bootstrap
        return
    from infra.kafka.apache_kafka import running

    with running(servers.data_dir / "kafka") as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def stack(servers: EmbeddedStack, migrated_template: str, broker: str) -> Iterator[RunningStack]:
    """Every process of Daybook with two API processes. Shared by the run: use an organization of your own."""
    name = "stack"
    servers.ensure_database(name, template=migrated_template)
    stack = started(servers, servers.database_url(name), broker, servers.data_dir, apis=2)
    yield stack
    stack.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed journey shows what each process has said last: the cause is rarely in the test's own process."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.when == "call" and report.failed and isinstance(stack, RunningStack):
        report.sections += [(f"{name}, its last lines", said) for name, said in stack.last_lines().items()]
    return report
