-- Tries every command that the store uses. What takes back comes before what gives, so that a user
-- who lacks one leaves nothing behind.
for _, command in ipairs({
  {'TIME'}, {'HDEL', records, 'x'}, {'ZREM', records, 'x'}, {'ZADD', records, 'XX', 0, 'x'},
  {'HGET', records, 'x'}, {'HGETALL', records}, {'HMGET', records, 'x'}, {'HSCAN', records, 0},
  {'ZLEXCOUNT', records, '-', '+'},
  {'ZRANGE', records, 0, 0}, {'HSET', records, 'x', ''}, {'HDEL', records, 'x'},
}) do
  call(unpack(command))
end
return true
