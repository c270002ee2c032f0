//! Bugs in how keys are told apart and ordered.

use sync_tracker_core::Key;

use crate::bug::Bug;

/// Where the record of a key is kept. Without a bug, places are ordered as keys are: no name has a
/// character as low as the separator.
pub(crate) fn slot(bug: Option<Bug>, key: &Key) -> String {
    let Key { source, entity } = key;
    let parts = [source.as_str(), entity.entity_type.as_str(), entity.entity_id.as_str()];
    let exact = parts.join("\u{1f}");
    match bug {
        Some(Bug::KeysFolded) => exact.to_lowercase(),
        Some(Bug::KeysTrimmed) => parts.map(str::trim).join("\u{1f}"),
        Some(Bug::KeysJoined) => parts.join(":"),
        Some(Bug::SourcesShareRecords) => parts[1..].join("\u{1f}"),
        Some(Bug::OrderedByLocale) => format!("{}\u{1e}{exact}", exact.to_lowercase()),
        _ => exact,
    }
}
