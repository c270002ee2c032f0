-- The tables of major version 1, minor version 0. Instants are milliseconds since 1970, in UTC.
-- Text is compared byte by byte (BINARY, the default). Only this package writes to them; to read,
-- there is the view sync_state.

CREATE TABLE sync_schema (
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL
) STRICT;
INSERT INTO sync_schema VALUES (1, 0);

-- SyncRecord, field by field.
CREATE TABLE sync_records (
    source TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    external_id TEXT,
    aliases TEXT, -- JSON array; null is none
    incarnation INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    synced_revision INTEGER NOT NULL,
    pending_since INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    deleted_at INTEGER,
    synced_at INTEGER,
    remote_version TEXT, -- sequence:N, timestamp:MILLISECONDS or opaque:TEXT
    remote_seen TEXT,
    remote_deleted_at INTEGER,
    sighted_at INTEGER,
    base TEXT,
    echoes TEXT, -- JSON array; null is none
    attempts INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    held TEXT, -- dead, dismissed
    held_since INTEGER,
    failure_class TEXT, -- transient, throttled, permanent, unknown
    failure_code TEXT,
    failure_message TEXT,
    failure_first_at INTEGER,
    failure_last_at INTEGER,
    retry_at INTEGER,
    token INTEGER NOT NULL,
    claim_id TEXT,
    lease_until INTEGER,
    conflict TEXT, -- edit_edit, edit_delete, delete_edit, create_create, id_collision
    conflict_since INTEGER,
    metadata TEXT, -- JSON object; null is empty
    version INTEGER NOT NULL,
    recent_changes BLOB NOT NULL, -- eight bytes each, oldest first
    last_arm INTEGER NOT NULL,
    -- Derived from the record in the same write.
    status TEXT NOT NULL,
    due_at INTEGER
) STRICT;

CREATE UNIQUE INDEX sync_records_by_key ON sync_records (source, entity_type, entity_id);
-- What is to be done, oldest first: claims, statistics.
CREATE INDEX sync_records_by_due ON sync_records (source, status, due_at, entity_type, entity_id)
    WHERE due_at IS NOT NULL;
-- Pages of one status. Most records are synced, and a walk over all finds those.
CREATE INDEX sync_records_by_status ON sync_records (source, status, entity_type, entity_id)
    WHERE status <> 'synced';
-- What was granted to a claim.
CREATE INDEX sync_records_by_claim ON sync_records (source, claim_id, entity_type, entity_id)
    WHERE claim_id IS NOT NULL;

-- Who carries an external id, as its own or as an alias. One entity holds it: its row has the empty
-- text in released. A tombstone holds nothing: its row has the entity id there.
CREATE TABLE sync_external_ids (
    source TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    external_id TEXT NOT NULL,
    released TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    PRIMARY KEY (source, entity_type, external_id, released)
) STRICT, WITHOUT ROWID;

-- How many records there are, kept by the triggers below.
CREATE TABLE sync_counts (
    source TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    status TEXT NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (source, entity_type, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER sync_records_inserted AFTER INSERT ON sync_records BEGIN
    INSERT INTO sync_counts VALUES (new.source, new.entity_type, new.status, 1)
        ON CONFLICT DO UPDATE SET records = records + 1;
END;

CREATE TRIGGER sync_records_moved AFTER UPDATE OF status ON sync_records
    WHEN old.status <> new.status BEGIN
    UPDATE sync_counts SET records = records - 1
        WHERE source = old.source AND entity_type = old.entity_type AND status = old.status;
    INSERT INTO sync_counts VALUES (new.source, new.entity_type, new.status, 1)
        ON CONFLICT DO UPDATE SET records = records + 1;
END;

CREATE TRIGGER sync_records_deleted AFTER DELETE ON sync_records BEGIN
    UPDATE sync_counts SET records = records - 1
        WHERE source = old.source AND entity_type = old.entity_type AND status = old.status;
END;

CREATE TABLE sync_pauses (
    source TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- InboxEntry as JSON.
CREATE TABLE sync_inbox (
    source TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (source, dedupe_key)
) STRICT, WITHOUT ROWID;
-- What may be forgotten.
CREATE INDEX sync_inbox_by_end ON sync_inbox (source, json_extract(entry, '$.until'));

-- CheckpointEntry as JSON.
CREATE TABLE sync_checkpoints (
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (source, stream)
) STRICT, WITHOUT ROWID;

-- PurgeHorizon as JSON.
CREATE TABLE sync_horizons (
    source TEXT NOT NULL PRIMARY KEY,
    horizon TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- For applications to read and to join: a row for each record that is not of a reserved type.
CREATE VIEW sync_state AS
SELECT
    source,
    entity_type,
    entity_id,
    external_id,
    status,
    revision > synced_revision AS dirty,
    external_id IS NOT NULL OR synced_revision > 0 AS known,
    in_doubt,
    revision,
    synced_revision,
    attempts,
    failure_class,
    failure_code,
    failure_message,
    remote_version,
    conflict,
    coalesce(metadata, '{}') AS metadata,
    strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') AS due_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', pending_since / 1000.0, 'unixepoch') AS pending_since,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', deleted_at / 1000.0, 'unixepoch') AS deleted_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', synced_at / 1000.0, 'unixepoch') AS synced_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', failure_last_at / 1000.0, 'unixepoch') AS failed_at
FROM sync_records
WHERE substr(entity_type, 1, 13) <> 'sync-tracker/';
