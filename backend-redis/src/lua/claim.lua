-- Arguments: the claim, how many at most, and what is known of earlier grants to it: 'some',
-- 'none', or 'ask'. Those of the change follow, with nothing in place of a key.
local claim, room, known, at = ARGV[2], tonumber(ARGV[3]), ARGV[4], 5
local pause = call('HGET', records, '\2pause')
if pause then
  local since, until_, reason = cmsgpack.unpack(pause)
  if not until_ or now < until_ then room = 0 end
end
if known == 'ask' then
  local granted = call('ZRANGE', states, '[c' .. claim .. '\0', '(c' .. claim .. '\1', 'BYLEX')
  if granted[1] then return {now, 'granted', granted} end
end
-- One after the other of those that are due in one status, oldest first, but for those that this
-- claim changed already.
local function due(apart)
  local members, next, skipped = {}, 1, 0
  local function peek()
    while true do
      if not members[next] then
        members = call('ZRANGE', queue, apart - APART / 2, now + apart, 'BYSCORE',
          'LIMIT', skipped, room, 'WITHSCORES')
        next = 1
        if not members[1] then return nil end
      end
      local field = members[next]
      local old = call('HGET', records, field)
      if not old then error({err = 'CORRUPT the queue has a record that is not there'}) end
      if not within(recent(decode(old)), ARGV[at + 2]) then
        return {field = field, old = old, due = members[next + 1] - apart}
      end
      skipped, next = skipped + 1, next + 2
    end
  end
  local first
  return {
    peek = function() first = first or peek() return first end,
    leave = function(gone)
      first, next = nil, next + 2
      if not gone then skipped = skipped + 1 end
    end,
  }
end
local function precedes(a, b)
  if not a or not b then return a ~= nil end
  if a.due ~= b.due then return a.due < b.due end
  for place = 1, math.min(#a.field, #b.field) do
    local p, q = byte(a.field, place), byte(b.field, place)
    if p ~= q then return p < q end
  end
  return #a.field < #b.field
end
local taken = {}
local function take(one)
  local kind, entity = one.field:match('^(%Z*)%z(.*)')
  local state, text = carry(kind, entity, one.old, at)
  if state >= 0 then taken[#taken + 1] = {one.field, text} end
  return state >= 0
end
if room > 0 then
  local pending, failed = due(-APART), due(0)
  local one = pending.peek()
  local other = failed.peek()
  if known ~= 'some' then
    local ended = due(APART).peek()
    if ended and precedes(ended, one) and precedes(ended, other) then
      take(ended)
      room = 0
    end
  end
  while room > 0 do
    one, other = pending.peek(), failed.peek()
    if not one and not other then break end
    local next_of = precedes(one, other) and pending or failed
    local gone = take(next_of.peek())
    next_of.leave(gone)
    if gone then room = room - 1 end
  end
end
return {now, 'taken', taken}
