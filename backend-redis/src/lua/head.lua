local call, byte, find, sub = redis.call, string.byte, string.find, string.sub
local records, keys, states, queue, former = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- The queue is three in one: the statuses lie this far apart, which is more than any instant.
local APART = 1125899906842624
