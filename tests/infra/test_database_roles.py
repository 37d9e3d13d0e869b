"""What each role may do to the journal: read it, append to it by one function, nothing else (SECURITY.md, row 38)."""

from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from infra.database_roles import role_of, url_for
from infra.migrations import migrate
from infra.migrations.roles import APPENDER
from projections.walls import API, AUDITOR, FOLLOWER, NOTARY

REFUSED: tuple[LiteralString, ...] = (
    "UPDATE stored_events SET topic = topic",
    "DELETE FROM stored_events",
    "TRUNCATE stored_events",
    "DROP TABLE stored_events",
    "ALTER TABLE stored_events ADD COLUMN extra int",
    "ALTER TABLE stored_events DISABLE TRIGGER ALL",
    "DROP TRIGGER never_altered ON stored_events",
    "SET session_replication_role = replica",  # triggers would be silent
    "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (gen_random_uuid(), 1, '', '')",
    "UPDATE receipts SET answer = ''",
    "DELETE FROM receipts",
    "INSERT INTO receipts (command_id, fingerprint, answer, position) VALUES (gen_random_uuid(), '', '', 1)",
    "UPDATE journal_epoch SET id = gen_random_uuid()",
    "DELETE FROM journal_epoch",
    "DROP FUNCTION journal_append",
    "ALTER FUNCTION journal_append SECURITY INVOKER",
    "CREATE OR REPLACE FUNCTION journal_is_never_altered() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "CREATE TABLE public.mine (id int)",
    "ALTER TABLE vault.record DISABLE ROW LEVEL SECURITY",
    "DROP POLICY own_rows ON vault.record",
    f"SET ROLE {APPENDER}",
)

pytestmark = pytest.mark.security(38)


