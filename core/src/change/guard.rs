//! What a change demands of a record, and the one place that judges it.

use super::outcome::{Demand, NotNewer, Refusal};
use crate::counter::{Incarnation, Revision, Token, Version};
use crate::key::ExternalId;
use crate::record::SyncRecord;
use crate::remote::{Fingerprint, RemoteVersion, VersionOrder};
use crate::time::Timestamp;

/// Demands on a record, all of which must hold; `None` demands nothing.
///
/// On a key without a record a demand on a value fails, and a negative one (`Some(false)`) holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Whether there is a record.
    pub exists: Option<bool>,
    /// The version that it must have.
    pub version: Option<Version>,
    /// The revision that it must have.
    pub revision: Option<Revision>,
    /// The incarnation that it must have.
    pub incarnation: Option<Incarnation>,
    /// The token of the lease that it must have, run out or not: only a claim looks at the clock.
    pub token: Option<Token>,
    /// Whether a lease is recorded, run out or not.
    pub leased: Option<bool>,
    /// Whether it is due by the store's clock.
    pub due: Option<bool>,
    /// Whether the entity is deleted locally.
    pub deleted: Option<bool>,
    /// Whether it is dirty.
    pub dirty: Option<bool>,
    /// Whether it is known in the remote.
    pub known: Option<bool>,
    /// Whether a create is in doubt.
    pub in_doubt: Option<bool>,
    /// Whether it was taken out of the queue.
    pub held: Option<bool>,
    /// Whether a conflict is open.
    pub conflict: Option<bool>,
    /// The fewest attempts that must be charged.
    pub attempts_at_least: Option<u32>,
    /// What the synced revision must be above.
    pub synced_above: Option<Revision>,
    /// What the external id must be.
    pub external_id: Option<ExternalIdDemand>,
    /// The content that must be an expected echo.
    pub echo: Option<Fingerprint>,
    /// The content that the base must differ from; a record without base differs.
    pub base_differs: Option<Fingerprint>,
    /// What the remote's versions must be.
    pub remote: Option<RemoteDemand>,
}

/// A demand on the external id of a record itself; aliases do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalIdDemand {
    /// There is none yet, or it is this one. Holds on a key without a record.
    FreeOr(ExternalId),
    /// It is this one.
    Is(ExternalId),
}

/// A demand on the remote's versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteDemand {
    /// This version is news: newer than the accepted one, and no older than the highest one seen.
    /// What was seen but not accepted is news again, so that a crash before the local write loses
    /// nothing.
    NewerThanAccepted(RemoteVersion),
    /// The highest version seen is this one.
    SeenIs(RemoteVersion),
}

impl Guard {
    /// Demands that the record was not written since it was read. A version alone would not do: a
    /// key that was removed and is born again counts from the beginning.
    #[must_use]
    pub fn unwritten_since(record: &SyncRecord) -> Self {
        Self {
            version: Some(record.version),
            incarnation: Some(record.incarnation),
            ..Self::default()
        }
    }

    /// Whether every demand holds.
    #[must_use]
    pub fn holds(&self, record: Option<&SyncRecord>, now: Timestamp) -> bool {
        self.refusal(record, now).is_none()
    }

    /// The reason of the first demand that does not hold, in a fixed order; `None` if all hold.
    #[must_use]
    pub fn refusal(&self, record: Option<&SyncRecord>, now: Timestamp) -> Option<Refusal> {
        match record {
            None => self.first_unmet_by_absence(),
            Some(record) => self.first_unmet_by(record, now),
        }
    }

    fn first_unmet_by_absence(&self) -> Option<Refusal> {
        let Self {
            exists,
            version,
            revision,
            incarnation,
            token,
            leased,
            due,
            deleted,
            dirty,
            known,
            in_doubt,
            held,
            conflict,
            attempts_at_least,
            synced_above,
            external_id,
            echo,
            base_differs,
            remote,
        } = self;
        if token.is_some() {
            return Some(Refusal::LeaseLost);
        }
        let states = [exists, leased, due, deleted, dirty, known, in_doubt, held, conflict];
        let absent = states.contains(&&Some(true))
            || version.is_some()
            || revision.is_some()
            || incarnation.is_some()
            || attempts_at_least.is_some()
            || synced_above.is_some()
            || matches!(external_id, Some(ExternalIdDemand::Is(_)))
            || echo.is_some()
            || base_differs.is_some()
            || remote.is_some();
        absent.then_some(Refusal::Absent)
    }

