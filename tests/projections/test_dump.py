"""The canonical dump: equal if and only if the rows are."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from projections.dump import canonical_dump, digest

SCHEMA = "dumped"
TABLES = """
CREATE TABLE moment (id int PRIMARY KEY, at timestamptz, what jsonb, name text);
CREATE TABLE word (word text, part int, weight float8, PRIMARY KEY (word, part));
CREATE TABLE checkpoint (partition int PRIMARY KEY, position bigint NOT NULL);
"""
ROWS = (
    "INSERT INTO moment VALUES (1, '2026-11-23 09:00+00', '{\"b\": 1, \"a\": [2]}', NULL)",
    "INSERT INTO moment VALUES (2, NULL, NULL, E'tab\\tline\\nend')",
    "INSERT INTO word VALUES ('ä', 1, 0.1), ('Z', 2, 1e300), ('a', 1, 3), ('Z', 1, 2)",
)


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        connection.execute(f"SET LOCAL search_path = {SCHEMA}")
        connection.execute(TABLES)
        for statement in ROWS:
            connection.execute(statement)
        yield connection
        connection.rollback()


def test_it_lists_tables_columns_and_rows_in_an_order_of_its_own(connection: Connection[Any]) -> None:
    assert b"".join(canonical_dump(connection, SCHEMA)).decode() == (
        "moment (at, id, name, what)\n"
        '2026-11-23 09:00:00+00\t1\t\\N\t{"a": [2], "b": 1}\n'
        "\\N\t2\ttab\\tline\\nend\t\\N\n"
        "word (part, weight, word)\n"
        "1\t2\tZ\n2\t1e+300\tZ\n1\t3\ta\n1\t0.1\tä\n"
    )


@pytest.mark.parametrize(
    "harmless",
    [
        "UPDATE moment SET name = name",
        "DELETE FROM word WHERE word = 'a'; INSERT INTO word VALUES ('a', 1, 3)",
        "SET LOCAL timezone = 'America/Sao_Paulo'; SET LOCAL datestyle = 'German'",
        "INSERT INTO checkpoint VALUES (1, 4711)",
        "CREATE INDEX ON word (weight)",
    ],
    ids=["rewritten", "in another place", "another notation", "further on", "an index more"],
)
def test_what_changes_no_row_changes_no_digest(connection: Connection[Any], harmless: str) -> None:
    before = digest(connection, SCHEMA)

    connection.execute(harmless)

    assert digest(connection, SCHEMA) == before


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE moment SET at = at + interval '1 microsecond' WHERE id = 1",
        "UPDATE moment SET name = '' WHERE id = 1",
        "UPDATE word SET weight = 0.10000000000000002 WHERE word = 'ä'",
        "DELETE FROM word WHERE word = 'a'",
        "INSERT INTO moment VALUES (3)",
        "ALTER TABLE moment RENAME COLUMN name TO title",
    ],
)
def test_whatever_changes_a_row_changes_the_digest(connection: Connection[Any], harm: str) -> None:
    before = digest(connection, SCHEMA)

    connection.execute(harm)

    assert digest(connection, SCHEMA) != before


def test_a_table_without_a_primary_key_has_no_canonical_order(connection: Connection[Any]) -> None:
    connection.execute("CREATE TABLE heap (id int)")

    with pytest.raises(ValueError, match="no primary key"):
        digest(connection, SCHEMA)
