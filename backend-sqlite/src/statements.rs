//! The statements, in one place. What is not whole here is composed in `list`.

use std::sync::LazyLock;

/// A statement that selects whole records, as `r`.
macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", include_str!("sql/columns.sql"), $rest)
    };
}

/// What is put before the conditions of a list: the list adds them.
pub(crate) const LIST: &str = select!("FROM sync_records AS r WHERE r.source = ?1");

pub(crate) const GET: &str =
    select!("FROM sync_records AS r WHERE r.source = ? AND r.entity_type = ? AND r.entity_id = ?");

/// Many keys, as JSON arrays in one JSON array; the last column is the position of the key.
pub(crate) const GET_MANY: &str = select!(
    ", k.key FROM json_each(?) AS k CROSS JOIN sync_records AS r
    WHERE r.source = json_extract(k.value, '$[0]')
        AND r.entity_type = json_extract(k.value, '$[1]')
        AND r.entity_id = json_extract(k.value, '$[2]')"
);

/// Who carries each of many external ids; the last column is the position of the id.
pub(crate) const CARRIERS: &str = select!(
    ", k.key FROM json_each(?3) AS k
    CROSS JOIN sync_external_ids AS x CROSS JOIN sync_records AS r
    WHERE x.source = ?1 AND x.entity_type = ?2 AND x.external_id = k.value
        AND r.source = ?1 AND r.entity_type = ?2 AND r.entity_id = x.entity_id"
);

/// Who holds each of many external ids.
pub(crate) const HOLDERS: &str = "SELECT x.external_id, x.entity_id
    FROM json_each(?3) AS k CROSS JOIN sync_external_ids AS x
    WHERE x.source = ?1 AND x.entity_type = ?2 AND x.external_id = k.value AND x.released = ''";

pub(crate) const STORE_RECORD: &str = include_str!("sql/store_record.sql");

/// How many records [`STORE_MANY`] stores.
pub(crate) const MANY: usize = 32;

/// [`STORE_RECORD`] with the values of many records.
pub(crate) static STORE_MANY: LazyLock<String> = LazyLock::new(|| {
    let (columns, rest) = STORE_RECORD.split_once("VALUES").unwrap_or_default();
    let (values, update) = rest.split_once("ON CONFLICT").unwrap_or_default();
    format!("{columns} VALUES {} ON CONFLICT {update}", vec![values; MANY].join(","))
});

pub(crate) const DELETE_RECORD: &str =
    "DELETE FROM sync_records WHERE source = ? AND entity_type = ? AND entity_id = ?";

pub(crate) const RELEASE_EXTERNAL_IDS: &str = "DELETE FROM sync_external_ids
    WHERE source = ?1 AND entity_type = ?2 AND released = ?4
        AND external_id IN (SELECT value FROM json_each(?5)) AND entity_id = ?3";

pub(crate) const KEEP_EXTERNAL_IDS: &str =
    "INSERT INTO sync_external_ids (source, entity_type, entity_id, released, external_id)
    SELECT ?1, ?2, ?3, ?4, value FROM json_each(?5)";

/// Every source has its counts, and there are few of them.
pub(crate) const SOURCES: &str = "SELECT DISTINCT source FROM sync_counts
    WHERE records > 0 AND substr(entity_type, 1, 13) <> 'sync-tracker/' ORDER BY source";

pub(crate) const SOURCES_OF_ANY_TYPE: &str =
    "SELECT DISTINCT source FROM sync_counts WHERE records > 0 ORDER BY source";

pub(crate) const RECORDS_OF: &str = select!(
    "FROM (
        SELECT DISTINCT source FROM sync_counts WHERE entity_type = ?1 AND records > 0
    ) AS s CROSS JOIN sync_records AS r
    WHERE r.source = s.source AND r.entity_type = ?1 AND r.entity_id = ?2
    ORDER BY r.source"
);

/// How a source is doing at an instant, in rows of a name and its values: what is counted in each
/// status of a type, how many wait for a time to come in one status and the next of these times, and
/// since when the oldest is pending.
pub(crate) const STATISTICS: &str = include_str!("sql/statistics.sql");

/// The records of one status that are due longest.
pub(crate) const DUE: &str = select!(
    "FROM sync_records AS r
    WHERE r.source = ? AND r.status = ? AND r.due_at <= ?
        AND substr(r.entity_type, 1, 13) <> 'sync-tracker/'
    ORDER BY r.due_at, r.entity_type, r.entity_id LIMIT ?"
);

/// What was granted to a claim, and runs. The plus signs leave it the index by claim.
pub(crate) const GRANTED: &str = select!(
    "FROM sync_records AS r
    WHERE r.source = ? AND r.claim_id = ? AND +r.status = 'in_progress' AND +r.due_at > ?
        AND substr(r.entity_type, 1, 13) <> 'sync-tracker/'"
);

pub(crate) const PAUSE: &str = "INSERT INTO sync_pauses (source, since, until, reason)
    VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET since = excluded.since, until = excluded.until, reason = excluded.reason";

pub(crate) const RESUME: &str = "DELETE FROM sync_pauses WHERE source = ?";

pub(crate) const PAUSED: &str = "SELECT since, until, reason FROM sync_pauses WHERE source = ?";

pub(crate) const GET_MESSAGE: &str =
    "SELECT entry FROM sync_inbox WHERE source = ?1 AND dedupe_key = ?2";

pub(crate) const PUT_MESSAGE: &str = "INSERT INTO sync_inbox (source, dedupe_key, entry)
    VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET entry = excluded.entry";

/// [`sync_tracker_core::InboxEntry::is_expired`]: its end was before an instant. Instants as text
/// have the order of instants.
pub(crate) const FORGET_MESSAGES: &str =
    "DELETE FROM sync_inbox WHERE source = ? AND json_extract(entry, '$.until') < ?";

pub(crate) const GET_CHECKPOINT: &str =
    "SELECT entry FROM sync_checkpoints WHERE source = ?1 AND stream = ?2";

pub(crate) const PUT_CHECKPOINT: &str = "INSERT INTO sync_checkpoints (source, stream, entry)
    VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET entry = excluded.entry";

pub(crate) const CHECKPOINTS: &str =
    "SELECT stream, entry FROM sync_checkpoints WHERE source = ? ORDER BY stream";

/// A source has one horizon, so the second value, a name, is not used.
pub(crate) const GET_HORIZON: &str = "SELECT horizon FROM sync_horizons WHERE source = ?1";

pub(crate) const PUT_HORIZON: &str = "INSERT INTO sync_horizons (source, horizon)
    VALUES (?1, ?3) ON CONFLICT DO UPDATE SET horizon = excluded.horizon";

/// Writes nothing, as the one that may write.
pub(crate) const LOCK: &str = "UPDATE sync_schema SET minor = minor WHERE 0";
