-- Translates `InboxEntry::complete` and `InboxEntry::abandon`.
-- $1 clock, $2 source, $3 dedupe key, $4 token, $5 new state, $6 outcome, $7 how long it is
-- remembered, or null to keep the end of the lease, $8 last instant.
-- No row, or false: the ticket is lost.
WITH d AS MATERIALIZED (
    SELECT l.*, {clock} AS now FROM (
        SELECT i.* FROM {inbox} i WHERE i.source = $2 AND i.dedupe_key = $3 FOR UPDATE
    ) l OFFSET 0
),
u AS (
    UPDATE {inbox} i SET
        state = $5,
        outcome = $6,
        until = CASE
            WHEN $7::bigint IS NULL THEN d.until
            ELSE least(d.now + $7::bigint, $8::bigint)
        END
    FROM d
    WHERE d.token = $4 AND d.state = 'begun' AND i.source = $2 AND i.dedupe_key = $3
)
SELECT token = $4 AND state IN ('begun', $5::text COLLATE "C") FROM d
