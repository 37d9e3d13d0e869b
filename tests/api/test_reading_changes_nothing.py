"""SECURITY.md row 15: GET never changes anything, whoever asks and whatever for. Driven by the OpenAPI document."""

import re
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.api.house import House, made
from tests.api.running_api import RunningApi

pytestmark = pytest.mark.security(15)

MOVES_BY_ITSELF = {"checkpoint"}
"""Followers note how far they have come, whether or not anyone reads."""
JOURNAL = {"public.stored_events", "public.receipts"}
WINDOW = {"start": "2027-02-01", "end": "2027-02-08"}
QUERIES = {"getCalendar": WINDOW, "findSlots": WINDOW, "explainSlot": {"start": "2027-02-01T10:00:00Z"}}


def contents(api: RunningApi) -> dict[str, str]:
    """A digest of every table, by its name."""
    with psycopg.connect(api.settings.database_url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        found = {}
        for schema, name in tables:
            digest = SQL("SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} AS t")
            row = connection.execute(digest.format(Identifier(schema, name))).fetchone()
            if name not in MOVES_BY_ITSELF and row:
                found[f"{schema}.{name}"] = row[0]
        return found


def ids_of(house: House) -> dict[str, str]:
    """What the house knows by name, as the paths of the document name it."""
    known = {name: value for name, value in vars(house).items() if name.endswith("_id") and isinstance(value, str)}
    return (
        known
        | {"organization_id": house.id, "entry_id": house.waitlist_entry_id, "slug": "slot-taken"}
        | {"account_id": house.account_ids["owner"]}
    )


@pytest.fixture(scope="module")
def asked(house: House) -> list[tuple[str, dict[str, str]]]:
    """Every GET of the document, with the house's objects in its path."""
    paths: dict[str, Any] = made(house["owner"].get("/openapi.json"), 200)["paths"]
    ids = ids_of(house)
    found = []
    for path, methods in paths.items():
        if "get" in methods:
            filled = re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], str(uuid4())), path)
            found.append((filled, QUERIES.get(methods["get"]["operationId"], {})))
    return found


def asked_by(house: House, asked: list[tuple[str, dict[str, str]]], role: str) -> tuple[list[int], set[str]]:
    """The answers' statuses, and the tables that have changed."""
    for sink in ("/v1/locations", "/v1/appointments", "/v1/webhooks", "/v1/audit/facts"):  # all is written that will be
        made(house["owner"].get(sink, headers={"Journal-Position": house.position}), 200)
    before = contents(house.api)
    statuses = []
    for path, query in asked:
        statuses.append(house[role].get(path, params=query, headers={"Idempotency-Key": uuid4().hex}).status_code)
        # Nor does a change that is smuggled into the query.
        house[role].get(path, params={**query, "name": "X", "_method": "DELETE"}, headers={"X-HTTP-Method": "DELETE"})
        house[role].head(path)
    after = contents(house.api)
    return statuses, {table for table in after if after[table] != before[table]}


@pytest.mark.parametrize("role", ["owner", "anonymous"])
def test_no_get_changes_a_row_or_the_journal(house: House, asked: list[tuple[str, dict[str, str]]], role: str) -> None:
    head = house.api.head()

    statuses, changed = asked_by(house, asked, role)

    assert len(asked) > 30
    assert role == "anonymous" or statuses.count(200) > 15
    assert max(statuses) < 500
    assert house.api.head() == head
    assert changed == set()


def test_of_what_is_forbidden_only_the_attempt_is_noted(house: House, asked: list[tuple[str, dict[str, str]]]) -> None:
    head = house.api.head()

    statuses, changed = asked_by(house, asked, "customer")

    topics = {topic for (topic,) in house.api.rows(f"SELECT topic FROM stored_events WHERE notification_id > {head}")}
    assert 403 in statuses
    assert topics == {"access.call_forbidden.v1"}
    assert changed <= {*JOURNAL, "audit_trail.fact"}
