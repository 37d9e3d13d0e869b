"""What providers report of messages; and webhooks: where facts go, what they are signed with, what became of each.

Webhooks are made of facts like a read model, but never rebuilt: they have effects.
"""

from alembic import op

from projections.delivery_reports import NOTE_FUNCTION
from projections.walls import API, AUDITOR, FOLLOWER, RAISE

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _reports()
    op.execute("CREATE SCHEMA webhooks")
    op.execute("CREATE TABLE webhooks.checkpoint (partition int PRIMARY KEY, position bigint NOT NULL)")
    op.execute(
        """
        CREATE TABLE webhooks.endpoint (
            id uuid PRIMARY KEY,
            organization_id uuid NOT NULL,
            url text NOT NULL,
            topics text[] NOT NULL,
            disabled text,
            version bigint NOT NULL,
            created_position bigint NOT NULL,
            failures int NOT NULL DEFAULT 0,
            failing_since timestamptz,
            rests_until timestamptz
        )
        """
    )
    op.execute("CREATE INDEX endpoint_in_order ON webhooks.endpoint (organization_id, created_position)")
    op.execute(
        """
        CREATE TABLE webhooks.secret (
            webhook_id uuid PRIMARY KEY,
            organization_id uuid NOT NULL,
            version bigint NOT NULL,
            wrapped_key bytea NOT NULL,
            sealed bytea NOT NULL
        )
        """
    )
    _deliveries()
    _rights()


def _rights() -> None:
    run = op.get_bind().exec_driver_sql
    run(NOTE_FUNCTION)
    run(f"GRANT CREATE, USAGE ON SCHEMA deliveries TO {FOLLOWER}")
    run(f"ALTER FUNCTION deliveries.note_report OWNER TO {FOLLOWER}")
    run(f"REVOKE CREATE ON SCHEMA deliveries FROM {FOLLOWER}")
    run("REVOKE ALL ON FUNCTION deliveries.note_report FROM PUBLIC")
    run(f"GRANT EXECUTE ON FUNCTION deliveries.note_report TO {API}")
    run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries.report TO {API}")
    run((RAISE % {"schema": "webhooks"}).replace("%", "%%"))
    run(f"GRANT USAGE ON SCHEMA webhooks TO {API}, {AUDITOR}, {FOLLOWER}")
    run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA webhooks TO {FOLLOWER}")
    run(f"GRANT SELECT ON webhooks.checkpoint, webhooks.endpoint, webhooks.delivery TO {API}, {AUDITOR}")
    run(f"GRANT SELECT, INSERT, UPDATE ON webhooks.secret TO {API}")


def _reports() -> None:
    op.execute("ALTER TABLE deliveries.delivery DROP CONSTRAINT delivery_state_check")
    op.execute(
        """
        ALTER TABLE deliveries.delivery ADD CONSTRAINT delivery_state_check CHECK (state IN ('intent', 'in_doubt',
            'sent', 'failed', 'skipped', 'unknown', 'delivered', 'undelivered', 'bounced'))
        """
    )
    op.execute(
        """
        CREATE TABLE deliveries.report (
            provider text NOT NULL,
            event_id text NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (provider, event_id)
        )
        """
    )
    op.execute("CREATE INDEX report_at ON deliveries.report (at)")


def _deliveries() -> None:
    op.execute(
        """
        CREATE TABLE webhooks.delivery (
            id uuid PRIMARY KEY,
            webhook_id uuid NOT NULL,
            organization_id uuid NOT NULL,
            position bigint NOT NULL,
            topic text NOT NULL,
            state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'dropped')),
            attempts int NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL DEFAULT now(),
            changed_at timestamptz NOT NULL DEFAULT now(),
            response_status int,
            reason text,
            UNIQUE (webhook_id, position)
        )
        """
    )
    op.execute("CREATE INDEX delivery_due ON webhooks.delivery (webhook_id, due_at, position) WHERE state = 'pending'")
    op.execute("CREATE INDEX delivery_settled ON webhooks.delivery (changed_at) WHERE state <> 'pending'")
