"""Sign-in by an organization's own identity provider: who is on the way, tickets of those who came back, secrets.

All of it sealed; state, browser and ticket are known by their digests.
"""

from alembic import op

revision = "0013"
down_revision = "0011"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE oidc_attempt (
            digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
            browser bytea NOT NULL CHECK (octet_length(browser) = 32),
            sealed bytea NOT NULL,
            expires_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX oidc_attempt_over ON oidc_attempt (expires_at)")
    op.execute(
        """
        CREATE TABLE oidc_ticket (
            digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
            sealed bytea NOT NULL,
            expires_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX oidc_ticket_over ON oidc_ticket (expires_at)")
    op.execute(
        """
        CREATE TABLE oidc_client_secret (
            organization_id uuid PRIMARY KEY,
            version bigint NOT NULL,
            wrapped_key bytea NOT NULL,
            sealed bytea NOT NULL
        )
        """
    )
