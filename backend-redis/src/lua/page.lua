-- Arguments: how many at most; how many bytes come before the field in the index; ranges, one after
-- the other.
local room, before = tonumber(ARGV[2]), tonumber(ARGV[3])
local fields = {}
for at = 4, #ARGV, 2 do
  if room > 0 then
    local members = call('ZRANGE', index, ARGV[at], ARGV[at + 1], 'BYLEX', 'LIMIT', 0, room)
    for _, member in ipairs(members) do fields[#fields + 1] = sub(member, before + 1) end
    room = room - #members
  end
end
-- Ten at a time, up to so many bytes.
local found, left = {}, MOST_BYTES
while left > 0 and #found < #fields do
  local ten = call('HMGET', records, unpack(fields, #found + 1, math.min(#found + 10, #fields)))
  for _, record in ipairs(ten) do
    found[#found + 1] = record
    left = left - (record and #record or 0)
  end
end
-- The walk goes on behind the last of them, unless it came to its end.
local is_over = room > 0 and #found == #fields
for place = #fields, #found + 1, -1 do fields[place] = nil end
return {now, fields, found, is_over and 1 or 0}
