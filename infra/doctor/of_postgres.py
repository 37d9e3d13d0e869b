"""Whether the database keeps what it is given, and keeps from the API what it must not do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

import infra.migrations
from infra import serving
from infra.database_roles import url_for
from infra.doctor.finding import Finding, advice, looked, stays_here, unsafe
from infra.processes.notify import CALLS_MAX
from infra.settings import Settings, variable

VERSION_MIN = 160_000
SKEW_MAX = timedelta(seconds=2)
OTHER_CONNECTIONS = 20
"""Of relay, projector, timekeeper and whoever looks at them."""

UNWALLED = """
SELECT relnamespace::regnamespace::text || '.' || relname FROM pg_class
JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'organization_id' AND NOT attisdropped
WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text NOT IN ('public', 'information_schema', 'pg_catalog')
  AND NOT (relrowsecurity AND relforcerowsecurity
           AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'own_rows')) ORDER BY 1
"""
"""Tables whose rows belong to organizations and are shown to all."""


def of_postgres(settings: Settings) -> Iterator[Finding]:
    """Looked at as the API sees it: by its way, in its role."""
    try:
        with psycopg.connect(url_for("serve", settings.database_url), autocommit=True, connect_timeout=5) as connection:
            checks = (version, encryption, durability, migrations, identity, walls, clock, archiving, connections)
            yield from looked("postgres", [partial(check, connection) for check in checks], (psycopg.Error,))
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[-1]
        do = "run `daybook migrate`" if "role" in said else f"start it, or set {variable('database_url')} right"
        yield unsafe("postgres.reachable", f"it cannot be connected to: {said}", do)


def version(connection: Connection[Any], version_min: int = VERSION_MIN) -> Iterator[Finding]:
    found = connection.info.server_version
    if found < version_min:
        yield unsafe(
            "postgres.version", f"version {found // 10_000} is too old", f"use {version_min // 10_000} or later"
        )


def encryption(connection: Connection[Any]) -> Iterator[Finding]:
    if stays_here(connection.info.host):
        return
    ((encrypted,),) = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchall()
    if not encrypted:
        yield unsafe(
            "postgres.tls", "everything travels in the clear", f"add sslmode=verify-full to {variable('database_url')}"
        )
    elif conninfo_to_dict(connection.info.dsn).get("sslmode") != "verify-full":
        yield unsafe(
            "postgres.tls",
            "nobody checks that it is the right server",
            f"add sslmode=verify-full and sslrootcert=… to {variable('database_url')}",
        )


def durability(connection: Connection[Any]) -> Iterator[Finding]:
    for name, loss in (
        ("fsync", "a power cut can destroy the journal"),
        ("full_page_writes", "a power cut can leave torn pages in the journal"),
        ("synchronous_commit", "a crash takes bookings back that were answered"),
    ):
        if connection.execute("SELECT current_setting(%s)", (name,)).fetchone() == ("off",):
            yield unsafe(f"postgres.{name}", f"{name} is off: {loss}", f"set {name} = on")


def migrations(connection: Connection[Any]) -> Iterator[Finding]:
    config = Config()
    config.set_main_option("script_location", str(Path(infra.migrations.__file__).parent).replace("%", "%%"))
    heads = set(ScriptDirectory.from_config(config).get_heads())
    ((there,),) = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchall()
    found = {row[0] for row in connection.execute("SELECT version_num FROM alembic_version")} if there else set()
    if found != heads:
        is_at = ", ".join(sorted(found)) or "nothing"
        yield unsafe(
            "postgres.migrations",
            f"the database is at {is_at}, not {', '.join(sorted(heads))}",
            "run `daybook migrate`",
        )


def identity(connection: Connection[Any]) -> Iterator[Finding]:
    """Of who connects: what it may do beyond the role that the API takes on can be had by whoever breaks into it."""
    row = connection.execute(
        "SELECT session_user, rolsuper, rolbypassrls, has_table_privilege(session_user, 'public.stored_events',"
        "  'UPDATE, DELETE, TRUNCATE, INSERT, TRIGGER'),"
        " pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = 'public.stored_events'::regclass),"
        "  'MEMBER'), pg_has_role(session_user, 'daybook_follower', 'MEMBER')"
        " FROM pg_roles WHERE rolname = session_user"
    ).fetchone()
    assert row
    user, is_super, bypasses, alters, owns, follows = row
    do = f"let the API connect as a user that has nothing but: GRANT daybook_api TO … (not as {user})"
    if is_super:
        yield unsafe("postgres.user", f"the API connects as a superuser ({user})", do)
    elif alters or owns:
        yield unsafe("postgres.user", f"the API connects as a user that can change facts ({user})", do)
    elif bypasses or follows:
        yield unsafe("postgres.user", f"the API connects as a user that no wall stops ({user})", do)


def walls(connection: Connection[Any]) -> Iterator[Finding]:
    for (table,) in connection.execute(UNWALLED.encode()).fetchall():
        yield unsafe(
            "postgres.walls",
            f"{table} shows every organization's rows to all",
            f"run `daybook rebuild {table.partition('.')[0]}`, or `daybook migrate`",
        )


def clock(connection: Connection[Any], skew: timedelta = timedelta()) -> Iterator[Finding]:
    """``skew``: by how much this machine's clock is made wrong, for tests."""
    before = datetime.now(UTC) + skew
    ((theirs,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    after = datetime.now(UTC) + skew
    if not before - SKEW_MAX <= theirs <= after + SKEW_MAX:
        off_s = (theirs - after).total_seconds()
        yield unsafe("postgres.clock", f"its clock differs from this machine's by {off_s:.0f} s", "keep both with NTP")


def archiving(connection: Connection[Any]) -> Iterator[Finding]:
    ((mode, standbys),) = connection.execute(
        "SELECT current_setting('archive_mode'), (SELECT count(*) FROM pg_replication_slots WHERE active)"
    ).fetchall()
    if mode == "off" and not standbys:
        yield advice(
            "postgres.archiving",
            "if its disk is lost, so is every booking since the last backup",
            "archive its WAL (archive_mode, pg_receivewal), or keep a standby",
        )


def connections(connection: Connection[Any], api_processes: int = 1) -> Iterator[Finding]:
    ((most, reserved),) = connection.execute(
        "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int"
    ).fetchall()
    needed = api_processes * serving.CONNECTIONS_MAX + CALLS_MAX + OTHER_CONNECTIONS
    if most - reserved < needed:
        yield unsafe(
            "postgres.connections",
            f"it lets {most - reserved} connect; one process of each kind may want {needed}",
            f"set max_connections to {needed + reserved} at least, and {serving.CONNECTIONS_MAX} more for each API",
        )
