-- Writes an entry if it is still the one that was read; nothing is no entry, read or written.
local there = call('HGET', records, ARGV[1]) or ''
if there ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  call('HDEL', records, ARGV[1])
else
  call('HSET', records, ARGV[1], ARGV[3])
end
return 1
