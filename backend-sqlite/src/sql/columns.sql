r.source, r.entity_type, r.entity_id, r.external_id, r.aliases, r.incarnation, r.revision,
r.synced_revision, r.pending_since, r.created_at, r.updated_at, r.deleted_at, r.synced_at,
r.remote_version, r.remote_seen, r.remote_deleted_at, r.sighted_at, r.base, r.echoes, r.attempts,
r.in_doubt, r.held, r.held_since, r.failure_class, r.failure_code, r.failure_message,
r.failure_first_at, r.failure_last_at, r.retry_at, r.token, r.claim_id, r.lease_until, r.conflict,
r.conflict_since, r.metadata, r.version, r.recent_changes, r.last_arm
