"""What signs in: password digests and refresh tokens. No fact tells of them, since they must be forgettable."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE credential (
            account_id uuid PRIMARY KEY,
            password_digest text NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE refresh_token (
            digest bytea PRIMARY KEY,
            family uuid NOT NULL,
            account_id uuid NOT NULL,
            issued_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            family_expires_at timestamptz NOT NULL,
            used_at timestamptz,
            retry_key bytea,
            successor bytea,
            revoked_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX refresh_token_family ON refresh_token (family)")
    op.execute("CREATE INDEX refresh_token_account ON refresh_token (account_id)")
