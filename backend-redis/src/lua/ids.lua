-- What becomes of external ids, unless one of them is taken. Of those that are former, what was
-- deleted last comes first.
if $external_id ~= was_id or $aliases ~= was_aliases or (was == '5') ~= (is == '5')
  or is == '5' and $deleted_at ~= was_deleted
then
  OF_TIES
  local cut = find(field, '\0', 1, true)
  local kind, entity = sub(field, 1, cut), sub(field, cut + 1)
  local function former(id, deleted)
    return 'x' .. kind .. id .. '\0' .. string.format('%016.0f', 1000000000000000 - deleted)
      .. entity
  end
  local function all(id, others)
    if id then return {id, unpack(others or {})} end
    return others or {}
  end
  local held, raise, hold, bury, taken, by = {}, {}, {}, {}, nil, nil
  holders = holders or {}
  for _, id in ipairs(all(was_id, was_aliases)) do
    if was == '5' then raise[former(id, was_deleted)] = true else held[id] = true end
  end
  for _, id in ipairs(all($external_id, $aliases)) do
    if is == '5' then
      local member = former(id, $deleted_at)
      if raise[member] then raise[member] = nil else bury[#bury + 1] = member end
    elseif held[id] then
      held[id] = nil
    else
      local name = '\1' .. kind .. id
      by = holders[name]
      if by == nil then by = call('HGET', records, name) end
      if by and by ~= entity then
        taken = id
        break
      end
      hold[#hold + 1] = name
    end
  end
  if taken then
    state, text = -3, {old or false, taken, by}
    break
  end
  for id in pairs(held) do holders['\1' .. kind .. id] = false end
  for _, name in ipairs(hold) do holders[name] = entity end
  for member in pairs(raise) do out[#out + 1] = member end
  for _, member in ipairs(bury) do
    new[#new + 1] = 0
    new[#new + 1] = member
  end
end
