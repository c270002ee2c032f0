if $attempts ~= 0 or $in_doubt or $deleted_at or $remote_deleted_at or $held_kind
  or $failure_class or $retry_at or $lease_claim or $conflict_kind
then
  rare = cmsgpack.pack($attempts, $in_doubt, $deleted_at, $remote_deleted_at, $held_kind,
    $held_since, $failure_class, $failure_code, $failure_message, $failure_first_at,
    $failure_last_at, $retry_at, $lease_claim, $lease_until, $conflict_kind, $conflict_since)
else
  rare = ''
end
OF_TIES
local id = $external_id or ''
text = pack('LAYOUTc0', FORMAT, $last_arm, $version, $incarnation, $revision, $synced_revision,
  $token, $created_at, $pending_since or NONE, $updated_at or NONE, $synced_at or NONE,
  $sighted_at or NONE, #id, id, #$recent_changes, $recent_changes, #rare, rare, #ties, ties,
  $metadata or '')
