-- Writes a whole record: what Change::settle made of it. row::bind binds the columns in this order.
-- The triggers keep sync_counts.
INSERT INTO sync_records (
    source, entity_type, entity_id, external_id, aliases, incarnation, revision,
    synced_revision, pending_since, created_at, updated_at, deleted_at, synced_at,
    remote_version, remote_seen, remote_deleted_at, sighted_at, base, echoes, attempts,
    in_doubt, held, held_since, failure_class, failure_code, failure_message, failure_first_at,
    failure_last_at, retry_at, token, claim_id, lease_until, conflict, conflict_since, metadata,
    version, recent_changes, last_arm, status, due_at
)
VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?
)
ON CONFLICT (source, entity_type, entity_id) DO UPDATE SET
    external_id = excluded.external_id,
    aliases = excluded.aliases,
    incarnation = excluded.incarnation,
    revision = excluded.revision,
    synced_revision = excluded.synced_revision,
    pending_since = excluded.pending_since,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at,
    synced_at = excluded.synced_at,
    remote_version = excluded.remote_version,
    remote_seen = excluded.remote_seen,
    remote_deleted_at = excluded.remote_deleted_at,
    sighted_at = excluded.sighted_at,
    base = excluded.base,
    echoes = excluded.echoes,
    attempts = excluded.attempts,
    in_doubt = excluded.in_doubt,
    held = excluded.held,
    held_since = excluded.held_since,
    failure_class = excluded.failure_class,
    failure_code = excluded.failure_code,
    failure_message = excluded.failure_message,
    failure_first_at = excluded.failure_first_at,
    failure_last_at = excluded.failure_last_at,
    retry_at = excluded.retry_at,
    token = excluded.token,
    claim_id = excluded.claim_id,
    lease_until = excluded.lease_until,
    conflict = excluded.conflict,
    conflict_since = excluded.conflict_since,
    metadata = excluded.metadata,
    version = excluded.version,
    recent_changes = excluded.recent_changes,
    last_arm = excluded.last_arm,
    status = excluded.status,
    due_at = excluded.due_at
