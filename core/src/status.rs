//! What a record amounts to: its status, when it is due, what is to be pushed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::{HeldKind, SyncRecord};
use crate::time::Timestamp;

/// Where a record stands: exactly one of these, by the record alone, whatever the time.
///
/// A key without a record is *untracked*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A conflict is open. Never due.
    Conflict,
    /// It failed for good, or too often. Never due.
    DeadLetter,
    /// It is not to be pushed, somebody decided. Never due.
    Dismissed,
    /// A lease is recorded, run out or not. Due when the lease runs out.
    InProgress,
    /// A retry is scheduled, due or not. Due at that time.
    Failed,
    /// Deleted, and there is nothing left to push. Never due.
    Deleted,
    /// Something is to be pushed. Due since it became so.
    Pending,
    /// In step. Never due.
    Synced,
}

impl Status {
    /// Every status, in the order in which they are decided.
    pub const ALL: [Self; 8] = [
        Self::Conflict,
        Self::DeadLetter,
        Self::Dismissed,
        Self::InProgress,
        Self::Failed,
        Self::Deleted,
        Self::Pending,
        Self::Synced,
    ];

    /// The name, as stores and interfaces write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::DeadLetter => "dead_letter",
            Self::Dismissed => "dismissed",
            Self::InProgress => "in_progress",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::Pending => "pending",
            Self::Synced => "synced",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a push of a record has to do in the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Create the object; its id is not known.
    Create,
    /// Update the object.
    Update,
    /// Delete the object.
    Delete,
    /// There is nothing to do.
    Nothing,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Nothing => "nothing",
        })
    }
}

impl SyncRecord {
    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.conflict.is_some() {
            return Status::Conflict;
        }
        if let Some(held) = &self.held {
            return match held.kind {
                HeldKind::Dead => Status::DeadLetter,
                HeldKind::Dismissed => Status::Dismissed,
            };
        }
        if self.lease.is_some() {
            return Status::InProgress;
        }
        if self.retry_at.is_some() {
            return Status::Failed;
        }
        match (self.is_deleted(), self.is_dirty()) {
            (true, false) => Status::Deleted,
            (_, true) => Status::Pending,
            (false, false) => Status::Synced,
        }
    }

    /// Whether all that is left is the memory of a deletion, which is the
    /// [status](Self::status) *deleted*: nothing is to be pushed any more, and nobody may still be
    /// at the object.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.status() == Status::Deleted
    }

    /// From when on the record may be claimed, if ever as it stands.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.status() {
            Status::InProgress => self.lease.as_ref().map(|lease| lease.until),
            Status::Failed => self.retry_at,
            Status::Pending => self.pending_since,
            Status::Conflict
            | Status::DeadLetter
            | Status::Dismissed
            | Status::Deleted
            | Status::Synced => None,
        }
    }

    /// Whether the record may be claimed at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at().is_some_and(|due| due <= now)
    }

    /// What a push has to do.
    ///
    /// A deleted entity is deleted in the remote if it is known there or its create is in doubt. An
    /// entity that is not known is created, whatever failed before; any other is updated. A
    /// tombstone needs nothing.
    #[must_use]
    pub fn operation(&self) -> Operation {
        if self.is_tombstone() {
            return Operation::Nothing;
        }
        match (self.is_deleted(), self.is_known()) {
            (true, known) if known || self.in_doubt => Operation::Delete,
            (true, _) => Operation::Nothing,
            (false, true) => Operation::Update,
            (false, false) => Operation::Create,
        }
    }
}
