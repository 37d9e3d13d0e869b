"""Links by which visits are managed without an account, and whom to forget unless they prove their contact."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE visitor_link (
            digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
            id uuid NOT NULL UNIQUE,
            organization_id uuid NOT NULL,
            appointment_id uuid NOT NULL,
            customer_id uuid NOT NULL,
            sealed bytea,
            issued_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX visitor_link_unsent ON visitor_link (appointment_id) WHERE sealed IS NOT NULL")
    op.execute(
        """
        CREATE TABLE visitor_unconfirmed (
            customer_id uuid PRIMARY KEY,
            organization_id uuid NOT NULL,
            appointment_id uuid NOT NULL,
            due_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX visitor_unconfirmed_due ON visitor_unconfirmed (due_at)")
