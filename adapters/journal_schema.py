"""The journal's tables and the one function that appends to it, as statements for the migration.

The events table, its index and its type are the ``eventsourcing`` library's own, so its recorder reads them.
The library's insert function is left out on purpose: it takes no lock, ids become visible out of order, and a
tailing reader loses facts. ``journal_append`` stands in its place.
"""

from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.sql import SQL, Identifier

LOCK_TIMEOUT_S = 5

RECEIPTS = SQL("""
CREATE TABLE {schema}.receipts (
    command_id uuid PRIMARY KEY,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    position bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
)""")

# Whoever restores the journal to an earlier state gives it a new epoch: followers then know to begin again.
# The row is made once. Who appends locks this table, so an epoch never changes under an append.
EPOCH = SQL("""
CREATE TABLE {schema}.journal_epoch (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    begun_at timestamptz NOT NULL DEFAULT now(),
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
)""")
FIRST_EPOCH = SQL("INSERT INTO {schema}.journal_epoch DEFAULT VALUES")

NEVER_ALTERED = SQL("""
CREATE FUNCTION {schema}.journal_is_never_altered() RETURNS trigger LANGUAGE plpgsql AS $BODY$
BEGIN
    RAISE EXCEPTION 'the journal is never altered: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END
$BODY$""")
GUARD = SQL("""
CREATE TRIGGER never_altered BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{events}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.journal_is_never_altered()""")

