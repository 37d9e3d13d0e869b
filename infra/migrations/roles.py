"""What each role may do in the database, made so by every ``daybook migrate``: roles first, their rights at its end.

They are group roles without a login. A deployment grants each to the user by which a process connects (the process
takes the role on by itself, see ``infra.database_roles``); who migrates may be the owner of the database alone.
"""

from projections.walls import API, AUDITOR, FOLLOWER, NOTARY

APPENDER = "daybook_appender"
"""Owns the function that appends, and is nobody: its rights are to be had by calling that function only."""

_READ = ("stored_events", "receipts", "journal_epoch", "alembic_version")
"""Tables of ``public`` that are read by all roles and written by none of them."""
_FOLLOWED = ("deliveries", "timers", "offer_rounds", "webhooks")
"""Schemas of what followers remember; migrations make them, unlike those of read models."""

CREATE = f"""
DO $roles$
DECLARE made record;
BEGIN
    FOR made IN SELECT * FROM (VALUES
        ('{API}', ''), ('{AUDITOR}', ''), ('{NOTARY}', ''), ('{APPENDER}', ''),
        ('{FOLLOWER}', 'BYPASSRLS')) AS role (name, attribute)
    LOOP
        IF to_regrole(made.name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN %s', made.name, made.attribute);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this server is being migrated at the same time
            END;
        END IF;
        IF NOT pg_has_role(made.name, 'SET') THEN  -- to give something to a role, one must be able to be it
            EXECUTE format('GRANT %I TO CURRENT_USER', made.name);
        END IF;
    END LOOP;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO {FOLLOWER}', current_database());
END
$roles$
"""  # noqa: S608  names from above

THERE_IS_ALL = """
SELECT to_regproc('vault.any_key') IS NOT NULL AND to_regclass('webhooks.delivery') IS NOT NULL
    AND to_regclass('visitor_link') IS NOT NULL AND to_regclass('proofs.signed_checkpoint') IS NOT NULL
"""

GRANT = f"""
DO $rights$
DECLARE durable regclass; known text; append regprocedure;
BEGIN
    FOR durable IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') LOOP
        EXECUTE format('REVOKE ALL ON %s FROM {API}, {FOLLOWER}, {AUDITOR}', durable);
        SELECT relname INTO known FROM pg_class WHERE oid = durable;
        IF known = ANY ('{{{",".join(_READ)}}}') THEN
            EXECUTE format('GRANT SELECT ON %s TO {API}, {FOLLOWER}, {AUDITOR}', durable);
        ELSE  -- credentials and the like: the API's alone
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO {API}', durable);
        END IF;
    END LOOP;
    -- The notifier opens what it sends, and forgets a link that was; digests are not for it.
    GRANT SELECT (id, sealed, used_at, expires_at) ON one_time_code TO {FOLLOWER};
    GRANT SELECT (id, organization_id, appointment_id, customer_id, sealed, issued_at), UPDATE (sealed) ON visitor_link
        TO {FOLLOWER};
    GRANT SELECT, INSERT ON stored_events, receipts TO {APPENDER};
    GRANT SELECT, UPDATE ON journal_epoch TO {APPENDER};  -- PostgreSQL asks for it of who locks a table
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APPENDER};

    SELECT oid INTO append FROM pg_proc WHERE proname = 'journal_append' AND pronamespace = 'public'::regnamespace;
    GRANT CREATE ON SCHEMA public TO {APPENDER};
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', append);
    EXECUTE format('ALTER FUNCTION %s OWNER TO {APPENDER}', append);
    REVOKE CREATE ON SCHEMA public FROM {APPENDER};
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', append);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {API}, {FOLLOWER}', append);

    -- What reads or writes beyond the walls does so by the rights of those who keep the rows.
    GRANT CREATE ON SCHEMA vault, deliveries TO {FOLLOWER};
    ALTER FUNCTION vault.any_key OWNER TO {FOLLOWER};
    ALTER FUNCTION deliveries.note_report OWNER TO {FOLLOWER};
    REVOKE CREATE ON SCHEMA vault, deliveries FROM {FOLLOWER};
    REVOKE ALL ON FUNCTION deliveries.note_report FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION deliveries.note_report TO {API};
END
$rights$;
GRANT USAGE ON SCHEMA vault TO {API}, {FOLLOWER};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA vault TO {API};
GRANT SELECT ON ALL TABLES IN SCHEMA vault TO {FOLLOWER};
GRANT USAGE ON SCHEMA {", ".join(_FOLLOWED)} TO {FOLLOWER}, {AUDITOR}, {API};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {", ".join(_FOLLOWED)} TO {FOLLOWER};
GRANT SELECT ON ALL TABLES IN SCHEMA {", ".join(_FOLLOWED)} TO {AUDITOR};
REVOKE ALL ON webhooks.secret FROM {AUDITOR};
GRANT SELECT ON ALL TABLES IN SCHEMA deliveries TO {API};
GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries.report TO {API};
GRANT SELECT ON webhooks.checkpoint, webhooks.endpoint, webhooks.delivery TO {API};
GRANT SELECT, INSERT, UPDATE ON webhooks.secret TO {API};
-- Who signs reads facts and adds to the tree. What it has added, nobody alters.
GRANT SELECT ON stored_events, journal_epoch TO {NOTARY};
GRANT USAGE ON SCHEMA proofs TO {API}, {AUDITOR}, {NOTARY};
GRANT SELECT ON ALL TABLES IN SCHEMA proofs TO {API}, {AUDITOR}, {NOTARY};
GRANT INSERT ON ALL TABLES IN SCHEMA proofs TO {NOTARY};
"""  # noqa: S608  names from above