    fn first_unmet_by(&self, record: &SyncRecord, now: Timestamp) -> Option<Refusal> {
        let Self {
            exists,
            version,
            revision,
            incarnation,
            token,
            leased,
            due,
            deleted,
            dirty,
            known,
            in_doubt,
            held,
            conflict,
            attempts_at_least,
            synced_above,
            external_id,
            echo,
            base_differs,
            remote,
        } = self;
        let unmet = |demand| Some(Refusal::Unmet { demand });
        let is_off =
            |demand: &Option<bool>, state: bool| demand.is_some_and(|wanted| wanted != state);

        if *exists == Some(false) {
            return Some(Refusal::AlreadyExists);
        }
        if incarnation.is_some_and(|wanted| wanted != record.incarnation) {
            return Some(Refusal::StaleIncarnation);
        }
        if token.is_some_and(|wanted| record.lease.is_none() || wanted != record.token) {
            return Some(Refusal::LeaseLost);
        }
        if is_off(leased, record.lease.is_some()) {
            return if *leased == Some(true) {
                Some(Refusal::LeaseLost)
            } else {
                unmet(Demand::Leased)
            };
        }
        if version.is_some_and(|wanted| wanted != record.version) {
            return Some(Refusal::VersionMismatch);
        }
        if revision.is_some_and(|wanted| wanted != record.revision) {
            return Some(Refusal::RevisionMoved);
        }
        if is_off(deleted, record.is_deleted()) {
            return Some(if *deleted == Some(true) {
                Refusal::NotDeleted
            } else {
                Refusal::Deleted
            });
        }
        if is_off(held, record.held.is_some()) {
            return if *held == Some(true) { Some(Refusal::NotHeld) } else { unmet(Demand::Held) };
        }
        if is_off(conflict, record.conflict.is_some()) {
            let open = *conflict == Some(false);
            return Some(if open { Refusal::ConflictOpen } else { Refusal::NoConflict });
        }
        if let Some(refusal) = external_id.as_ref().and_then(|demand| demand.unmet_by(record)) {
            return Some(refusal);
        }
        if let Some(refusal) = remote.as_ref().and_then(|demand| demand.unmet_by(record)) {
            return Some(refusal);
        }
        if base_differs.is_some() && *base_differs == record.base {
            return Some(Refusal::NotNewer { why: NotNewer::Same });
        }
        if is_off(due, record.is_due(now)) {
            return if *due == Some(true) { Some(Refusal::NotDue) } else { unmet(Demand::Due) };
        }
        if is_off(dirty, record.is_dirty()) {
            return unmet(Demand::Dirty);
        }
        if is_off(known, record.is_known()) {
            return unmet(Demand::Known);
        }
        if is_off(in_doubt, record.in_doubt) {
            return unmet(Demand::InDoubt);
        }
        if attempts_at_least.is_some_and(|fewest| record.attempts < fewest) {
            return unmet(Demand::AttemptsAtLeast);
        }
        if synced_above.is_some_and(|bound| record.synced_revision <= bound) {
            return unmet(Demand::SyncedAbove);
        }
        if echo.as_ref().is_some_and(|content| !record.echoes.contains(content)) {
            return unmet(Demand::Echo);
        }
        None
    }
}

impl ExternalIdDemand {
    fn unmet_by(&self, record: &SyncRecord) -> Option<Refusal> {
        match (self, &record.external_id) {
            (Self::FreeOr(_), None) => None,
            (Self::FreeOr(id), Some(bound)) => {
                (id != bound).then(|| Refusal::AlreadyBound { to: bound.clone() })
            }
            (Self::Is(id), actual) => (Some(id) != actual.as_ref())
                .then(|| Refusal::NotBoundTo { actual: actual.clone() }),
        }
    }
}

impl RemoteDemand {
    fn unmet_by(&self, record: &SyncRecord) -> Option<Refusal> {
        let not_newer = |why| Some(Refusal::NotNewer { why });
        match self {
            Self::NewerThanAccepted(version) => {
                let accepted = record.remote_version.as_ref().map(|other| version.order(other));
                match accepted {
                    None | Some(VersionOrder::Newer) => {}
                    Some(VersionOrder::Equal) => return not_newer(NotNewer::Same),
                    Some(VersionOrder::Older) => return not_newer(NotNewer::Stale),
                    Some(VersionOrder::Unordered) => return not_newer(NotNewer::Unordered),
                }
                match record.remote_seen.as_ref().map(|other| version.order(other)) {
                    None | Some(VersionOrder::Newer | VersionOrder::Equal) => None,
                    Some(VersionOrder::Older) => not_newer(NotNewer::Stale),
                    Some(VersionOrder::Unordered) => not_newer(NotNewer::Unordered),
                }
            }
            Self::SeenIs(version) => {
                (record.remote_seen.as_ref() != Some(version)).then_some(Refusal::RemoteMoved)
            }
        }
    }
}
