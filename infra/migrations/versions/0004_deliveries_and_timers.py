"""What the notifier and the timekeeper remember. Made of facts like a read model, but never rebuilt: it has effects."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for schema in ("deliveries", "timers"):
        op.execute(f"CREATE SCHEMA {schema}")
        op.execute(f"CREATE TABLE {schema}.checkpoint (partition int PRIMARY KEY, position bigint NOT NULL)")
    _deliveries()
    op.execute(
        """
        CREATE TABLE timers.timer (
            id uuid PRIMARY KEY,
            kind text NOT NULL,
            organization_id uuid NOT NULL,
            appointment_id uuid NOT NULL,
            due_at timestamptz NOT NULL,
            attempts int NOT NULL DEFAULT 0,
            retry_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX timer_due ON timers.timer (due_at)")


def _deliveries() -> None:
    op.execute(
        """
        CREATE TABLE deliveries.notice (
            position bigint NOT NULL,
            template text NOT NULL,
            organization_id uuid NOT NULL,
            appointment_id uuid NOT NULL,
            version int NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (position, template)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE deliveries.delivery (
            id uuid PRIMARY KEY,
            position bigint NOT NULL,
            template text NOT NULL,
            channel text NOT NULL,
            recipient_id uuid NOT NULL,
            organization_id uuid NOT NULL,
            appointment_id uuid NOT NULL,
            version int NOT NULL,
            at timestamptz NOT NULL,
            state text NOT NULL CHECK (state IN ('intent', 'in_doubt', 'sent', 'failed', 'skipped', 'unknown')),
            reason text,
            provider_id text,
            attempts int NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL DEFAULT now(),
            attempted_at timestamptz,
            changed_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (position, template, channel, recipient_id)
        )
        """
    )
    op.execute("CREATE INDEX delivery_due ON deliveries.delivery (due_at) WHERE state = 'intent'")
    op.execute("CREATE INDEX delivery_in_doubt ON deliveries.delivery (due_at) WHERE state = 'in_doubt'")
    op.execute(
        "CREATE INDEX delivery_of_appointment ON deliveries.delivery (organization_id, appointment_id, position)"
    )
