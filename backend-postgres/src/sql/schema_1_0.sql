-- The tables of version 1.0. Times are milliseconds since 1970, text is compared by its bytes.

-- What has a fixed width comes first, which needs the least room.
CREATE TABLE {records} (
    incarnation bigint NOT NULL,
    revision bigint NOT NULL,
    synced_revision bigint NOT NULL,
    version bigint NOT NULL,
    token bigint NOT NULL,
    attempts bigint NOT NULL,
    created_at bigint NOT NULL,
    pending_since bigint,
    updated_at bigint,
    deleted_at bigint,
    synced_at bigint,
    remote_deleted_at bigint,
    sighted_at bigint,
    held_since bigint,
    failure_first_at bigint,
    failure_last_at bigint,
    retry_at bigint,
    lease_until bigint,
    conflict_since bigint,
    due_at bigint GENERATED ALWAYS AS (
        CASE
            WHEN conflict_kind IS NULL AND held_kind IS NULL
                THEN coalesce(lease_until, retry_at, pending_since)
        END
    ) STORED,
    -- The place in the order of decision, from 0.
    status smallint NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN conflict_kind IS NOT NULL THEN 0
            WHEN held_kind = 'dead' THEN 1
            WHEN held_kind IS NOT NULL THEN 2
            WHEN lease_until IS NOT NULL THEN 3
            WHEN retry_at IS NOT NULL THEN 4
            WHEN revision > synced_revision THEN 6
            WHEN deleted_at IS NOT NULL THEN 5
            ELSE 7
        END
    ) STORED,
    last_arm smallint NOT NULL,
    in_doubt boolean NOT NULL,
    source text COLLATE "C" NOT NULL,
    entity_type text COLLATE "C" NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    aliases text[] COLLATE "C",
    -- A letter for the kind, then 20 digits from -2^63 up, or the text: ordered by its bytes.
    remote_version text COLLATE "C",
    remote_seen text COLLATE "C",
    base text COLLATE "C",
    echoes text[] COLLATE "C",
    held_kind text COLLATE "C",
    failure_class text COLLATE "C",
    failure_code text COLLATE "C",
    failure_message text COLLATE "C",
    lease_claim text COLLATE "C",
    conflict_kind text COLLATE "C",
    metadata jsonb NOT NULL,
    -- Eight bytes each, the latest last.
    recent_changes bytea NOT NULL,
    PRIMARY KEY (source, entity_type, entity_id)
) {storage};
{partitions}
CREATE INDEX {records_due} ON {records} (source, due_at, entity_type, entity_id)
    WHERE due_at IS NOT NULL;
-- Pages of one status, of which most records are in the last.
CREATE INDEX {records_page} ON {records} (status, source, entity_type, entity_id)
    INCLUDE (due_at) WHERE status <> 7;
-- Equal entries share their key, so it is small: a count reads nothing else.
-- All records are in it; only who says so gets it. Else, as long as little is known of the table,
-- a record would be looked for here, among all of its source, rather than by its key.
CREATE INDEX {records_status} ON {records} (source, entity_type, status) WHERE status >= 0;
CREATE INDEX {records_claim} ON {records} (source, lease_claim) WHERE lease_claim IS NOT NULL;

-- Who holds an external id, as its own or as an alias.
CREATE TABLE {ids} (
    source text COLLATE "C" NOT NULL,
    entity_type text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (source, entity_type, external_id)
);

-- Which tombstones carry an external id.
CREATE TABLE {former_ids} (
    source text COLLATE "C" NOT NULL,
    entity_type text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (source, entity_type, external_id, entity_id)
);

