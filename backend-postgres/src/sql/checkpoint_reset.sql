-- Translates `CheckpointEntry::reset`.
-- $1 source, $2 stream, $3 id of the call.
-- No row: another insertion came between; the statement is sent again.
WITH d AS MATERIALIZED (
    SELECT c.* FROM {checkpoints} c WHERE c.source = $1 AND c.stream = $2 FOR UPDATE
),
u AS (
    UPDATE {checkpoints} c SET
        value = NULL, version = c.version + 1, generation = c.generation + 1,
        saved_at = NULL, saved_by = NULL, reset_by = $3
    FROM d
    WHERE d.reset_by IS DISTINCT FROM $3 AND c.source = $1 AND c.stream = $2
    RETURNING c.value, c.version, c.generation, c.saved_at
),
n AS (
    INSERT INTO {checkpoints} AS c (source, stream, version, generation, reset_by)
    SELECT $1, $2, 1, 1, $3 WHERE NOT EXISTS (SELECT FROM d)
    ON CONFLICT (source, stream) DO NOTHING
    RETURNING c.value, c.version, c.generation, c.saved_at
)
SELECT value, version, generation, saved_at FROM u
UNION ALL SELECT value, version, generation, saved_at FROM n
UNION ALL SELECT value, version, generation, saved_at FROM d WHERE reset_by = $3
