local call, byte, find, sub = redis.call, string.byte, string.find, string.sub
local records, keys, states, queue, former = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
-- The queue is three in one: the statuses lie this far apart, which is more than any instant.
local APART = 1125899906842624
