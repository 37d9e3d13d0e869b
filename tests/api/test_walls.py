"""The second wall between organizations: what a query forgets to ask for, PostgreSQL keeps (SECURITY.md, row 6)."""

import asyncio
import time
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from adapters.walls import _HEAD, Walls, _walled
from application.feed import partition_of
from infra.database_roles import url_for
from infra.read_models import NAMES
from projections.appointments import Appointments
from projections.walls import API, AUDITOR, FOLLOWER
from tests.api.house import House, opened_house
from tests.api.running_api import PARTITIONS, RunningApi

pytestmark = pytest.mark.security(6)

OF_EVERYBODY = {
    "checkpoint": "how far a read model has come",
    "pruned": "from where on changes are held",
    "block": "bit masks by resource id: which minutes are taken, not by whom",
    "claim": "the intervals behind them",
    "turn": "which resource a pool gave last",
    "session": "sessions by service id",
    "visit": "visits by service id, or states of visits within the projector only",
    "resource": "states within a read model, found by the ids that walled rows name",
    "location": "the same",
    "taken": "which claims the projector has seen",
    "report": "the ids of providers' events, so that one that comes again is known",
    "seat": "the places of group visits, joined to the walled entries",
}
"""Tables that have no organization, each for a reason: they hold nobody's personal data and are read by ids."""


@pytest.fixture(scope="module")
def houses(api: RunningApi) -> list[House]:
    """Two organizations with everything in them, and all read models built."""
    both = [opened_house(api), opened_house(api)]
    for name, house in product((*NAMES, "deliveries"), both):
        reached = f"SELECT position FROM {name}.checkpoint WHERE partition = {partition_of(UUID(house.id), PARTITIONS)}"
        deadline = time.monotonic() + 30
        while api.rows(reached) < [(int(house.position),)]:
            assert time.monotonic() < deadline, f"{name} does not follow"
            time.sleep(0.05)
    return both


@pytest.fixture
def as_api(api: RunningApi) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url_for("serve", api.settings.database_url), autocommit=True) as connection:
        yield connection


def see(connection: psycopg.Connection[Any], *organization_ids: UUID | str) -> None:
    connection.execute("SELECT set_config('daybook.organizations', %s, false)", (",".join(map(str, organization_ids)),))


def walled_tables(api: RunningApi) -> list[tuple[str, str]]:
    return [
        (schema, table)
        for schema, table in api.rows(
            "SELECT table_schema, table_name FROM information_schema.columns WHERE column_name = 'organization_id'"
            " AND table_schema NOT IN ('public', 'timers', 'offer_rounds')"
        )
    ]


def test_a_query_that_forgets_its_organization_is_shown_nothing_of_another(
    houses: list[House], as_api: psycopg.Connection[Any]
) -> None:
    one, other = houses
    forgetful = "SELECT DISTINCT organization_id FROM appointments.appointment"

    see(as_api, one.id)
    assert as_api.execute(forgetful).fetchall() == [(UUID(one.id),)]
    see(as_api, other.id)
    assert as_api.execute(forgetful).fetchall() == [(UUID(other.id),)]
    see(as_api, one.id)
    wrong = as_api.execute("SELECT count(*) FROM appointments.appointment WHERE organization_id = %s", (other.id,))
    assert wrong.fetchall() == [(0,)]


def test_whoever_names_no_organization_is_shown_nothing(houses: list[House], as_api: psycopg.Connection[Any]) -> None:
    count = "SELECT count(*) FROM appointments.appointment"

    assert as_api.execute(count).fetchone() == (0,)
    see(as_api, uuid4())
    assert as_api.execute(count).fetchone() == (0,)
    see(as_api)
    assert as_api.execute(count).fetchone() == (0,)


def test_every_table_with_an_organization_shows_exactly_its_own_rows(
    houses: list[House], api: RunningApi, as_api: psycopg.Connection[Any]
) -> None:
    one, _ = houses
    held_by_both = 0
    for schema, table in walled_tables(api):
        name = Identifier(schema, table)
        of_one = SQL("SELECT count(*) FILTER (WHERE organization_id = {}), count(*) FROM {}").format(one.id, name)
        ((its, everybodys),) = api.rows(of_one.as_string())  # as whoever sees all

        see(as_api)
        assert as_api.execute(of_one).fetchone() == (0, 0), f"{schema}.{table} is shown to whoever names nobody"
        see(as_api, one.id)
        assert as_api.execute(of_one).fetchone() == (its, its), f"{schema}.{table}"
        held_by_both += 0 < its < everybodys
    assert held_by_both >= 8  # else nothing of the other organization's could have been seen


def test_no_table_with_an_organization_is_without_a_wall(houses: list[House], api: RunningApi) -> None:
    open_tables = (
        "SELECT relnamespace::regnamespace::text, relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
        " WHERE attname = 'organization_id' AND relkind IN ('r', 'p') AND relnamespace <> 'public'::regnamespace"
        " AND NOT (relrowsecurity AND relforcerowsecurity"
        "  AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'own_rows'))"
    )
    built = {schema for (schema,) in api.rows("SELECT nspname FROM pg_namespace")}

    assert built >= {*NAMES, "vault", "deliveries", "timers", "offer_rounds"}
    assert api.rows(open_tables) == []
    with psycopg.connect(api.settings.database_url) as planted:  # what was forgotten would be found
        planted.execute("CREATE TABLE appointments.forgotten (organization_id uuid)")
        assert planted.execute(open_tables).fetchall() == [("appointments", "forgotten")]
        planted.rollback()