# Arrays run parallel. Entries: command_ids, fingerprints, answers, reads_upto, facts_upto (the number of reads
# and facts of this and all earlier entries). Streams, each once: streams, and seen (the least version that an
# entry read). Reads in the order of the entries: read_streams (1-based places in streams), read_versions.
# Facts in the order of the entries: fact_streams (places), fact_versions, topics, states.
# "uniform" says that no command id and no stream's version occurs twice with different meaning, so that
# all entries may be judged at once.
APPEND = SQL("""
CREATE FUNCTION {schema}.journal_append(
    lock_timeout_ms integer, idle_timeout_ms integer, uniform boolean,
    command_ids uuid[], fingerprints bytea[], answers bytea[], reads_upto integer[], facts_upto integer[],
    streams uuid[], seen bigint[],
    read_streams integer[], read_versions bigint[],
    fact_streams integer[], fact_versions bigint[], topics text[], states bytea[]
)
RETURNS TABLE (
    kind smallint, entry integer, "position" bigint,
    stream_id uuid, version bigint, topic text, state bytea, fingerprint bytea
)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan  -- planned anew for each call, a small batch costs the server twice as much
AS $BODY$
#variable_conflict use_variable
DECLARE
    is_at bigint[];           -- by stream: its version in the journal
    has_receipt boolean[];    -- by entry
    kept boolean[];           -- by entry; null: all of them
    kept_fact boolean[];      -- by fact; null: all of them
    dirty boolean[];          -- by stream: an entry fell that would have written to it
    upto integer[] := facts_upto;
    positions bigint[];       -- of the facts that were inserted
    head bigint := 0;
    falls boolean;
    inserted integer := 0;
BEGIN
    -- Each statement below must see what was committed before the lock was granted.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'journal_append needs READ COMMITTED';
    END IF;
    PERFORM set_config('lock_timeout', lock_timeout_ms::text, true);
    -- Within a turn the lock outlives this call: a process that is paused then must not hold it for ever.
    PERFORM set_config('idle_in_transaction_session_timeout', idle_timeout_ms::text, true);
    -- Before the first id is drawn: so the order of ids is the order of commits, and a reader misses nothing.
    -- Not the events table itself: an append would wait for every ANALYZE and VACUUM of it, and they for it.
    LOCK TABLE {schema}.journal_epoch IN EXCLUSIVE MODE;

    SELECT coalesce(array_agg(coalesce(at.version, 0) ORDER BY s.place), ARRAY[]::bigint[]) INTO is_at
    FROM unnest(streams) WITH ORDINALITY AS s (id, place)
    LEFT JOIN LATERAL (
        SELECT e.originator_version AS version FROM {schema}.{events} e
        WHERE e.originator_id = s.id ORDER BY e.originator_version DESC LIMIT 1
    ) at ON true;

    IF NOT uniform OR is_at IS DISTINCT FROM seen
        OR EXISTS (SELECT FROM unnest(command_ids) c (id) JOIN {schema}.receipts r ON r.command_id = c.id)
    THEN
        SELECT array_agg(r.command_id IS NOT NULL ORDER BY c.place) INTO has_receipt
        FROM unnest(command_ids) WITH ORDINALITY AS c (id, place)
        LEFT JOIN {schema}.receipts r ON r.command_id = c.id;
        kept := array_fill(false, ARRAY[cardinality(command_ids)]);
        kept_fact := array_fill(false, ARRAY[cardinality(topics)]);
        dirty := array_fill(false, ARRAY[cardinality(streams)]);
        FOR i IN 1 .. cardinality(command_ids) LOOP
            -- Of two entries with one command id the second falls: decided again, it finds the receipt.
            falls := has_receipt[i] OR array_position(command_ids, command_ids[i]) < i;
            FOR r IN coalesce(reads_upto[i - 1], 0) + 1 .. reads_upto[i] LOOP
                EXIT WHEN falls;
                falls := dirty[read_streams[r]] OR read_versions[r] <> is_at[read_streams[r]];
            END LOOP;
            kept[i] := NOT falls;
            FOR f IN coalesce(facts_upto[i - 1], 0) + 1 .. facts_upto[i] LOOP
                IF falls THEN
                    dirty[fact_streams[f]] := true;
                ELSE
                    kept_fact[f] := true;
                    inserted := inserted + 1;
                END IF;
            END LOOP;
            upto[i] := inserted;
        END LOOP;
    END IF;

    WITH placed AS (
        INSERT INTO {schema}.{events} (originator_id, originator_version, topic, state)
        SELECT streams[f.stream], f.version, f.topic, f.state
        FROM unnest(fact_streams, fact_versions, topics, states)
            WITH ORDINALITY AS f (stream, version, topic, state, place)
        WHERE kept_fact IS NULL OR kept_fact[f.place]
        ORDER BY f.place
        RETURNING notification_id
    )
    SELECT array_agg(p.notification_id ORDER BY p.notification_id) INTO positions FROM placed p;

    IF 0 = ANY (upto) THEN  -- an entry without facts: its position is the journal's head before the batch
        SELECT coalesce(max(e.notification_id), 0) INTO head FROM {schema}.{events} e
        WHERE positions IS NULL OR e.notification_id < positions[1];
    END IF;

    INSERT INTO {schema}.receipts (command_id, fingerprint, answer, position)
    SELECT c.id, c.fingerprint, c.answer, coalesce(positions[upto[c.place]], head)
    FROM unnest(command_ids, fingerprints, answers) WITH ORDINALITY AS c (id, fingerprint, answer, place)
    WHERE c.answer IS NOT NULL AND (kept IS NULL OR kept[c.place]);

    IF positions IS NOT NULL THEN
        PERFORM pg_notify('daybook_journal', '');
    END IF;

    IF kept IS NULL THEN
        RETURN QUERY
        SELECT 0::smallint, u.place::integer, coalesce(positions[u.upto], head),
            NULL::uuid, NULL::bigint, NULL::text, NULL::bytea, NULL::bytea
        FROM unnest(upto) WITH ORDINALITY AS u (upto, place);
        RETURN;
    END IF;

    RETURN QUERY
    SELECT CASE WHEN kept[c.place] THEN 0 WHEN has_receipt[c.place] THEN 1 ELSE 2 END::smallint,
        c.place::integer,
        CASE WHEN kept[c.place] THEN coalesce(positions[upto[c.place]], head) ELSE r.position END,
        NULL::uuid, NULL::bigint, NULL::text, r.answer, r.fingerprint
    FROM unnest(command_ids) WITH ORDINALITY AS c (id, place)
    LEFT JOIN {schema}.receipts r ON has_receipt[c.place] AND r.command_id = c.id;

    -- What others have appended to these streams, without what this call appended.
    RETURN QUERY
    SELECT 3::smallint, NULL::integer, e.notification_id,
        s.id, e.originator_version, e.topic, e.state, NULL::bytea
    FROM unnest(streams, seen, is_at) AS s (id, seen, is_at)
    LEFT JOIN {schema}.{events} e
        ON e.originator_id = s.id AND e.originator_version > s.seen AND e.originator_version <= s.is_at
    WHERE s.seen <> s.is_at
    ORDER BY s.id, e.originator_version;
END
$BODY$""")


class JournalRecorder(PostgresApplicationRecorder):
    """The library's recorder with our tables and our append function among its create statements."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "stored_events") -> None:
        if datastore.enable_db_functions:
            raise ValueError("POSTGRES_ENABLE_DB_FUNCTIONS loses facts: it inserts without the table lock")
        super().__init__(datastore, events_table_name=events_table_name)
        names = {"schema": Identifier(datastore.schema), "events": Identifier(events_table_name)}
        del self.sql_create_statements[self.create_insert_function_statement_index]
        ours = (RECEIPTS, EPOCH, FIRST_EPOCH, NEVER_ALTERED, GUARD, APPEND)
        self.sql_create_statements.extend(statement.format(**names) for statement in ours)


class _Blueprint(PostgresDatastore):
    """A datastore that is only asked for statements: it never connects."""

    def register_type_adapters(self) -> None:
        """Nothing to register where nothing is stored."""


def create_statements() -> list[str]:
    """Everything that the journal needs in an empty schema ``public``, in order."""
    blueprint = _Blueprint("", "", "", "", "", lock_timeout=LOCK_TIMEOUT_S)
    return [statement.as_string() for statement in JournalRecorder(blueprint).sql_create_statements]
