-- All that was decided. What is known of the records is that they are a hash, so the index comes
-- first: if it is none nothing was written, and so it is if the server is full.
if new[1] then call('ZADD', index, unpack(new)) end
if out[1] then call('ZREM', index, unpack(out)) end
local gone
if holders then
  gone = {}
  for name, entity in pairs(holders) do
    if entity then
      sets[#sets + 1] = name
      sets[#sets + 1] = entity
    else
      gone[#gone + 1] = name
    end
  end
end
if sets[1] then call('HSET', records, unpack(sets)) end
if gone and gone[1] then call('HDEL', records, unpack(gone)) end
