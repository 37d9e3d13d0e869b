"""The journal: the event store's table, receipts, the epoch, and the function that appends."""

from alembic import op

from adapters.journal_schema import create_statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in create_statements():
        # To the driver as it is: a colon in it is PostgreSQL's cast and no parameter, nor is a percent sign.
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
