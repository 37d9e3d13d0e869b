"""The command line starts fast and says in one line what is wrong."""

import socket
import subprocess
import sys
from uuid import uuid4

import psycopg
import pytest

from adapters.vault import Seal
from infra import development
from infra.embedded import EmbeddedStack
from infra.program import free_port


def daybook(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": "/usr/bin:/bin"}
    argv = [sys.executable, "-m", "infra.cli", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env={**path, **environment})


@pytest.mark.parametrize(
    "verb",
    [
        "serve",
        "relay",
        "project",
        "notify",
        "timekeeper",
        "webhooks",
        "checkpoint",
        "migrate",
        "verify",
        "replay",
    ],
)
def test_a_process_without_its_settings_ends_with_one_line(verb: str) -> None:
    done = daybook(verb)

    assert done.returncode == 2
    assert done.stderr == "daybook: DAYBOOK_DATABASE_URL is missing\n"


def test_a_process_without_one_setting_names_it() -> None:
    done = daybook("serve", DAYBOOK_DATABASE_URL="postgresql://postgres@/daybook")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("daybook: DAYBOOK_")
    assert done.stderr.endswith(" is missing\n")


def test_a_port_that_is_taken_is_named(servers: EmbeddedStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = daybook("serve", **development.environment(servers, port=port))

    assert done.returncode == 2
    assert done.stderr == f"daybook: DAYBOOK_API_PORT: Address already in use: 127.0.0.1 {port}\n"


@pytest.mark.parametrize(
    "verb",
    ["serve", "relay", "project", "notify", "timekeeper", "webhooks", "verify", "replay", "checkpoint"],
)
def test_a_database_without_a_journal_is_told_of(servers: EmbeddedStack, verb: str) -> None:
    environment = development.environment(servers, port=free_port())

    done = daybook(verb, **{**environment, "DAYBOOK_DATABASE_URL": servers.database_url("template1")})

    assert done.returncode == 1
    assert done.stderr.endswith(f"daybook {verb}: the database has no journal: run `daybook migrate` first\n")


def test_a_vault_key_that_does_not_fit_is_named(servers: EmbeddedStack, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        a_clinic, somebody = uuid4(), uuid4()
        sealed = Seal(bytes(32)).new_key(a_clinic, somebody)
        connection.execute("INSERT INTO vault.subject_key VALUES (%s, %s, %s)", (a_clinic, somebody, sealed))
    environment = development.environment(servers, port=free_port())

    done = daybook("serve", **{**environment, "DAYBOOK_DATABASE_URL": postgres_url})

    assert done.returncode == 2
    assert done.stderr == "daybook: DAYBOOK_VAULT_KEY is not the key that this database's vault was made with\n"


def test_a_database_that_is_away_is_named(servers: EmbeddedStack) -> None:
    environment = development.environment(servers, port=free_port())

    done = daybook("migrate", **{**environment, "DAYBOOK_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x"})

    assert done.returncode == 1
    assert done.stderr.startswith("daybook migrate: DAYBOOK_DATABASE_URL: ")
    assert done.stderr.count("\n") == 1


def test_an_unknown_read_model_is_refused() -> None:
    done = daybook("rebuild", "horoscopes", DAYBOOK_DATABASE_URL="postgresql://postgres@/daybook")

    assert done.returncode == 2
    assert "horoscopes" in done.stderr
    assert "appointments" in done.stderr


def test_help_names_every_process() -> None:
    done = daybook("--help")

    assert done.returncode == 0
    for verb in ("serve", "relay", "project", "notify", "timekeeper", "migrate", "dev", "demo", "rebuild", "verify"):
        assert verb in done.stdout


def test_no_vendor_is_imported_before_it_is_needed() -> None:
    heavy = {"psycopg", "fastapi", "confluent_kafka", "redis", "eventsourcing", "alembic"}
    heavy |= {"twilio", "sendgrid", "firebase_admin"}
    code = f"import sys, infra.cli; print(sorted({heavy} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_api_process_imports_nothing_that_it_may_never_use() -> None:
    others = "{'confluent_kafka', 'holidays.countries', 'alembic', 'twilio', 'sendgrid', 'firebase_admin', 'jinja2'}"
    code = f"import sys, infra.processes.serve; print(sorted({others} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
