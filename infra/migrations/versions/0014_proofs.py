"""The Merkle tree over the journal: its complete subtrees, and signed checkpoints. Neither is ever altered."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run("CREATE SCHEMA proofs")
    # Level 0 are the leaves, which know the positions of their facts; above them are only subtrees that are complete.
    run(
        """
        CREATE TABLE proofs.subtree (
            level smallint NOT NULL CHECK (level BETWEEN 0 AND 62),
            index bigint NOT NULL CHECK (index >= 0),
            hash bytea NOT NULL CHECK (octet_length(hash) = 32),
            position bigint CHECK ((position IS NULL) = (level > 0)),
            PRIMARY KEY (level, index)
        )
        """
    )
    run("CREATE UNIQUE INDEX subtree_leaf ON proofs.subtree (position) WHERE level = 0")
    # The note is what is signed; what it says stands beside it, to be asked for.
    run(
        """
        CREATE TABLE proofs.signed_checkpoint (
            size bigint PRIMARY KEY CHECK (size > 0),
            position bigint NOT NULL,
            root bytea NOT NULL CHECK (octet_length(root) = 32),
            note text NOT NULL,
            public_key text NOT NULL,
            at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    for table in ("subtree", "signed_checkpoint"):
        run(
            f"CREATE TRIGGER never_altered BEFORE UPDATE OR DELETE OR TRUNCATE ON proofs.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION public.journal_is_never_altered()"
        )
