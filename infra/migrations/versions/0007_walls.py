"""Walls between organizations in the database, and read models that belong to those who keep them."""

from alembic import op

from projections.walls import FOLLOWER, RAISE, SHOW

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    for schema in ("vault", "deliveries", "timers", "offer_rounds"):
        run((RAISE % {"schema": schema}).replace("%", "%%"))
    # Whether a vault key fits is asked before any organization is known. What it answers opens nothing by itself.
    run(
        """
        CREATE FUNCTION vault.any_key() RETURNS SETOF vault.subject_key LANGUAGE sql STABLE SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp AS 'SELECT * FROM vault.subject_key LIMIT 1'
        """
    )
    run(f"GRANT USAGE ON SCHEMA vault TO {FOLLOWER}")
    run(f"GRANT SELECT ON vault.subject_key TO {FOLLOWER}")
    run(f"GRANT CREATE ON SCHEMA vault TO {FOLLOWER}")
    run(f"ALTER FUNCTION vault.any_key OWNER TO {FOLLOWER}")
    run(f"REVOKE CREATE ON SCHEMA vault FROM {FOLLOWER}")
    _hand_read_models_over()


def _hand_read_models_over() -> None:
    """Those that were made before there were roles."""
    bind = op.get_bind()
    found = bind.exec_driver_sql(
        "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relname = 'checkpoint' AND relkind = 'r' AND nspname NOT IN ('deliveries', 'timers', 'offer_rounds')"
    ).fetchall()
    for (schema,) in found:
        bind.exec_driver_sql(f'ALTER SCHEMA "{schema}" OWNER TO {FOLLOWER}')
        tables = bind.exec_driver_sql(
            "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'",
            (schema,),
        ).fetchall()
        for (table,) in tables:
            bind.exec_driver_sql(f"ALTER TABLE {table} OWNER TO {FOLLOWER}")
        for statement in (RAISE, *SHOW.split(";")):
            bind.exec_driver_sql((statement % {"schema": schema}).replace("%", "%%"))
