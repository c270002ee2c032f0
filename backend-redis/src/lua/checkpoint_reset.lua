-- Translates `CheckpointEntry::reset`.
-- Arguments: the stream, the call. Answers the checkpoint: version, generation, instant, value.
local version, generation, saved_by, reset_by, saved_at, value = stream(ARGV[1])
if reset_by == ARGV[2] then return {version, generation, saved_at or false, value or false} end
version, generation = next_of(version), next_of(generation)
keep(ARGV[1], version, generation, nil, ARGV[2], nil, nil)
return {version, generation, false, false}
