"""``daybook doctor`` finds what is unsafe on real servers, and nothing where all is well."""

import json
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any

import psycopg
import pytest
import redis

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.journal_reader import PostgresJournalReader
from adapters.kafka_log import KafkaTopic
from adapters.projection_lag import Lag
from infra.doctor import of_kafka, of_postgres, of_processes, of_redis, of_settings
from infra.doctor.finding import Finding, Severity, stays_here
from infra.embedded import EmbeddedStack
from infra.settings import Settings, load_settings
from tests.running import RunningStack

pytestmark = pytest.mark.security(38, 40)


@dataclass(frozen=True)
class Deployment:
    """Settings as an operator would make them, of real servers."""

    given: dict[str, Any]

    def settings(self, **changed: Any) -> Settings:
        return load_settings(**{**self.given, **changed})


@pytest.fixture
def deployment(
    servers: EmbeddedStack, postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Deployment:
    import os

    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        monkeypatch.delenv(name)
    (tmp_path / "firebase.json").touch(mode=0o600)
    return Deployment(
        {
            "database_url": _as_the_apis_user(postgres_url),
            "redis_url": servers.redis_url,
            "kafka_bootstrap": servers.kafka_bootstrap,
            "kafka_topic": "facts.of.doctor",
            "kafka_partitions": 2,
            "public_url": "https://booking.example",
            "vault_key": b64encode(token_bytes(32)).decode(),
            "signing_key": b64encode(token_bytes(32)).decode(),
            "digest_secret": token_urlsafe(32),
            "sendgrid_api_key": "SG.x",
            "sendgrid_from": "a@booking.example",
            "twilio_account_sid": "AC1",
            "firebase_credentials": tmp_path / "firebase.json",
        }
    )


def _as_the_apis_user(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regrole('doctors_api')").fetchone() == (None,):
            connection.execute("CREATE ROLE doctors_api LOGIN IN ROLE daybook_api")
    return url.replace("postgresql://postgres@", "postgresql://doctors_api@")


def checks(found: Iterator[Finding], severity: Severity | None = None) -> list[str]:
    return [one.check for one in found if severity in {None, one.severity}]


# The settings


@pytest.mark.parametrize(
    ("changed", "check", "severity"),
    [
        ({}, None, None),
        ({"environment": "test"}, "settings.environment", Severity.UNSAFE),
        ({"vault_key": None}, "settings.complete", Severity.UNSAFE),
        ({"redis_url": None}, "settings.complete", Severity.UNSAFE),
        ({"public_url": "http://booking.example"}, "settings.public_url", Severity.UNSAFE),
        ({"api_host": "0.0.0.0"}, "settings.hosts", Severity.ADVICE),
        ({"api_host": "10.0.0.7", "metrics_port": 9_100}, "settings.hosts", Severity.ADVICE),
        ({"twilio_account_sid": None}, "settings.providers", Severity.ADVICE),
        ({"environment": "test", "replay_clock": Path("/x")}, "settings.clock", Severity.UNSAFE),
        ({"environment": "test", "digest_secret": "change-me-change-me"}, "settings.secrets", Severity.UNSAFE),
        ({"environment": "test", "twilio_base_url": "http://127.0.0.1:1"}, "settings.providers", Severity.UNSAFE),
    ],
)
def test_settings_that_are_unsafe_are_told(
    deployment: Deployment, changed: dict[str, Any], check: str | None, severity: Severity | None
) -> None:
    found = [
        one
        for one in of_settings.of_settings(deployment.settings(**changed), {})
        if one.check != "settings.environment" or changed == {"environment": "test"}
    ]

    assert [(one.check, one.severity) for one in found] == ([(check, severity)] if check else [])


def test_one_key_for_two_purposes_is_told(deployment: Deployment) -> None:
    settings = deployment.settings(vault_key=deployment.given["signing_key"])

    assert checks(of_settings.of_settings(settings, {})) == ["settings.secrets"]


@pytest.mark.parametrize(("mode", "expected"), [(0o600, []), (0o640, []), (0o644, ["settings.files"])])
def test_a_secret_that_everybody_can_read_is_told(
    deployment: Deployment, tmp_path: Path, mode: int, expected: list[str]
) -> None:
    key = tmp_path / "vault.key"
    key.write_text("x")
    key.chmod(mode)
    settings = deployment.settings(firebase_credentials=key)

    assert checks(of_settings.of_settings(settings, {"DAYBOOK_VAULT_KEY_FILE": str(key)})) == expected * 2
    key.unlink()
    assert checks(of_settings.of_settings(settings, {})) == ["settings.files"]


# PostgreSQL


def test_a_safe_database_is_found_safe(deployment: Deployment) -> None:
    found = list(of_postgres.of_postgres(deployment.settings()))

    assert [one.check for one in found] == ["postgres.archiving"]  # which is advice: this server keeps no archive
    assert found[0].severity is Severity.ADVICE


def test_an_api_that_connects_as_a_superuser_is_told(deployment: Deployment, postgres_url: str) -> None:
    found = list(of_postgres.of_postgres(deployment.settings(database_url=postgres_url)))

    assert "the API connects as a superuser (postgres)" in [one.says for one in found]


@pytest.mark.parametrize(
    ("rights", "says"),
    [
        ("GRANT UPDATE ON stored_events TO {user}", "a user that can change facts"),
        ("GRANT INSERT ON stored_events TO {user}", "a user that can change facts"),
        ("GRANT daybook_follower TO {user}", "a user that no wall stops"),
        ("ALTER ROLE {user} BYPASSRLS", "a user that no wall stops"),
    ],
)
def test_a_user_with_more_rights_than_the_api_needs_is_told(
    deployment: Deployment, postgres_url: str, rights: str, says: str
) -> None:
    user = f"strong_{abs(hash(rights))}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN IN ROLE daybook_api".encode())
        connection.execute(rights.format(user=user).encode())
        url = postgres_url.replace("postgresql://postgres@", f"postgresql://{user}@")
        try:
            found = list(of_postgres.of_postgres(deployment.settings(database_url=url)))
        finally:
            connection.execute(f"DROP OWNED BY {user}; DROP ROLE {user}".encode())

    assert any(says in one.says for one in found if one.check == "postgres.user"), found


def test_a_table_without_a_wall_is_told(deployment: Deployment, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE vault.record NO FORCE ROW LEVEL SECURITY")
        try:
            found = list(of_postgres.of_postgres(deployment.settings()))
        finally:
            connection.execute("ALTER TABLE vault.record FORCE ROW LEVEL SECURITY")

    assert "vault.record shows every organization's rows to all" in [one.says for one in found]


def test_a_database_that_was_not_migrated_is_told(deployment: Deployment, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        try:
            found = list(of_postgres.of_postgres(deployment.settings()))
        finally:
            connection.execute("UPDATE alembic_version SET version_num = '0007'")

    assert "postgres.migrations" in checks(iter(found), Severity.UNSAFE)


def test_a_session_that_does_not_wait_for_the_disk_is_told(deployment: Deployment) -> None:
    url = psycopg.conninfo.make_conninfo(deployment.given["database_url"], options="-c synchronous_commit=off")

    with psycopg.connect(url) as connection:
        assert checks(of_postgres.durability(connection)) == ["postgres.synchronous_commit"]


def test_clocks_that_differ_and_servers_that_are_too_old_or_too_small_are_told(deployment: Deployment) -> None:
    with psycopg.connect(deployment.given["database_url"]) as connection:
        assert checks(of_postgres.clock(connection, timedelta())) == []
        assert checks(of_postgres.clock(connection, timedelta(minutes=-3))) == ["postgres.clock"]
        assert checks(of_postgres.version(connection)) == []
        assert checks(of_postgres.version(connection, version_min=990_000)) == ["postgres.version"]
        assert checks(of_postgres.connections(connection, api_processes=1)) == []
        assert checks(of_postgres.connections(connection, api_processes=20)) == ["postgres.connections"]


def test_what_travels_beyond_this_machine_is_told_from_what_does_not() -> None:
    assert [host for host in ("", "/run/postgresql", "localhost", "127.0.0.1", "::1") if not stays_here(host)] == []
    assert [host for host in ("10.0.0.1", "db.internal", "example.com") if stays_here(host)] == []


def test_a_database_that_does_not_answer_is_told(deployment: Deployment) -> None:
    settings = deployment.settings(database_url="postgresql://daybook@127.0.0.1:1/daybook")

    assert checks(of_postgres.of_postgres(settings), Severity.UNSAFE) == ["postgres.reachable"]


# Redis


def test_redis_without_a_password_or_a_bound_is_told(deployment: Deployment) -> None:
    assert checks(of_redis.of_redis(deployment.settings())) == ["redis.auth", "redis.memory", "redis.memory"]


def test_redis_with_a_password_and_a_bound_is_found_safe(deployment: Deployment, servers: EmbeddedStack) -> None:
    with redis.Redis.from_url(servers.redis_url) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("requirepass", "a-password-of-the-test")
        try:
            url = servers.redis_url.replace("redis://", "redis://:a-password-of-the-test@")
            safe = checks(of_redis.of_redis(deployment.settings(redis_url=url)))
            shut_out = checks(of_redis.of_redis(deployment.settings()), Severity.UNSAFE)
        finally:
            client.config_set("requirepass", "")
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")

    assert safe == []
    assert shut_out == ["redis.reachable"]


def test_redis_in_the_clear_on_another_machine_is_told() -> None:
    assert checks(of_redis.encryption("redis://cache.example:6379")) == ["redis.tls"]
    assert checks(of_redis.encryption("rediss://cache.example:6379")) == []


# Kafka


def test_a_missing_topic_is_told(deployment: Deployment) -> None:
    settings = deployment.settings(kafka_topic="no.such.topic")

    assert checks(of_kafka.of_kafka(settings), Severity.UNSAFE) == ["kafka.topic"]


def test_a_topic_with_other_partitions_is_told(deployment: Deployment, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        messages = FactMessages(FactMapper(), PostgresJournalReader(connection).epoch())
    topic = KafkaTopic(deployment.given["kafka_bootstrap"], deployment.given["kafka_topic"], 2, messages)
    topic.tail()
    topic.close()

    assert checks(of_kafka.of_kafka(deployment.settings()), Severity.UNSAFE) == []
    assert checks(of_kafka.of_kafka(deployment.settings(kafka_partitions=3)), Severity.UNSAFE) == ["kafka.partitions"]
    assert "kafka.copies" in checks(of_kafka.of_kafka(deployment.settings()), Severity.ADVICE)


def test_brokers_in_the_clear_on_other_machines_and_those_that_are_away_are_told(deployment: Deployment) -> None:
    elsewhere = deployment.settings(kafka_bootstrap="kafka-1.example:9092,127.0.0.1:9092")
    away = deployment.settings(kafka_bootstrap="127.0.0.1:1")

    assert checks(of_kafka.encryption(elsewhere)) == ["kafka.tls"]
    assert (
        checks(of_kafka.encryption(deployment.settings(kafka_bootstrap="k:9092", kafka_security_protocol="SSL"))) == []
    )
    assert checks(of_kafka.of_kafka(away)) == ["kafka.reachable"]


# The processes


def test_missing_processes_are_told(deployment: Deployment, postgres_url: str) -> None:
    found = checks(of_processes.of_processes(deployment.settings(database_url=postgres_url)), Severity.UNSAFE)

    assert "processes.relay" in found
    assert "processes.read_models" in found


def test_a_read_model_that_is_late_and_a_disk_that_is_full_are_told(tmp_path: Path) -> None:
    now = datetime.now(UTC)

    assert checks(of_processes.late("appointments", Lag(), now)) == []
    assert checks(of_processes.late("appointments", Lag(3, now - timedelta(seconds=5)), now)) == []
    assert checks(of_processes.late("appointments", Lag(3, now - timedelta(minutes=5)), now)) == [
        "processes.read_models"
    ]
    assert checks(of_processes.disk(tmp_path, free_min=2**60)) == ["processes.disk"]


def test_the_command_says_it_in_lines_and_in_json_and_by_its_code(stack: RunningStack) -> None:
    def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "infra.cli", "doctor", *arguments]
        return subprocess.run(
            argv, env={**_environ(), **stack.environment}, capture_output=True, text=True, check=False
        )

    _await(lambda: "processes" not in doctor().stdout)
    plain, as_json = doctor(), doctor("--json")

    # A stack of the tests: everything runs, as a superuser and with a clock of its own.
    lines = plain.stdout.splitlines()
    assert plain.returncode == as_json.returncode == 1, plain.stderr
    assert any(line.startswith("unsafe  settings.environment") for line in lines)
    assert any(line.startswith("unsafe  postgres.user") for line in lines)
    assert lines[-1].startswith("doctor: unsafe in ")
    document = json.loads(as_json.stdout)
    assert document["safe"] is False
    assert {one["check"] for one in document["findings"]} >= {"settings.environment", "postgres.user"}
    assert len(document["findings"]) == len(lines) - 1


def test_settings_that_production_refuses_are_a_finding_too() -> None:
    argv = [sys.executable, "-m", "infra.cli", "doctor"]
    environ = {**_environ(), "DAYBOOK_DATABASE_URL": "postgresql://x@/y", "DAYBOOK_DIGEST_SECRET": "changeme" * 4}

    said = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    assert said.returncode == 1
    assert said.stdout.startswith("unsafe  settings.read")
    assert "changeme" not in said.stdout


def _environ() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}


def _await(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.5)
