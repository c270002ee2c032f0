//! Success: the remote holds a state of ours.

use crate::change::{
    Arm, AttemptsOp, Change, EchoesOp, ExternalIdDemand, ExternalIdOp, FactOp, FailureOp, FlagOp,
    Guard, HeldOp, IncarnationOp, InstantOp, LeaseOp, MetadataOp, Patch, RemoteDemand, RetryOp,
    RevisionOp, SyncedAtOp, SyncedRevisionOp,
};
use crate::counter::{Incarnation, Revision, Token};
use crate::key::ExternalId;
use crate::metadata::{Metadata, MetadataMerge};
use crate::remote::{Fingerprint, RemoteVersion};
use crate::status::Operation;

/// What a success tells about the remote. What is not said is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Success {
    /// The id of the object. The record must have none yet or this one, and no other entity of
    /// the type may hold it.
    pub external_id: Option<ExternalId>,
    /// The version of the object after the push.
    pub remote_version: Option<RemoteVersion>,
    /// The content that was pushed. With the version it is no longer
    /// [expected back](super::expect_echo).
    pub fingerprint: Option<Fingerprint>,
    /// What to do to the metadata.
    pub metadata: MetadataOp,
}

impl Success {
    /// Makes the metadata this.
    #[must_use]
    pub fn replacing_metadata(self, metadata: Metadata) -> Self {
        Self { metadata: MetadataOp::Replace(metadata), ..self }
    }

    /// Changes the top level of the metadata.
    #[must_use]
    pub fn merging_metadata(self, merge: MetadataMerge) -> Self {
        Self { metadata: MetadataOp::Merge(merge), ..self }
    }

    fn demand(&self) -> Option<ExternalIdDemand> {
        self.external_id.clone().map(ExternalIdDemand::FreeOr)
    }

    /// What every success does to the record: it resets the failure vocabulary and notes what was
    /// told.
    fn patch(&self) -> Patch {
        let Self { external_id, remote_version, fingerprint, metadata } = self;
        let version = fact(remote_version.as_ref());
        let echoes = match (fingerprint, remote_version) {
            // The event of this push is told by its version and by the base.
            (Some(pushed), Some(_)) => EchoesOp::Remove(pushed.clone()),
            _ => EchoesOp::Keep,
        };
        Patch {
            external_id: match external_id {
                Some(id) => ExternalIdOp::Set(id.clone()),
                None => ExternalIdOp::Keep,
            },
            sighted_at: InstantOp::Now,
            synced_at: SyncedAtOp::Now,
            remote_version: version.clone(),
            remote_seen: version,
            base: fact(fingerprint.as_ref()),
            echoes,
            attempts: AttemptsOp::Reset,
            in_doubt: FlagOp::Clear,
            held: HeldOp::Clear,
            failure: FailureOp::Clear,
            retry_at: RetryOp::Clear,
            metadata: metadata.clone(),
            ..Patch::default()
        }
    }
}

fn fact<T: Clone>(value: Option<&T>) -> FactOp<T> {
    value.map_or(FactOp::Keep, |value| FactOp::Set(value.clone()))
}

/// Asserts that the **current** state of the entity is in the remote.
///
/// For simple use, where nothing changes while a push runs. It makes a record if there is none. On
/// a deleted entity it asserts that the deletion is in the remote. While a worker holds the lease
/// it succeeds and leaves the lease. Refused while a conflict is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkSynced {
    /// What is told about the remote.
    pub success: Success,
}

impl MarkSynced {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        let synced =
            Patch { synced_revision: SyncedRevisionOp::ToRevision, ..self.success.patch() };
        Change::of([
            Arm {
                when: Guard { exists: Some(false), ..Guard::default() },
                then: Patch { revision: RevisionOp::Next, ..synced.clone() },
            },
            Arm {
                when: Guard {
                    conflict: Some(false),
                    external_id: self.success.demand(),
                    ..Guard::default()
                },
                then: synced,
            },
        ])
    }
}

/// Asserts that one revision of one incarnation is in the remote, without a lease.
///
/// A local change since leaves the record dirty. Refused for another incarnation, while a conflict
/// is open, and if there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkSyncedTo {
    /// The incarnation that was pushed.
    pub incarnation: Incarnation,
    /// The revision that was pushed.
    pub revision: Revision,
    /// What is told about the remote.
    pub success: Success,
}

impl MarkSyncedTo {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        Change::of([Arm {
            when: Guard {
                incarnation: Some(self.incarnation),
                conflict: Some(false),
                external_id: self.success.demand(),
                ..Guard::default()
            },
            then: Patch {
                synced_revision: SyncedRevisionOp::Max(self.revision),
                ..self.success.patch()
            },
        }])
    }
}

