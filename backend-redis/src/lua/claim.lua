-- Arguments: the claim, how many at most, and what is known of earlier grants to it: 'some',
-- 'none', or 'ask', which stands in place of a field. Those of the change follow.
local claim, room, known, at = ARGV[2], tonumber(ARGV[3]), ARGV[4], 4
local pause = call('HGET', records, '\2pause')
if pause then
  local since, until_, reason = cmsgpack.unpack(pause)
  if not until_ or now < until_ then room = 0 end
end
if known == 'ask' then
  local granted = call('ZRANGE', index, '[c' .. claim .. '\0', '(c' .. claim .. '\1', 'BYLEX')
  if granted[1] then return {now, 'granted', granted} end
end
local function changed(old)
  local ok, _, _, _, ring = pcall(unpacked, 'RING', old)
  if not ok then error({err = 'CORRUPT a record does not decode'}) end
  local from = find(ring, ARGV[at + 1], 1, true)
  while from and from % 8 ~= 1 do from = find(ring, ARGV[at + 1], from + 1, true) end
  return from
end
-- One after the other of those that are due in one status, oldest first, but for those that this
-- claim changed already.
local function queued(status, most)
  local first, till = 'q' .. status, pack('>I7', now + 1 + APART)
  local members, olds, next, read = {}, {}, 1, 0
  return {
    peek = function()
      while true do
        if not members[next] then
          members = call('ZRANGE', index, '[' .. first, '(' .. first .. till, 'BYLEX', 'LIMIT', read,
            most)
          if not members[1] then return nil end
          next, read = 1, read + #members
          for place, member in ipairs(members) do members[place] = sub(member, 3) end
          olds = {}
        end
        if olds[next] == nil then
          local fields = {}
          for place = next, math.min(next + 4, #members) do
            fields[#fields + 1] = sub(members[place], 8)
          end
          for place, old in ipairs(call('HMGET', records, unpack(fields))) do
            olds[next + place - 1] = old
          end
        end
        local member, old = members[next], olds[next]
        if not old then error({err = 'CORRUPT the queue has a record that is not there'}) end
        if not changed(old) then return member, old end
        next = next + 1
      end
    end,
    leave = function() next = next + 1 end,
  }
end
-- By when they are due, then by field.
local function precedes(a, b)
  if not a or not b then return a ~= nil end
  for place = 1, math.min(#a, #b) do
    local p, q = byte(a, place), byte(b, place)
    if p ~= q then return p < q end
  end
  return #a < #b
end
-- After too many bytes it is 'more', and the rest is for another script.
local taken, alone, word, left = {}, nil, 'taken', MOST_BYTES
if room > 0 then
  local pending, failed = queued('6', room), queued('4', room)
  if known ~= 'some' then
    local ended = queued('3', 1)
    local first = ended.peek()
    if first and precedes(first, (pending.peek())) and precedes(first, (failed.peek())) then
      alone = ended
    end
  end
  while room > 0 do
    local next_of = alone
      or precedes((pending.peek()), (failed.peek())) and pending or failed
    local member, old = next_of.peek()
    if not member then break end
    next_of.leave()
    local field = sub(member, 8)
CARRY
    if state >= 0 then
      taken[#taken + 1] = {field, text}
      room, left = room - 1, left - #old - #text
    end
    if alone then
      room = 0
    elseif left <= 0 and room > 0 then
      room, word = 0, 'more'
    end
  end
end
WRITE
return {now, word, taken}
