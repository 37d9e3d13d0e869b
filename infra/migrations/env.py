"""What Alembic runs to reach the database."""

import psycopg
from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from infra.migrations import roles

MIGRATING = 0x6461_7962_6F6F_6B
"""The advisory lock that migrations hold ("daybook"), so that of several processes that start one migrates."""


def run() -> None:
    url: str = context.config.attributes["database_url"]
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, transaction_per_migration=False)
        with context.begin_transaction():
            # Before the present version is read: who waited here finds the work done.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
            connection.exec_driver_sql(roles.CREATE.replace("%", "%%"))
            context.run_migrations()
            if connection.scalar(text(roles.THERE_IS_ALL)):  # not where one migrates to an earlier revision only
                connection.exec_driver_sql(roles.GRANT.replace("%", "%%"))


run()
