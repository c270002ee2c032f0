-- Writes an entry if it is still the one that was read; nothing is no entry, read or written.
local there = call('HGET', records, ARGV[2]) or ''
if there ~= ARGV[3] then return 0 end
if ARGV[4] == '' then
  call('HDEL', records, ARGV[2])
else
  call('HSET', records, ARGV[2], ARGV[4])
end
return 1
