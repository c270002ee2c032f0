local function owned(kind)
  return sub(kind, 1, 13) ~= 'sync-tracker/'
end
local function carried(i)
  local ids = {i.id}
  for _, alias in ipairs(i.aliases or {}) do ids[#ids + 1] = alias end
  return ids
end
local function holder(kind, id)
  return '\1' .. kind .. '\0' .. id
end
-- What was deleted last comes first.
local function buried(kind, id, deleted, entity)
  local order = string.format('%016.0f', 1000000000000000 - deleted)
  return kind .. '\0' .. id .. '\0' .. order .. entity
end
-- What becomes of external ids; or nothing, and the id that is taken and its holder.
local function settle_ids(kind, entity, before, after)
  local plan, held = {hold = {}, free = {}, bury = {}, raise = {}}, {}
  for _, id in ipairs(before and carried(before) or {}) do
    if before.status ~= 5 then
      held[id] = true
    else
      plan.raise[#plan.raise + 1] = buried(kind, id, before.deleted, entity)
    end
  end
  for _, id in ipairs(after and carried(after) or {}) do
    if after.status == 5 then
      plan.bury[#plan.bury + 1] = 0
      plan.bury[#plan.bury + 1] = buried(kind, id, after.deleted, entity)
    elseif held[id] then
      held[id] = nil
    else
      local by = call('HGET', records, holder(kind, id))
      if by and by ~= entity then return nil, id, by end
      plan.hold[#plan.hold + 1] = holder(kind, id)
      plan.hold[#plan.hold + 1] = entity
    end
  end
  for id in pairs(held) do plan.free[#plan.free + 1] = holder(kind, id) end
  return plan
end
local NONE = {}
local UNMOVED = {hold = NONE, free = NONE, bury = NONE, raise = NONE}
-- What leaves the index of states and what comes into it.
local function settle_states(field, before, after)
  local out, new = {}, {}
  local was, is = before and before.status, after and after.status
  if was ~= is then
    if was and was ~= 7 then out[1] = was .. field end
    if is and is ~= 7 then new[1], new[2] = 0, is .. field end
  end
  local had, has = before and before.claim or nil, after and after.claim or nil
  if had ~= has then
    if had then out[#out + 1] = 'c' .. had .. '\0' .. field end
    if has then
      new[#new + 1] = 0
      new[#new + 1] = 'c' .. has .. '\0' .. field
    end
  end
  return out, new
end
local function score(i)
  if not i or not i.due then return nil end
  if i.status == 6 then return i.due - APART end
  if i.status == 3 then return i.due + APART end
  return i.due
end
-- Makes a record what it is after, nothing if there is none, with all that indexes say of it. First
-- everything is read and decided, so that a key of another type is met before a write; the record
-- is written first, so that a server that is full refuses all. Answers the id that is taken and its
-- holder, if one is.
local function keep(kind, entity, before, after, text)
  local field = kind .. '\0' .. entity
  local plan, id, by = UNMOVED, nil, nil
  local only = not (before and after) and (before or after)
  if only and not only.id and not only.aliases then
    plan = UNMOVED
  elseif not before or not after or before.id ~= after.id or before.aliases ~= after.aliases
    or (before.status == 5) ~= (after.status == 5)
    or after.status == 5 and before.deleted ~= after.deleted
  then
    plan, id, by = settle_ids(kind, entity, before, after)
    if not plan then return id, by end
  end
  local out, new, from, to = NONE, NONE, nil, nil
  if owned(kind) then
    if not before or not after or before.status ~= after.status or before.claim ~= after.claim then
      out, new = settle_states(field, before, after)
    end
    from, to = score(before), score(after)
  end
  if not (before and after) then call('ZCARD', keys) end
  if out[1] or new[1] then call('ZCARD', states) end
  if from ~= to then call('ZCARD', queue) end
  if plan.bury[1] or plan.raise[1] then call('ZCARD', former) end
  if after then
    call('HSET', records, field, text, unpack(plan.hold))
    if not before then call('ZADD', keys, 0, field) end
  else
    call('HDEL', records, field)
    call('ZREM', keys, field)
  end
  if plan.free[1] then call('HDEL', records, unpack(plan.free)) end
  if out[1] then call('ZREM', states, unpack(out)) end
  if new[1] then call('ZADD', states, unpack(new)) end
  if from ~= to then
    if to then call('ZADD', queue, to, field) else call('ZREM', queue, field) end
  end
  if plan.raise[1] then call('ZREM', former, unpack(plan.raise)) end
  if plan.bury[1] then call('ZADD', former, unpack(plan.bury)) end
end
