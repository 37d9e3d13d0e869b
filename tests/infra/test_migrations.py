"""Migrating is safe to repeat, and safe for several processes that start at once."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config

import infra.migrations
from infra.embedded import EmbeddedStack
from infra.migrations import migrate

MIGRATE = "import sys; from infra.migrations import migrate; migrate(sys.argv[1])"


@pytest.fixture
def empty_url(servers: EmbeddedStack) -> Iterator[str]:
    name = f"empty_{uuid4().hex}"
    servers.ensure_database(name)
    yield servers.database_url(name)
    servers.drop_database(name)


def epochs(url: str) -> list[object]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM journal_epoch")]


def test_several_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    started = [subprocess.Popen([sys.executable, "-c", MIGRATE, empty_url], stderr=subprocess.PIPE) for _ in range(4)]
    complaints = [process.communicate(timeout=60)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0], complaints
    assert len(epochs(empty_url)) == 1


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    before = epochs(empty_url)
    migrate(empty_url)
    assert epochs(empty_url) == before


def test_whoever_owns_the_database_may_migrate_it_without_being_a_superuser(
    servers: EmbeddedStack, migrated_template: str
) -> None:
    """Once a superuser has made the roles, as here another database's migration has."""
    name = f"owned_{uuid4().hex}"
    with psycopg.connect(servers.database_url(migrated_template), autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE {name} LOGIN".encode())
        superuser.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        roles = "daybook_api, daybook_follower, daybook_auditor, daybook_notary, daybook_appender"
        superuser.execute(f"GRANT {roles} TO {name}".encode())
        url = servers.database_url(name).replace("postgresql://postgres@", f"postgresql://{name}@")
        migrate(url)
        migrate(url)
        assert len(epochs(url)) == 1
        servers.drop_database(name)
        superuser.execute(f"DROP ROLE {name}".encode())


def test_the_insert_function_without_a_lock_does_not_exist(empty_url: str) -> None:
    migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        found = connection.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'es_insert%'").fetchall()
    assert found == []


def test_a_url_with_percent_signs_and_a_socket_directory_is_taken_as_it_is(empty_url: str) -> None:
    assert "%2F" in empty_url
    migrate(empty_url)


def test_timers_and_messages_that_were_pending_survive_the_migration_that_lets_them_be_about_anything(
    empty_url: str,
) -> None:
    config = Config()
    config.set_main_option("script_location", infra.migrations.__path__[0])
    config.attributes["database_url"] = empty_url
    command.upgrade(config, "0004")
    visit = uuid4()
    with psycopg.connect(empty_url) as connection:  # given: a timer, a notice and a delivery of the release before
        connection.execute(
            "INSERT INTO timers.timer (id, kind, organization_id, appointment_id, due_at)"
            " VALUES (gen_random_uuid(), 'hold', gen_random_uuid(), %s, now())",
            (visit,),
        )
        connection.execute(
            "INSERT INTO deliveries.notice (position, template, organization_id, appointment_id, version, at)"
            " VALUES (7, 'confirmation', gen_random_uuid(), %s, 1, now())",
            (visit,),
        )
        connection.execute(
            "INSERT INTO deliveries.delivery (id, channel, recipient_id, state, position, template, organization_id,"
            " appointment_id, version, at) VALUES (gen_random_uuid(), 'email', gen_random_uuid(), 'intent', 7,"
            " 'confirmation', gen_random_uuid(), %s, 1, now())",
            (visit,),
        )

    migrate(empty_url)

    with psycopg.connect(empty_url) as connection:
        timers = connection.execute("SELECT about_id, kind FROM timers.timer").fetchall()
        notices = connection.execute("SELECT position, about_id, stream_id FROM deliveries.notice").fetchall()
        deliveries = connection.execute("SELECT template, about_id, stream_id FROM deliveries.delivery").fetchall()
    assert timers == [(visit, "hold")]
    assert notices == [(7, visit, visit)]
    assert deliveries == [("confirmation", visit, visit)]
