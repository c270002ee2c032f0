//! The state that is kept for one key.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::counter::{Incarnation, Revision, Token, Version};
use crate::error::Error;
use crate::failure::Failure;
use crate::ids::{ChangeId, ClaimId};
use crate::key::{ExternalId, Key};
use crate::metadata::Metadata;
use crate::remote::{Fingerprint, RemoteVersion};
use crate::time::Timestamp;

/// What the ledger knows about one entity in one source.
///
/// A record is written only by a [`Change`](crate::Change). What a change does to each field, and
/// in which order, is told at [`Patch`](crate::Patch).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRecord {
    /// What the record is kept for.
    pub key: Key,
    /// The entity's id in the source.
    pub external_id: Option<ExternalId>,
    /// Other external ids that lead here, oldest first: those that were merged or superseded. At
    /// most [`MAX_ALIASES`](Self::MAX_ALIASES).
    pub aliases: Vec<ExternalId>,
    /// Which life of the key this is.
    pub incarnation: Incarnation,
    /// Counts local changes.
    pub revision: Revision,
    /// The highest revision known to be in the remote.
    pub synced_revision: Revision,
    /// Since when there has been something to push. Set when the record becomes dirty and kept by
    /// further changes; derived in the same write, never an operation.
    pub pending_since: Option<Timestamp>,
    /// When this incarnation began.
    pub created_at: Timestamp,
    /// When the entity was last updated.
    pub updated_at: Option<Timestamp>,
    /// When the entity was deleted locally.
    pub deleted_at: Option<Timestamp>,
    /// When a push last succeeded, or the remote was last accepted. Failures do not touch it.
    pub synced_at: Option<Timestamp>,
    /// The remote version that was accepted or pushed. Belongs to the base.
    pub remote_version: Option<RemoteVersion>,
    /// The highest remote version that was observed.
    pub remote_seen: Option<RemoteVersion>,
    /// When the object was seen to be deleted in the remote, or was missed there.
    pub remote_deleted_at: Option<Timestamp>,
    /// When there was last evidence that the object is in the remote: news of it, a push that
    /// succeeded, a listing. A sweep misses what it did not see since it began.
    pub sighted_at: Option<Timestamp>,
    /// The content that both sides last agreed on.
    pub base: Option<Fingerprint>,
    /// Content of own pushes that may come back as webhooks, oldest first, at most
    /// [`MAX_ECHOES`](Self::MAX_ECHOES).
    pub echoes: Vec<Fingerprint>,
    /// Attempts charged since the last success.
    pub attempts: u32,
    /// Whether a create was sent whose outcome is unknown.
    pub in_doubt: bool,
    /// Whether the record was taken out of the queue.
    pub held: Option<Held>,
    /// The last failure since the last success.
    pub failure: Option<Failure>,
    /// When a failed push is due again.
    pub retry_at: Option<Timestamp>,
    /// The fencing token granted last.
    pub token: Token,
    /// The lease, run out or not.
    pub lease: Option<Lease>,
    /// The open conflict.
    pub conflict: Option<Conflict>,
    /// Free data.
    pub metadata: Metadata,
    /// Counts writes.
    pub version: Version,
    /// The ids of the last changes.
    pub recent_changes: RecentChanges,
    /// The arm of the last change that was applied, from 0.
    pub last_arm: u8,
}

impl SyncRecord {
    /// How many expected echoes are kept.
    pub const MAX_ECHOES: usize = 4;
    /// How many aliases a record may have.
    pub const MAX_ALIASES: usize = 64;

    /// The record of a key that has none, before its first change is applied.
    pub(crate) fn unborn(key: &Key, now: Timestamp) -> Self {
        Self {
            key: key.clone(),
            external_id: None,
            aliases: Vec::new(),
            incarnation: Incarnation::ZERO.begin(now),
            revision: Revision::ZERO,
            synced_revision: Revision::ZERO,
            pending_since: None,
            created_at: now,
            updated_at: None,
            deleted_at: None,
            synced_at: None,
            remote_version: None,
            remote_seen: None,
            remote_deleted_at: None,
            sighted_at: None,
            base: None,
            echoes: Vec::new(),
            attempts: 0,
            in_doubt: false,
            held: None,
            failure: None,
            retry_at: None,
            token: Token::ZERO,
            lease: None,
            conflict: None,
            metadata: Metadata::default(),
            version: Version::ZERO,
            recent_changes: RecentChanges::default(),
            last_arm: 0,
        }
    }

