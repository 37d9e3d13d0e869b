"""The durable tables: numbered migrations of plain SQL, run by Alembic. Read models are not here: they are rebuilt.

A migration is a file ``versions/NNNN_what.py``::

    \"\"\"Where accounts keep their credentials.\"\"\"
    from alembic import op

    revision = "0002"
    down_revision = "0001"  # the migration whose tables it needs

    def upgrade() -> None:
        op.execute("CREATE TABLE …")

There is no way down: a journal is never altered, and a mistake is mended by the next migration.
"""

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config

_alembic_is_not_reentrant = Lock()


def migrate(database_url: str) -> None:
    """Bring the database up to date: all missing migrations in one transaction, one process at a time.

    ``database_url`` is what libpq takes, a URL or ``key=value`` words. Raises psycopg's errors wrapped by SQLAlchemy.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    with _alembic_is_not_reentrant:
        command.upgrade(config, "heads")
