"""Sign-ins that can be listed and ended, people's and machines'; what refreshes them, and the secrets of machines.

Tokens of before belong to no session that could be ended: everyone signs in once more.
"""

from alembic import op

revision = "0009"
down_revision = "0002"


def upgrade() -> None:
    op.execute("DROP TABLE refresh_token")
    op.execute(
        """
        CREATE TABLE sign_in_session (
            id uuid PRIMARY KEY,
            account_id uuid NOT NULL,
            organization_id uuid NOT NULL,
            method text NOT NULL,
            begun_at timestamptz NOT NULL DEFAULT now(),
            used_at timestamptz,
            expires_at timestamptz NOT NULL,
            ended_at timestamptz,
            because text,
            over_at timestamptz NOT NULL GENERATED ALWAYS AS (least(ended_at, expires_at)) STORED
        )
        """
    )
    op.execute("CREATE INDEX sign_in_session_of_account ON sign_in_session (account_id, begun_at)")
    # What every API process looks at each second.
    op.execute("CREATE INDEX sign_in_session_over ON sign_in_session (over_at)")
    op.execute(
        """
        CREATE TABLE refresh_token (
            digest bytea PRIMARY KEY,
            session_id uuid NOT NULL REFERENCES sign_in_session ON DELETE CASCADE,
            issued_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL,
            used_at timestamptz,
            retry_key bytea,
            successor bytea
        )
        """
    )
    op.execute("CREATE INDEX refresh_token_of_session ON refresh_token (session_id)")
    op.execute(
        """
        CREATE TABLE api_key_secret (
            digest bytea PRIMARY KEY,
            session_id uuid NOT NULL REFERENCES sign_in_session ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX api_key_secret_of_session ON api_key_secret (session_id)")
