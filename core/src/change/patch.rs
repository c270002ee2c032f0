//! What a change does to a record: one small operation per field.

use std::sync::Arc;

use crate::counter::Revision;
use crate::error::Error;
use crate::failure::FailureNote;
use crate::ids::ClaimId;
use crate::key::ExternalId;
use crate::metadata::{Metadata, MetadataMerge};
use crate::record::ConflictKind;
use crate::remote::{Fingerprint, RemoteVersion};
use crate::time::Millis;

/// One operation per field of a record. The default keeps everything.
///
/// The operations are applied in the order of the fields here, and later ones see what earlier
/// ones did. Then the store derives the rest: *pending since*, the version, the ring of recent
/// changes, the last arm.
///
/// This type, like every operation, is closed: a store takes it apart field by field, so a field
/// that is added later does not compile until each store carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// The incarnation. First, so that what a new life begins with can be set in the same change.
    pub incarnation: IncarnationOp,
    /// The external id.
    pub external_id: ExternalIdOp,
    /// The aliases.
    pub aliases: AliasesOp,
    /// The revision.
    pub revision: RevisionOp,
    /// The synced revision.
    pub synced_revision: SyncedRevisionOp,
    /// When the entity was updated.
    pub updated_at: InstantOp,
    /// When the entity was deleted locally.
    pub deleted_at: InstantOp,
    /// When the object was seen to be deleted in the remote.
    pub remote_deleted_at: InstantOp,
    /// When the object was last seen in the remote.
    pub sighted_at: InstantOp,
    /// When both sides were last in step.
    pub synced_at: SyncedAtOp,
    /// The remote version accepted or pushed.
    pub remote_version: FactOp<RemoteVersion>,
    /// The highest remote version seen.
    pub remote_seen: FactOp<RemoteVersion>,
    /// The content both sides last agreed on.
    pub base: FactOp<Fingerprint>,
    /// The echoes that are expected.
    pub echoes: EchoesOp,
    /// The attempts.
    pub attempts: AttemptsOp,
    /// Whether a create is in doubt.
    pub in_doubt: FlagOp,
    /// Whether the record is taken out of the queue.
    pub held: HeldOp,
    /// The failure.
    pub failure: FailureOp,
    /// When it is due again.
    pub retry_at: RetryOp,
    /// The lease.
    pub lease: LeaseOp,
    /// The conflict.
    pub conflict: ConflictOp,
    /// The metadata.
    pub metadata: MetadataOp,
}

/// What to do to the incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncarnationOp {
    /// Leave it.
    #[default]
    Keep,
    /// Begin the next: what belonged to the old one is cleared, which is the ids, the remote side,
    /// base, echoes, in doubt; the synced revision is 0 again, and it is created now.
    Next,
}

/// What to do to the external id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExternalIdOp {
    /// Leave it.
    #[default]
    Keep,
    /// Make it this one, and let the old one go. If it was an alias it is none any more.
    Set(ExternalId),
    /// Let it go.
    Clear,
    /// Make it this one; the old one becomes an alias.
    Supersede(ExternalId),
}

/// What to do to the aliases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AliasesOp {
    /// Leave them.
    #[default]
    Keep,
    /// Add this one, unless it is an alias or the external id already.
    Add(ExternalId),
}

/// What to do to the revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevisionOp {
    /// Leave it.
    #[default]
    Keep,
    /// Count one more.
    Next,
}

/// What to do to the synced revision. It never goes down but in a new incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncedRevisionOp {
    /// Leave it.
    #[default]
    Keep,
    /// Raise it to this one, which was seen before the push; at most to the revision.
    Max(Revision),
    /// Make it the revision.
    ToRevision,
}

/// What to do to an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstantOp {
    /// Leave it.
    #[default]
    Keep,
    /// Make it now.
    Now,
    /// Make it now if there is none.
    NowIfNone,
    /// Clear it.
    Clear,
}

/// What to do to *synced at*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncedAtOp {
    /// Leave it.
    #[default]
    Keep,
    /// Make it now, unless it is later already.
    Now,
    /// Clear it.
    Clear,
}

