local ARGV, call, byte, find, sub = ARGV, redis.call, string.byte, string.find, string.sub
local pack, unpacked = struct.pack, struct.unpack
local records, index = KEYS[1], KEYS[2]
