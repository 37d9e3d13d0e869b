"""The vault: personal data under a key per subject. Whoever is erased leaves no row."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("CREATE SCHEMA vault")
    op.execute(
        """
        CREATE TABLE vault.subject_key (
            organization_id uuid NOT NULL,
            subject_id uuid NOT NULL,
            wrapped_key bytea NOT NULL,
            PRIMARY KEY (organization_id, subject_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE vault.record (
            organization_id uuid NOT NULL,
            subject_id uuid NOT NULL,
            name text NOT NULL,
            sealed bytea NOT NULL,
            PRIMARY KEY (organization_id, subject_id, name),
            FOREIGN KEY (organization_id, subject_id) REFERENCES vault.subject_key ON DELETE CASCADE
        )
        """
    )