/// What to do to a fact about the remote.
///
/// A remote version is set only if it is not older than the one there; base is always set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FactOp<T> {
    /// Leave it.
    #[default]
    Keep,
    /// Make it this one.
    Set(T),
    /// Clear it.
    Clear,
}

/// What to do to the expected echoes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EchoesOp {
    /// Leave them.
    #[default]
    Keep,
    /// Expect this one too; beyond four the oldest is forgotten.
    Push(Fingerprint),
    /// Expect this one no more: one occurrence, the oldest, is removed.
    Remove(Fingerprint),
    /// Expect none.
    Clear,
}

/// What to do to the attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttemptsOp {
    /// Leave them.
    #[default]
    Keep,
    /// Make them 0.
    Reset,
    /// Charge one.
    Charge,
    /// Give one back; never below 0.
    GiveBack,
}

/// What to do to a flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlagOp {
    /// Leave it.
    #[default]
    Keep,
    /// Set it.
    Set,
    /// Clear it.
    Clear,
}

/// What to do to being held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeldOp {
    /// Leave it.
    #[default]
    Keep,
    /// Make it a dead letter.
    Dead,
    /// Dismiss it.
    Dismissed,
    /// Put it back.
    Clear,
}

/// What to do to the failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FailureOp {
    /// Leave it.
    #[default]
    Keep,
    /// Note this one; the instant of the first stays.
    Note(FailureNote),
    /// Forget it.
    Clear,
}

/// What to do to the retry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RetryOp {
    /// Leave it.
    #[default]
    Keep,
    /// Due again after this span.
    After(Millis),
    /// Due again after the entry of the table for the attempts charged by now; past its end the
    /// record becomes a dead letter.
    Table(RetryTable),
    /// Not scheduled.
    Clear,
}

/// What to do to the lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LeaseOp {
    /// Leave it.
    #[default]
    Keep,
    /// Grant it to this claim for a span, under a new token.
    Grant {
        /// The claim.
        claim_id: ClaimId,
        /// For how long from now.
        ttl: Millis,
    },
    /// Let it run for this span from now. Nothing without a lease.
    Renew {
        /// For how long from now.
        ttl: Millis,
    },
    /// End it.
    Drop,
}

/// What to do to the conflict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictOp {
    /// Leave it.
    #[default]
    Keep,
    /// Open one of this kind. One that is open becomes of this kind, and keeps its instant.
    Open(ConflictKind),
    /// Close it.
    Clear,
}

/// What to do to the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MetadataOp {
    /// Leave it.
    #[default]
    Keep,
    /// Make it this.
    Replace(Metadata),
    /// Change its top level.
    Merge(MetadataMerge),
}

/// How long to wait after each attempt: the first entry after the first.
///
/// At most [`MAX_ENTRIES`](Self::MAX_ENTRIES). A table without entries never retries.
///
/// ```
/// use sync_tracker_core::{Millis, RetryTable};
///
/// let table = RetryTable::new([Millis::new(100)?, Millis::new(1_000)?])?;
/// assert_eq!(table.delay(1), Millis::new(100).ok());
/// assert_eq!(table.delay(3), None);
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryTable(Arc<[Millis]>);

impl RetryTable {
    /// The longest table.
    pub const MAX_ENTRIES: usize = 255;

    /// Makes a table of its entries.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if there are more than 255.
    pub fn new(delays: impl Into<Vec<Millis>>) -> Result<Self, Error> {
        let delays = delays.into();
        if delays.len() > Self::MAX_ENTRIES {
            let problem = format!("has {} entries", delays.len());
            return Err(Error::invalid("retry table", problem, "255"));
        }
        Ok(Self(delays.into()))
    }

    /// The wait after this many attempts, or `None` past the end. No attempt counts as one.
    #[must_use]
    pub fn delay(&self, attempts: u32) -> Option<Millis> {
        let index = usize::try_from(attempts.max(1) - 1).ok()?;
        self.0.get(index).copied()
    }

    /// The entries.
    #[must_use]
    pub fn delays(&self) -> &[Millis] {
        &self.0
    }
}
