-- Translates `InboxEntry::begin`.
-- $1 clock, $2 source, $3 dedupe key, $4 id of the call, $5 lease, $6 last instant.
-- No row: another insertion came between; the statement is sent again.
WITH d AS MATERIALIZED (
    SELECT l.*, CASE
        WHEN l.state = 'begun' AND l.begun_by = $4 THEN 'again'
        WHEN l.state = 'begun' AND l.now < l.until THEN 'in_progress'
        WHEN l.state = 'abandoned' AND l.now < l.until AND l.begun_by = $4 THEN 'in_progress'
        WHEN l.state = 'completed' AND l.now < l.until THEN 'done'
        ELSE 'granted'
    END AS answer
    FROM (
        SELECT l.*, {clock} AS now FROM (
            SELECT i.* FROM {inbox} i WHERE i.source = $2 AND i.dedupe_key = $3 FOR UPDATE
        ) l OFFSET 0
    ) l
),
u AS (
    UPDATE {inbox} i SET
        token = CASE d.answer
            WHEN 'again' THEN d.token
            ELSE greatest(d.token + 1, d.now * 1000)
        END,
        until = CASE d.answer
            WHEN 'again' THEN greatest(d.until, least(d.now + $5::bigint, $6::bigint))
            ELSE least(d.now + $5::bigint, $6::bigint)
        END,
        begun_by = $4::bigint, state = 'begun', outcome = NULL
    FROM d
    WHERE d.answer IN ('again', 'granted') AND i.source = $2 AND i.dedupe_key = $3
    RETURNING i.token, i.until
),
n AS (
    INSERT INTO {inbox} AS i (source, dedupe_key, token, until, begun_by, state)
    SELECT $2, $3, greatest(1, c.now * 1000), least(c.now + $5::bigint, $6::bigint), $4, 'begun'
    FROM (SELECT {clock} AS now WHERE NOT EXISTS (SELECT FROM d) OFFSET 0) c
    ON CONFLICT (source, dedupe_key) DO NOTHING
    RETURNING i.token, i.until
)
SELECT 'fresh', token, until, NULL FROM u
UNION ALL SELECT 'fresh', token, until, NULL FROM n
UNION ALL SELECT answer, token, until, outcome FROM d WHERE answer IN ('in_progress', 'done')
