-- Translates `CheckpointEntry::save`.
-- Arguments: the clock, the stream, the call, the version and the generation that are demanded, the
-- value.
-- Answers whether it is saved, and the checkpoint: version, generation, instant, value.
local version, generation, saved_by, reset_by, saved_at, value = stream(ARGV[2])
if saved_by == ARGV[3] then return {1, version, generation, saved_at or false, value or false} end
if version ~= tonumber(ARGV[4]) or generation ~= tonumber(ARGV[5]) then
  return {0, version, generation, saved_at or false, value or false}
end
version = next_of(version)
keep(ARGV[2], version, generation, ARGV[3], reset_by, now, ARGV[6])
return {1, version, generation, now, ARGV[6]}
