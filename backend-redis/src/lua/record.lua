local function decode(text)
  local r = {pcall(cmsgpack.unpack, text)}
  if not r[1] or r[2] ~= 1 or type($version) ~= 'number' then
    error({err = 'CORRUPT a record does not decode'})
  end
  return r
end
local function encode(r)
  return cmsgpack.pack(unpack(r, 2, $last))
end
-- The status by its digit, and from when on it is due.
local function standing(r)
  if $conflict_kind then return 0 end
  if $held_kind then return $held_kind end
  if $lease_claim then return 3, $lease_until end
  if $retry_at then return 4, $retry_at end
  if $revision > $synced_revision then return 6, $pending_since end
  if $deleted_at then return 5 end
  return 7
end
-- What indexes say of a record before it is changed.
local function indexed(r)
  local status, due = standing(r)
  return {status = status, due = due, deleted = $deleted_at, claim = $lease_claim,
    id = $external_id, aliases = $aliases}
end