-- Makes the tables of ids follow a record that changes, and says whether it may: false if another
-- entity holds an id that it would newly hold, and then nothing is done. Called by the statement
-- that writes the record, which it has locked.
CREATE FUNCTION {hold}(
    of_source text, of_type text, of_id text,
    old_ids text[], was_held boolean, new_ids text[], is_held boolean
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $body$
DECLARE
    held_before text[] := CASE WHEN was_held THEN old_ids ELSE '{}' END;
    held_after text[] := CASE WHEN is_held THEN new_ids ELSE '{}' END;
    former_before text[] := CASE WHEN was_held THEN '{}' ELSE old_ids END;
    former_after text[] := CASE WHEN is_held THEN '{}' ELSE new_ids END;
    taken text[] := '{}';
    id text;
BEGIN
    FOREACH id IN ARRAY held_after LOOP
        CONTINUE WHEN id = ANY (held_before);
        INSERT INTO {ids} (source, entity_type, external_id, entity_id)
            VALUES (of_source, of_type, id, of_id)
            ON CONFLICT (source, entity_type, external_id) DO NOTHING;
        IF NOT FOUND THEN
            DELETE FROM {ids}
                WHERE source = of_source AND entity_type = of_type AND external_id = ANY (taken);
            RETURN false;
        END IF;
        taken := taken || id;
    END LOOP;
    FOREACH id IN ARRAY held_before LOOP
        CONTINUE WHEN id = ANY (held_after);
        DELETE FROM {ids}
            WHERE source = of_source AND entity_type = of_type AND external_id = id;
    END LOOP;
    FOREACH id IN ARRAY former_before LOOP
        CONTINUE WHEN id = ANY (former_after);
        DELETE FROM {former_ids}
            WHERE source = of_source AND entity_type = of_type AND external_id = id
                AND entity_id = of_id;
    END LOOP;
    FOREACH id IN ARRAY former_after LOOP
        CONTINUE WHEN id = ANY (former_before);
        INSERT INTO {former_ids} (source, entity_type, external_id, entity_id)
            VALUES (of_source, of_type, id, of_id);
    END LOOP;
    RETURN true;
END
$body$;

-- The same for a record that the calling statement has just inserted, and that goes again if it
-- may not hold its ids.
CREATE FUNCTION {hold_new}(
    of_source text, of_type text, of_id text, new_ids text[], is_held boolean
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $body$
BEGIN
    IF {hold}(of_source, of_type, of_id, '{}', false, new_ids, is_held) THEN
        RETURN true;
    END IF;
    DELETE FROM {records}
        WHERE source = of_source AND entity_type = of_type AND entity_id = of_id;
    RETURN false;
END
$body$;

CREATE TABLE {pauses} (
    source text COLLATE "C" NOT NULL PRIMARY KEY,
    since bigint NOT NULL,
    until bigint,
    reason text NOT NULL
);

CREATE TABLE {inbox} (
    source text COLLATE "C" NOT NULL,
    dedupe_key text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    until bigint NOT NULL,
    begun_by bigint,
    -- begun, abandoned or completed.
    state text COLLATE "C" NOT NULL,
    -- JSON, as it was written.
    outcome text,
    PRIMARY KEY (source, dedupe_key)
);
CREATE INDEX {inbox_until} ON {inbox} (source, until);

CREATE TABLE {checkpoints} (
    source text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    generation bigint NOT NULL,
    saved_at bigint,
    saved_by bigint,
    reset_by bigint,
    -- JSON, as it was written.
    value text,
    PRIMARY KEY (source, stream)
);

CREATE TABLE {horizons} (
    source text COLLATE "C" NOT NULL PRIMARY KEY,
    instant bigint NOT NULL
);

-- For people and reports; nothing here reads it.
CREATE VIEW {view} AS
SELECT
    source, entity_type, entity_id, external_id, aliases,
    (ARRAY['conflict', 'dead_letter', 'dismissed', 'in_progress', 'failed', 'deleted', 'pending',
        'synced'])[status + 1] AS status,
    to_timestamp(due_at / 1000.0) AS due_at,
    revision, synced_revision, attempts, in_doubt,
    to_timestamp(created_at / 1000.0) AS created_at,
    to_timestamp(updated_at / 1000.0) AS updated_at,
    to_timestamp(deleted_at / 1000.0) AS deleted_at,
    to_timestamp(synced_at / 1000.0) AS synced_at,
    to_timestamp(pending_since / 1000.0) AS pending_since,
    failure_class, failure_code, failure_message,
    to_timestamp(failure_last_at / 1000.0) AS failed_at,
    lease_claim, to_timestamp(lease_until / 1000.0) AS lease_until,
    conflict_kind, to_timestamp(conflict_since / 1000.0) AS conflict_since,
    metadata, version
FROM {records}
WHERE NOT starts_with(entity_type, 'sync-tracker/');

CREATE TABLE {schema_version} (
    one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    major integer NOT NULL,
    minor integer NOT NULL
);
INSERT INTO {schema_version} (major, minor) VALUES (1, 0);
