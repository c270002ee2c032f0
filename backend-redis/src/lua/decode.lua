ok, format, $last_arm, $version, $incarnation, $revision, $synced_revision, $token, $created_at,
  $pending_since, $updated_at, $synced_at, $sighted_at, $external_id, $recent_changes, rare, ties,
  rest = pcall(unpacked, 'LAYOUT', old)
if not ok or format ~= FORMAT then error({err = 'CORRUPT a record does not decode'}) end
if $pending_since == NONE then $pending_since = nil end
if $updated_at == NONE then $updated_at = nil end
if $synced_at == NONE then $synced_at = nil end
if $sighted_at == NONE then $sighted_at = nil end
if $external_id == '' then $external_id = nil end
if rare == '' then
  $attempts, $in_doubt = 0, false
else
  ok, $attempts, $in_doubt, $deleted_at, $remote_deleted_at, $held_kind, $held_since,
    $failure_class, $failure_code, $failure_message, $failure_first_at, $failure_last_at,
    $retry_at, $lease_claim, $lease_until, $conflict_kind, $conflict_since =
    pcall(cmsgpack.unpack, rare)
  if not ok or type($attempts) ~= 'number' then
    error({err = 'CORRUPT a record does not decode'})
  end
end
$metadata = sub(old, rest)
if $metadata == '' then $metadata = nil end