/// A leased push succeeded.
///
/// The synced revision becomes the one that the push carried, so a local change meanwhile leaves
/// the record dirty. If a higher revision was marked as synced meanwhile, this slower request
/// may have overwritten it in the remote: the record is dirty again and pushed once more.
///
/// The content that was pushed becomes the base unless something else was seen in the remote
/// meanwhile: an event that overtook the report may be about a later edit.
///
/// A delete that succeeded leaves a tombstone, also if the entity was restored and deleted again
/// while the delete ran. If it was restored, its object is gone: a new incarnation, to be created
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The token of the lease.
    pub token: Token,
    /// What the push did.
    pub operation: Operation,
    /// The revision that the push carried.
    pub revision: Revision,
    /// The highest version that had been seen in the remote when the push was claimed.
    pub seen: Option<RemoteVersion>,
    /// What is told about the remote. Of a delete, only the metadata counts.
    pub success: Success,
}

impl Completion {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        let Self { token, operation, revision, success, seen: _ } = self;
        let holder = Guard { token: Some(*token), ..Guard::default() };
        if *operation == Operation::Delete {
            return delete_completed(holder, *revision, &success.metadata);
        }
        let holder = Guard { external_id: success.demand(), ..holder };
        let done = Patch {
            synced_revision: SyncedRevisionOp::Max(*revision),
            remote_deleted_at: InstantOp::Clear,
            lease: LeaseOp::Drop,
            ..success.patch()
        };
        let unsure = self.unsure(&done);
        let mut arms = vec![Arm {
            when: Guard { synced_above: Some(*revision), ..holder.clone() },
            then: Patch { revision: RevisionOp::Next, ..unsure.clone() },
        }];
        let undisturbed = self.undisturbed();
        let then = if undisturbed.is_empty() { done.clone() } else { unsure };
        arms.extend(undisturbed.into_iter().map(|demand| Arm {
            when: Guard { remote: Some(demand), ..holder.clone() },
            then: done.clone(),
        }));
        arms.push(Arm { when: holder, then });
        Change::of_cases(arms)
    }

    /// Any of these shows that the content that was pushed is what is in the remote: nothing else
    /// was seen there, or nothing newer. None if nothing can show it, or nothing has to.
    fn undisturbed(&self) -> Vec<RemoteDemand> {
        let Success { remote_version: version, fingerprint: Some(_), .. } = &self.success else {
            return Vec::new();
        };
        let is_told = version.clone().map(RemoteDemand::SeenIs);
        let is_next = match (version, &self.seen) {
            (Some(version), None) => Some(RemoteDemand::NewerThanAccepted(version.clone())),
            (Some(version), Some(_)) if !matches!(version, RemoteVersion::Opaque(_)) => {
                Some(RemoteDemand::NewerThanAccepted(version.clone()))
            }
            (_, Some(seen)) => Some(RemoteDemand::SeenIs(seen.clone())),
            (None, None) => None,
        };
        is_next.into_iter().chain(is_told).collect()
    }

    /// Something else was seen in the remote while the push ran. By an order it is the newer one, and
    /// known as such; without an order nobody knows which of them is there.
    fn unsure(&self, done: &Patch) -> Patch {
        match (&self.success.fingerprint, &self.success.remote_version) {
            (None, _) => done.clone(),
            (Some(_), Some(RemoteVersion::Opaque(_))) => Patch {
                remote_version: FactOp::Keep,
                remote_seen: FactOp::Keep,
                base: FactOp::Clear,
                echoes: EchoesOp::Keep,
                ..done.clone()
            },
            (Some(_), Some(_)) => Patch { base: FactOp::Keep, ..done.clone() },
            (Some(_), None) => Patch { base: FactOp::Clear, ..done.clone() },
        }
    }
}

fn delete_completed(holder: Guard, revision: Revision, metadata: &MetadataOp) -> Change {
    let success = Success { metadata: metadata.clone(), ..Success::default() };
    let done = Patch { sighted_at: InstantOp::Keep, lease: LeaseOp::Drop, ..success.patch() };
    let restored = Guard { deleted: Some(false), ..holder.clone() };
    Change::of([
        Arm {
            when: Guard { synced_above: Some(revision), ..restored.clone() },
            then: Patch { revision: RevisionOp::Next, ..done.clone() },
        },
        Arm { when: restored, then: Patch { incarnation: IncarnationOp::Next, ..done.clone() } },
        Arm {
            when: Guard { synced_above: Some(revision), ..holder.clone() },
            then: Patch { remote_deleted_at: InstantOp::Now, ..done.clone() },
        },
        // Also if it was restored and deleted again while the delete ran: the object is gone.
        Arm {
            when: holder,
            then: Patch {
                synced_revision: SyncedRevisionOp::ToRevision,
                remote_deleted_at: InstantOp::Now,
                ..done
            },
        },
    ])
}
