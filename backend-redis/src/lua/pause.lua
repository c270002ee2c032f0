local span = tonumber(ARGV[2])
local till = span and math.min(now + span, tonumber(ARGV[3])) or nil
call('HSET', records, '\2pause', cmsgpack.pack(now, till, ARGV[4]))
return true
