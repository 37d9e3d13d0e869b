"""What proves who someone is, besides the password: one-time codes, second factors, recovery codes."""

from alembic import op

revision = "0010"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE one_time_code (
            purpose text NOT NULL,
            key uuid NOT NULL,
            id uuid NOT NULL UNIQUE,
            organization_id uuid NOT NULL,
            is_link boolean NOT NULL,
            digest bytea NOT NULL,
            sealed bytea,
            tries int NOT NULL DEFAULT 0,
            issued_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            used_at timestamptz,
            PRIMARY KEY (purpose, key)
        )
        """
    )
    op.execute("CREATE INDEX one_time_code_over ON one_time_code (expires_at)")
    op.execute(
        """
        CREATE TABLE second_factor (
            account_id uuid PRIMARY KEY,
            begun_by uuid NOT NULL,
            sealed bytea NOT NULL,
            confirmed_at timestamptz,
            last_step bigint NOT NULL DEFAULT 0,
            tries int NOT NULL DEFAULT 0,
            tries_since timestamptz
        )
        """
    )
    op.execute(
        """
        CREATE TABLE recovery_code (
            account_id uuid NOT NULL,
            digest bytea NOT NULL,
            used_at timestamptz,
            PRIMARY KEY (account_id, digest)
        )
        """
    )