def test_a_table_without_an_organization_has_a_reason(houses: list[House], api: RunningApi) -> None:
    without = api.rows(
        "SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relkind = 'r' AND nspname = ANY (SELECT nspname FROM pg_class c JOIN pg_namespace n"
        "  ON n.oid = c.relnamespace WHERE c.relname = 'checkpoint')"
        " AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'organization_id')"
    )

    assert [(schema, table) for schema, table in without if table not in OF_EVERYBODY] == []


def test_a_list_within_walls_is_read_by_its_index_in_its_order(houses: list[House], api: RunningApi) -> None:
    page = "SELECT * FROM audit_trail.fact WHERE organization_id = %s ORDER BY position DESC LIMIT 20"

    with psycopg.connect(api.settings.database_url) as planning:
        # So few facts are read as cheaply by the other index, which is in that order, too.
        planning.execute("ALTER TABLE audit_trail.fact DROP CONSTRAINT fact_pkey")
        planning.execute(f"SET LOCAL ROLE {API}; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        rows = planning.execute(f"EXPLAIN {_walled(page, _HEAD)}", (houses[0].id, houses[0].id)).fetchall()
        planning.rollback()
    found = "\n".join(line for (line,) in rows)

    assert "Index Scan Backward using fact_by_organization" in found
    assert "Sort" not in found


def test_a_rebuilt_read_model_has_its_walls_again(houses: list[House], api: RunningApi) -> None:
    from adapters.journal_reader import PostgresJournalReader
    from infra.composition import connecting
    from projections.rebuilding import rebuild

    connect = connecting(api.settings, "rebuild")
    with connect() as connection, connect() as reading:
        reading.autocommit = True
        rebuild(Appointments(), connection, PostgresJournalReader(reading), partitions=2)

    with psycopg.connect(url_for("serve", api.settings.database_url), autocommit=True) as as_api:
        see(as_api, houses[0].id)
        shown = as_api.execute("SELECT DISTINCT organization_id FROM appointments.appointment").fetchall()
    assert shown == [(UUID(houses[0].id),)]


def test_the_vault_shows_nobody_anothers_people(houses: list[House], as_api: psycopg.Connection[Any]) -> None:
    one, other = houses

    see(as_api, one.id)
    keys = as_api.execute("SELECT DISTINCT organization_id FROM vault.subject_key").fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        as_api.execute("INSERT INTO vault.subject_key VALUES (%s, %s, '')", (other.id, uuid4()))
    erased = as_api.execute("DELETE FROM vault.subject_key WHERE organization_id = %s", (other.id,)).rowcount

    assert keys == [(UUID(one.id),)]
    assert erased == 0


@pytest.mark.parametrize("role", [FOLLOWER, AUDITOR])
def test_followers_and_auditors_see_across_organizations(houses: list[House], api: RunningApi, role: str) -> None:
    with psycopg.connect(api.settings.database_url, options=f"-c role={role}") as connection:
        found = connection.execute("SELECT DISTINCT organization_id FROM appointments.appointment").fetchall()

    assert {(UUID(house.id),) for house in houses} <= set(found)


def test_each_asks_for_his_own_over_one_connection(houses: list[House], api: RunningApi) -> None:
    asked = "SELECT DISTINCT organization_id::text FROM appointments.appointment ORDER BY 1"

    async def story() -> None:
        url = url_for("serve", api.settings.database_url)
        async with AsyncConnectionPool(url, min_size=1, max_size=1, kwargs={"autocommit": True}) as pool:
            walls = Walls(pool)

            async def seen_by(*organizations: UUID) -> list[tuple[str]]:
                async with walls.of(*organizations).connection() as connection:
                    return await (await connection.execute(asked)).fetchall()

            one, other = (UUID(house.id) for house in houses)
            for organization in (one, one, other, one, other, other):
                assert await seen_by(organization) == [(str(organization),)]
                async with walls.connection() as nobodys:  # nothing of what was seen is left behind
                    assert await (await nobodys.execute(asked)).fetchall() == []
            assert await seen_by() == []
            assert await seen_by(one, other) == sorted([(str(one),), (str(other),)])
            with pytest.raises(psycopg.errors.DivisionByZero):
                async with walls.of(other).connection() as connection:
                    await connection.execute("SELECT 1 / %s", (0,))
            assert await seen_by(one) == [(str(one),)]
            async with walls.of(other).transaction() as transaction:
                assert await (await transaction.execute(asked)).fetchall() == [(str(other),)]
            assert await seen_by(one) == [(str(one),)]

    asyncio.run(story())


def test_rows_that_a_plan_reads_too_early_are_not_shown(houses: list[House], as_api: psycopg.Connection[Any]) -> None:
    """PostgreSQL evaluates a setting within a statement when it pleases: so it must never be anybody else's before."""
    one, _ = houses
    setting = "(SELECT set_config('daybook.organizations', %s, true))"

    before = as_api.execute(
        f"SELECT DISTINCT organization_id FROM {setting} AS its, appointments.appointment", (one.id,)
    ).fetchall()
    too_late = as_api.execute(
        f"SELECT DISTINCT organization_id FROM appointments.appointment LEFT JOIN {setting} AS its ON true", (one.id,)
    ).fetchall()
    left = as_api.execute("SELECT current_setting('daybook.organizations', true)").fetchone()

    assert before == [(UUID(one.id),)]
    assert too_late == []
    assert left == ("",)
