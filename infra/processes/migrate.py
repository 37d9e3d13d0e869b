"""``daybook migrate``: the durable tables, and what was done."""

import json
import sys

import psycopg

from infra.migrations import migrate as bring_up_to_date
from infra.process import cannot
from infra.settings import load_settings


def migrate(database_url: str) -> str:
    """Bring the database up to date; one line that says from where to where."""
    before = _revisions(database_url)
    bring_up_to_date(database_url)
    after = _revisions(database_url)
    if before == after:
        return f"the database is up to date at {', '.join(after)}"
    return f"the database went from {', '.join(before) or 'nothing'} to {', '.join(after)}"


def run(*, as_json: bool) -> int:
    """Raises ``SettingsError``."""
    url = load_settings().database_url
    try:
        said = migrate(url)
    except psycopg.OperationalError as error:
        return cannot("migrate", error)
    sys.stdout.write((json.dumps({"revisions": _revisions(url)}) if as_json else said) + "\n")
    return 0


def _revisions(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as connection:
        known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if not known or known[0] is None:
            return []
        found = connection.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
        return [str(revision) for (revision,) in found]
