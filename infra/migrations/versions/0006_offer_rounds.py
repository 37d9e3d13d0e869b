"""Where the waitlist's keeper has to look. Made of facts, but never rebuilt: it says how far the keeper has looked."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("CREATE SCHEMA offer_rounds")
    op.execute("CREATE TABLE offer_rounds.checkpoint (partition int PRIMARY KEY, position bigint NOT NULL)")
    op.execute(
        """
        CREATE TABLE offer_rounds.round (
            organization_id uuid PRIMARY KEY,
            position bigint NOT NULL,
            looked bigint NOT NULL DEFAULT 0,
            due_at timestamptz,
            retry_at timestamptz
        )
        """
    )
