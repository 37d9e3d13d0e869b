"""Timers of several kinds for one visit, and messages about more than one visit: about a series, or beside a visit."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE timers.timer RENAME appointment_id TO about_id")
    op.execute("CREATE INDEX timer_about ON timers.timer (about_id, kind)")
    for table in ("notice", "delivery"):
        op.execute(f"ALTER TABLE deliveries.{table} RENAME appointment_id TO about_id")
        op.execute(f"ALTER TABLE deliveries.{table} ADD stream_id uuid")
        op.execute(f"UPDATE deliveries.{table} SET stream_id = about_id")  # noqa: S608  a name from above
        op.execute(f"ALTER TABLE deliveries.{table} ALTER stream_id SET NOT NULL")
    op.execute("ALTER INDEX deliveries.delivery_of_appointment RENAME TO delivery_about")
    # A fact is one reason to write; which template it comes to, its history says.
    op.execute("ALTER TABLE deliveries.notice DROP COLUMN template")
    op.execute("ALTER TABLE deliveries.notice ADD PRIMARY KEY (position)")
