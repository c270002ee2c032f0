local state, text
repeat
local ok, format, rare, ties, rest
local $version, $incarnation, $revision, $synced_revision, $token, $created_at, $pending_since
local $updated_at, $synced_at, $sighted_at, $external_id, $recent_changes, $last_arm, $metadata
local $attempts, $in_doubt, $deleted_at, $remote_deleted_at, $held_kind, $held_since
local $failure_class, $failure_code, $failure_message, $failure_first_at, $failure_last_at
local $retry_at, $lease_claim, $lease_until, $conflict_kind, $conflict_since
local $aliases, $remote_version, $remote_seen, $base, $echoes
local was, was_due, was_claim, was_id, was_aliases, was_deleted, is, due