@pytest.mark.parametrize("role", [API, FOLLOWER, AUDITOR, NOTARY])
@pytest.mark.parametrize("statement", REFUSED)
def test_no_role_can_alter_the_journal_or_the_walls(postgres_url: str, role: str, statement: LiteralString) -> None:
    with psycopg.connect(_as_a_user_of(postgres_url, role)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(("role", "may"), [(API, True), (FOLLOWER, True), (AUDITOR, False), (NOTARY, False)])
def test_who_may_append_appends_by_the_function(postgres_url: str, role: str, *, may: bool) -> None:
    stream, command = uuid4(), uuid4()
    arguments = ([command], [b"f"], [b"a"], [1], [1], [stream], [0], [1], [0], [1], [1], ["note.v1"], [b"{}"])
    types = (
        "uuid",
        "bytea",
        "bytea",
        "int",
        "int",
        "uuid",
        "bigint",
        "int",
        "bigint",
        "int",
        "bigint",
        "text",
        "bytea",
    )
    call = f"SELECT kind FROM journal_append(5000, 5000, true, {', '.join(f'%s::{kind}[]' for kind in types)})"

    with psycopg.connect(_as_a_user_of(postgres_url, role), autocommit=True) as connection:
        if not may:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(call.encode(), arguments)
            return
        assert connection.execute(call.encode(), arguments).fetchall() == [(0,)]
        found = connection.execute("SELECT count(*) FROM stored_events WHERE originator_id = %s", (stream,))
        assert found.fetchone() == (1,)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (API, "UPDATE deliveries.delivery SET state = 'sent'"),
        (API, "CREATE SCHEMA mine"),
        (FOLLOWER, "SELECT * FROM credential"),
        (FOLLOWER, "SELECT * FROM refresh_token"),
        (FOLLOWER, "SELECT digest FROM one_time_code"),
        (FOLLOWER, "UPDATE one_time_code SET tries = 0"),
        (FOLLOWER, "SELECT digest FROM visitor_link"),
        (FOLLOWER, "UPDATE visitor_link SET digest = digest"),
        (FOLLOWER, "SELECT * FROM second_factor"),
        (FOLLOWER, "UPDATE vault.record SET sealed = ''"),
        (AUDITOR, "SELECT * FROM vault.record"),
        (AUDITOR, "SELECT * FROM credential"),
        (AUDITOR, "DELETE FROM timers.timer"),
        (AUDITOR, "SELECT * FROM webhooks.secret"),
        (API, "DELETE FROM webhooks.endpoint"),
        (API, "INSERT INTO proofs.subtree VALUES (1, 0, sha256(''), NULL)"),
        (AUDITOR, "INSERT INTO proofs.subtree VALUES (1, 0, sha256(''), NULL)"),
        (FOLLOWER, "SELECT * FROM proofs.subtree"),
        (NOTARY, "UPDATE proofs.subtree SET hash = sha256('')"),
        (NOTARY, "DELETE FROM proofs.signed_checkpoint"),
        (NOTARY, "SELECT * FROM vault.record"),
        (NOTARY, "SELECT * FROM credential"),
    ],
)
def test_a_role_may_not_do_what_its_processes_never_do(postgres_url: str, role: str, statement: LiteralString) -> None:
    with psycopg.connect(_as_a_user_of(postgres_url, role)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


RIGHTS = """
SELECT 'schema', nspname, '', (aclexplode(nspacl)).* FROM pg_namespace
UNION ALL SELECT 'table', oid::regclass::text, '', (aclexplode(relacl)).* FROM pg_class
UNION ALL SELECT 'column', attrelid::regclass::text, attname, (aclexplode(attacl)).* FROM pg_attribute
UNION ALL SELECT 'function', oid::regprocedure::text, '',
    (aclexplode(coalesce(proacl, acldefault('f', proowner)))).* FROM pg_proc
UNION ALL SELECT 'owner', oid::regprocedure::text, '', proowner, 0, '', false FROM pg_proc WHERE prosecdef
"""
FORGET_RIGHTS = f"""
DO $restored$
DECLARE one text; durable regclass; its_function regprocedure;
BEGIN
    FOREACH one IN ARRAY ARRAY['public', 'vault', 'deliveries', 'timers', 'offer_rounds', 'webhooks', 'proofs'] LOOP
        FOR durable IN SELECT oid FROM pg_class WHERE relnamespace = one::regnamespace AND relkind = 'r' LOOP
            EXECUTE format('REVOKE ALL ON %s FROM {API}, {FOLLOWER}, {AUDITOR}, {NOTARY}, {APPENDER}', durable);
        END LOOP;
        FOR its_function IN SELECT oid FROM pg_proc WHERE pronamespace = one::regnamespace AND prosecdef LOOP
            EXECUTE format('ALTER FUNCTION %s OWNER TO CURRENT_USER', its_function);
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM {API}, {FOLLOWER}, {AUDITOR}', its_function);
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', its_function);
        END LOOP;
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM {APPENDER}', one);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM {API}, {FOLLOWER}, {AUDITOR}, {NOTARY}, {APPENDER}', one);
    END LOOP;
END
$restored$
"""


def test_migrating_a_database_that_was_restored_without_its_rights_gives_all_of_them_again(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        before = set(connection.execute(RIGHTS).fetchall())
        connection.execute(FORGET_RIGHTS.encode())
        assert len(set(connection.execute(RIGHTS).fetchall()) & before) < len(before)

    migrate(postgres_url)

    with psycopg.connect(postgres_url) as connection:
        after = set(connection.execute(RIGHTS).fetchall())
    assert after == before


def test_the_vault_key_can_be_tried_before_any_organization_is_known(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO vault.subject_key VALUES (gen_random_uuid(), gen_random_uuid(), 'wrapped')")
    with psycopg.connect(_as_a_user_of(postgres_url, API)) as connection:
        rows = connection.execute("SELECT wrapped_key FROM vault.any_key()").fetchall()
        walled = connection.execute("SELECT * FROM vault.subject_key").fetchall()

    assert rows == [(b"wrapped",)]
    assert walled == []


def test_each_process_connects_in_its_role_and_keeps_the_options_that_were_given(postgres_url: str) -> None:
    roles = {
        process: role_of(process)
        for process in ("serve", "serve reads", "relay", "verify", "export", "checkpoint", "project", "notify")
    }

    assert roles == {
        "serve": API,
        "serve reads": API,
        "relay": AUDITOR,
        "verify": AUDITOR,
        "export": AUDITOR,
        "checkpoint": NOTARY,
        "project": FOLLOWER,
        "notify": FOLLOWER,
    }
    given = psycopg.conninfo.make_conninfo(postgres_url, options="-c work_mem=7MB")
    with psycopg.connect(url_for("serve", given)) as connection:
        said = connection.execute("SELECT current_user, current_setting('work_mem')").fetchone()
    assert said == (API, "7MB")


def _as_a_user_of(url: str, role: str) -> str:
    """As a login user that was granted the role and nothing else, the way production does it."""
    user = f"user_of_{role}"
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regrole(%s)", (user,)).fetchone() == (None,):
            connection.execute(f"CREATE ROLE {user} LOGIN IN ROLE {role}".encode())
    return psycopg.conninfo.make_conninfo(url, user=user, options=f"-c role={role}")


def test_a_login_user_is_as_weak_as_its_role_even_if_it_leaves_it(postgres_url: str) -> None:
    with psycopg.connect(_as_a_user_of(postgres_url, API), autocommit=True) as connection:
        connection.execute("SET ROLE NONE")
        before: Any = connection.execute("SELECT current_user").fetchone()
        with pytest.raises(InsufficientPrivilege):
            connection.execute("DELETE FROM stored_events")

    assert before == (f"user_of_{API}",)
