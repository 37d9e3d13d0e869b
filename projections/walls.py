"""The second wall between organizations, in PostgreSQL itself: a row is shown to whoever has named its organization.

The first wall is that every query asks for its organization's rows. A query that forgets to is answered with nothing of
the others': what may be seen is said once per request, from its token (``adapters.walls``).
"""

from typing import Any

from psycopg import Cursor

API, FOLLOWER, AUDITOR = "daybook_api", "daybook_follower", "daybook_auditor"
NOTARY = "daybook_notary"
"""The roles that processes have in the database; ``daybook migrate`` makes them."""

# Organizations are set by their ids, separated by commas; not set: nobody's rows. In a sub-select, so that PostgreSQL
# reads the setting once per query and not once per row.
OWN_ROWS = (
    "organization_id = ANY ((SELECT string_to_array(nullif(current_setting('daybook.organizations', true), ''), ',')"
    "::uuid[])::uuid[])"
)

RAISE = f"""
DO $walls$
DECLARE walled regclass;
BEGIN
    FOR walled IN
        SELECT attrelid FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = to_regnamespace('%(schema)s') AND relkind IN ('r', 'p')
          AND attname = 'organization_id' AND NOT attisdropped
    LOOP
        EXECUTE format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', walled);
        EXECUTE format('DROP POLICY IF EXISTS own_rows ON %%s', walled);
        EXECUTE format('DROP POLICY IF EXISTS audited ON %%s', walled);
        EXECUTE format('CREATE POLICY own_rows ON %%s USING (%%s)', walled, $own${OWN_ROWS}$own$);
        EXECUTE format('CREATE POLICY audited ON %%s FOR SELECT TO {AUDITOR} USING (true)', walled);
    END LOOP;
END
$walls$
"""  # noqa: S608  names from above
"""For each table of a schema that has an ``organization_id``. Followers pass: their role has BYPASSRLS."""

SHOW = f"""
GRANT USAGE ON SCHEMA %(schema)s TO {API}, {AUDITOR};
GRANT SELECT ON ALL TABLES IN SCHEMA %(schema)s TO {API}, {AUDITOR}
"""


def raise_walls(cursor: Cursor[Any], schema: str) -> None:
    """Let the API and auditors read the tables of a read model that was just made, each within its walls."""
    cursor.execute(f"{RAISE % {'schema': schema}};{SHOW % {'schema': schema}}".encode(), prepare=False)
