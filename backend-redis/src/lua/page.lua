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
return {now, fields, fields[1] and call('HMGET', records, unpack(fields)) or {}}
