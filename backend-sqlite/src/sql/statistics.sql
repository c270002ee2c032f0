SELECT 'counted', status, records, NULL, entity_type FROM sync_counts
WHERE source = ?1 AND records > 0
UNION ALL
SELECT 'not due', 'in_progress', count(*), min(r.due_at), NULL FROM sync_records AS r
WHERE r.source = ?1 AND r.status = 'in_progress' AND r.due_at > ?2
    AND substr(r.entity_type, 1, 13) <> 'sync-tracker/'
UNION ALL
SELECT 'not due', 'failed', count(*), min(r.due_at), NULL FROM sync_records AS r
WHERE r.source = ?1 AND r.status = 'failed' AND r.due_at > ?2
    AND substr(r.entity_type, 1, 13) <> 'sync-tracker/'
UNION ALL
SELECT 'not due', 'pending', count(*), min(r.due_at), NULL FROM sync_records AS r
WHERE r.source = ?1 AND r.status = 'pending' AND r.due_at > ?2
    AND substr(r.entity_type, 1, 13) <> 'sync-tracker/'
UNION ALL
SELECT * FROM (
    SELECT 'oldest', 'pending', NULL, r.due_at, NULL FROM sync_records AS r
    WHERE r.source = ?1 AND r.status = 'pending' AND r.due_at IS NOT NULL
        AND substr(r.entity_type, 1, 13) <> 'sync-tracker/'
    ORDER BY r.due_at LIMIT 1
)
