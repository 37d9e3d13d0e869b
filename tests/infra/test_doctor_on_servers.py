"""What ``daybook doctor`` finds unsafe on real servers, and nothing where all is well."""

from datetime import timedelta

import psycopg
import pytest
import redis

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.journal_reader import PostgresJournalReader
from adapters.kafka_log import KafkaTopic
from infra.doctor import of_kafka, of_postgres, of_redis
from infra.doctor.finding import Severity, stays_here
from infra.embedded import EmbeddedStack
from tests.infra.deployment import Deployment, checks

pytestmark = pytest.mark.security(38)


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
        revisions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        connection.execute("DELETE FROM alembic_version")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        try:
            found = list(of_postgres.of_postgres(deployment.settings()))
        finally:
            connection.execute("DELETE FROM alembic_version")
            connection.cursor().executemany("INSERT INTO alembic_version VALUES (%s)", revisions)

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
