//! Bugs in how remote versions stand to each other.

use sync_tracker_core::{RemoteVersion, SyncRecord, VersionOrder};

use crate::bug::Bug;

/// Whether the version is news by the bug, if the bug is about that.
pub(crate) fn is_news(bug: Bug, version: &RemoteVersion, before: &SyncRecord) -> Option<bool> {
    let by = |there: &Option<RemoteVersion>| there.as_ref().map(|there| order(bug, version, there));
    let accepted = by(&before.remote_version);
    let seen = by(&before.remote_seen);
    let is_equal = accepted == Some(VersionOrder::Equal);
    let is_unordered = accepted == Some(VersionOrder::Unordered);
    is_about(bug).then_some(
        (matches!(accepted, None | Some(VersionOrder::Newer))
            || is_equal && bug == Bug::EqualVersionIsNews
            || is_unordered && bug == Bug::UnorderedVersionIsNews)
            && (matches!(seen, None | Some(VersionOrder::Newer | VersionOrder::Equal))
                || seen == Some(VersionOrder::Unordered) && bug == Bug::UnorderedVersionIsNews),
    )
}

/// What is there after `next` was set over `before`, if the bug is about that.
pub(crate) fn set(
    bug: Bug,
    next: &RemoteVersion,
    before: Option<&RemoteVersion>,
) -> Option<RemoteVersion> {
    let older = before.is_some_and(|before| order(bug, next, before) == VersionOrder::Older);
    let kept = before.filter(|_| older && bug != Bug::OlderVersionSet);
    is_about(bug).then(|| kept.unwrap_or(next).clone())
}

fn is_about(bug: Bug) -> bool {
    matches!(
        bug,
        Bug::EqualVersionIsNews
            | Bug::UnorderedVersionIsNews
            | Bug::OlderVersionSet
            | Bug::OpaqueVersionsOrdered
            | Bug::EqualTagsUnordered
            | Bug::TimestampsUnordered
            | Bug::SequencesAsFloats
    )
}

#[allow(clippy::cast_precision_loss)] // that is the bug
fn order(bug: Bug, version: &RemoteVersion, other: &RemoteVersion) -> VersionOrder {
    use RemoteVersion::{Opaque, Sequence, Timestamp};
    let ordering = match (bug, version, other) {
        (Bug::OpaqueVersionsOrdered, Opaque(version), Opaque(other)) => version.cmp(other),
        (Bug::EqualTagsUnordered, Opaque(_), Opaque(_))
        | (Bug::TimestampsUnordered, Timestamp(_), Timestamp(_)) => return VersionOrder::Unordered,
        (Bug::SequencesAsFloats, Sequence(version), Sequence(other)) => {
            (*version as f64).total_cmp(&(*other as f64))
        }
        _ => return version.order(other),
    };
    match ordering {
        std::cmp::Ordering::Less => VersionOrder::Older,
        std::cmp::Ordering::Equal => VersionOrder::Equal,
        std::cmp::Ordering::Greater => VersionOrder::Newer,
    }
}
