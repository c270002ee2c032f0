-- Arguments: how many at most; the index; how many bytes come before the field in it; ranges, one
-- after the other.
local room, index, before = tonumber(ARGV[2]), KEYS[tonumber(ARGV[3])], tonumber(ARGV[4])
local fields = {}
for at = 5, #ARGV, 2 do
  if room > 0 then
    local members = call('ZRANGE', index, ARGV[at], ARGV[at + 1], 'BYLEX', 'LIMIT', 0, room)
    for _, member in ipairs(members) do fields[#fields + 1] = sub(member, before + 1) end
    room = room - #members
  end
end
return {now, fields, fields[1] and call('HMGET', records, unpack(fields)) or {}}