    /// Whether there are local changes that are not known to be in the remote.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.revision > self.synced_revision
    }

    /// Whether the entity is known to exist in the remote: it has an external id, or a revision
    /// was synced in this incarnation.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.external_id.is_some() || self.synced_revision > Revision::ZERO
    }

    /// Whether the entity is deleted locally.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// Whether a push, or another way, ever brought this entity in step.
    #[must_use]
    pub fn was_ever_synced(&self) -> bool {
        self.synced_at.is_some()
    }

    /// The external id and the aliases.
    pub fn external_ids(&self) -> impl Iterator<Item = &ExternalId> {
        self.external_id.iter().chain(&self.aliases)
    }

    /// The idempotency key of this incarnation, to be sent with a create: the same for every
    /// attempt, after a crash too. A version 5 UUID (RFC 9562).
    #[must_use]
    pub fn idempotency_key(&self) -> Uuid {
        const NAMESPACE: Uuid = Uuid::from_u128(0x6b2f_4d1c_91e7_4f0a_8c53_0de2_a7b8_95f4);
        let Key { source, entity } = &self.key;
        // Parts hold no control character, so the joined text is that of one key only.
        let name =
            format!("{source}\0{}\0{}\0{}", entity.entity_type, entity.entity_id, self.incarnation);
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// Checks a record that did not come from changes, for raw imports: that changes could have
    /// made it, and that there is room for more.
    ///
    /// Imported counters may be 2^52 at most. That leaves room for 10^15 further changes, so no
    /// store needs to look for the end of the range.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), naming the first field that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        const IMPORTABLE: u64 = 1 << 52;
        for (field, number) in [
            ("incarnation", self.incarnation.get()),
            ("revision", self.revision.get()),
            ("token", self.token.get()),
            ("version", self.version.get()),
        ] {
            if number > IMPORTABLE {
                return Err(Error::invalid(field, format!("is {number}"), "2^52"));
            }
        }
        self.check_invariants()
    }

    /// Checks that the fields fit each other, as they do in every record that changes made.
    pub(crate) fn check_invariants(&self) -> Result<(), Error> {
        let require = |holds: bool, field: &str, limit: &str| {
            if holds {
                Ok(())
            } else {
                Err(Error::invalid(field, "does not fit the record", limit))
            }
        };
        require(self.incarnation > Incarnation::ZERO, "incarnation", "1 or more")?;
        require(self.version > Version::ZERO, "version", "1 or more")?;
        require(self.synced_revision <= self.revision, "synced revision", "the revision")?;
        require(
            self.pending_since.is_some() == self.is_dirty(),
            "pending since",
            "present if the record is dirty, else absent",
        )?;
        require(self.echoes.len() <= Self::MAX_ECHOES, "echoes", "4")?;
        require(self.aliases.len() <= Self::MAX_ALIASES, "aliases", "64")?;
        let mut ids: Vec<_> = self.external_ids().collect();
        ids.sort_unstable();
        require(ids.windows(2).all(|pair| pair[0] != pair[1]), "aliases", "each id once")
    }
}

/// Why a record was taken out of the queue, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Why.
    pub kind: HeldKind,
    /// Since when.
    pub since: Timestamp,
}

/// Why a record was taken out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldKind {
    /// It failed for good, or too often.
    Dead,
    /// Somebody decided that it is not to be pushed.
    Dismissed,
}

/// A worker's temporary exclusive right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The claim that it was granted to.
    pub claim_id: ClaimId,
    /// When others may claim the record.
    pub until: Timestamp,
}

/// A disagreement that somebody has to resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What happened on the two sides.
    pub kind: ConflictKind,
    /// Since when.
    pub since: Timestamp,
}

/// What happened on the two sides: local first, then remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Both sides changed the content.
    EditEdit,
    /// Changed locally, deleted in the remote.
    EditDelete,
    /// Deleted locally, changed in the remote.
    DeleteEdit,
    /// Created on both sides.
    CreateCreate,
    /// Two entities claim one external id.
    IdCollision,
}

/// The ids of the last [`CAPACITY`](Self::CAPACITY) changes of a record, oldest first.
///
/// A change found here was applied and is never applied again. One id would not be enough: other
/// clients' changes come between a lost reply and the repeat.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ChangeId>", into = "Vec<ChangeId>")]
pub struct RecentChanges {
    // In the record itself: a copy of a record needs no memory for them.
    ids: [ChangeId; Self::CAPACITY],
    count: u8,
}

impl RecentChanges {
    /// How many ids are kept.
    pub const CAPACITY: usize = 16;

    /// Whether the change is among them.
    #[must_use]
    pub fn contains(&self, id: ChangeId) -> bool {
        self.as_slice().contains(&id)
    }

    /// The change that was applied last.
    #[must_use]
    pub fn last(&self) -> Option<ChangeId> {
        self.as_slice().last().copied()
    }

    /// The ids, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ChangeId> + '_ {
        self.as_slice().iter().copied()
    }

    fn as_slice(&self) -> &[ChangeId] {
        &self.ids[..usize::from(self.count)]
    }

    pub(crate) fn push(&mut self, id: ChangeId) {
        if usize::from(self.count) == Self::CAPACITY {
            self.ids.rotate_left(1);
            self.count -= 1;
        }
        self.ids[usize::from(self.count)] = id;
        self.count += 1;
    }
}

/// None.
impl Default for RecentChanges {
    fn default() -> Self {
        Self { ids: [ChangeId::from_bits(0); Self::CAPACITY], count: 0 }
    }
}

/// Only the ids that are there.
impl fmt::Debug for RecentChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl TryFrom<Vec<ChangeId>> for RecentChanges {
    type Error = Error;

    fn try_from(ids: Vec<ChangeId>) -> Result<Self, Error> {
        if ids.len() > Self::CAPACITY {
            return Err(Error::invalid("recent changes", format!("are {}", ids.len()), "16"));
        }
        let mut recent = Self::default();
        ids.into_iter().for_each(|id| recent.push(id));
        Ok(recent)
    }
}

impl From<RecentChanges> for Vec<ChangeId> {
    fn from(recent: RecentChanges) -> Self {
        recent.as_slice().to_vec()
    }
}
