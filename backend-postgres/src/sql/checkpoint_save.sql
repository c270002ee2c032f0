-- Translates `CheckpointEntry::save`.
-- $1 clock, $2 source, $3 stream, $4 id of the call, $5 version and $6 generation that are
-- demanded, $7 value.
-- No row: there is none; or, if version and generation are 0, another insertion came between.
WITH d AS MATERIALIZED (
    SELECT l.*, {clock} AS now, CASE
        WHEN l.saved_by = $4 THEN 'repeated'
        WHEN l.version = $5 AND l.generation = $6 THEN 'saved'
        ELSE 'stale'
    END AS answer
    FROM (
        SELECT c.* FROM {checkpoints} c WHERE c.source = $2 AND c.stream = $3 FOR UPDATE
    ) l OFFSET 0
),
u AS (
    UPDATE {checkpoints} c SET
        value = $7, version = c.version + 1, saved_at = d.now, saved_by = $4
    FROM d
    WHERE d.answer = 'saved' AND c.source = $2 AND c.stream = $3
    RETURNING c.value, c.version, c.generation, c.saved_at
),
n AS (
    INSERT INTO {checkpoints} AS c (source, stream, version, generation, saved_at, saved_by, value)
    SELECT $2, $3, 1, 0, {clock}, $4, $7
    WHERE $5 = 0 AND $6 = 0 AND NOT EXISTS (SELECT FROM d)
    ON CONFLICT (source, stream) DO NOTHING
    RETURNING c.value, c.version, c.generation, c.saved_at
)
SELECT true, value, version, generation, saved_at FROM u
UNION ALL SELECT true, value, version, generation, saved_at FROM n
UNION ALL SELECT answer = 'repeated', value, version, generation, saved_at FROM d
    WHERE answer <> 'saved'
