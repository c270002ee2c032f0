//! What became of a change.

use std::fmt;

use crate::key::{EntityRef, ExternalId};
use crate::record::SyncRecord;

/// The answer to a change. A refusal is an answer too, and had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused change had no effect"]
#[allow(clippy::large_enum_variant)] // both variants carry a record in nearly every case
pub enum Outcome {
    /// The change is in the record.
    Applied(Applied),
    /// The change had no effect.
    Refused(Refused),
}

/// A change that is in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The record as it stands.
    pub record: SyncRecord,
    /// The arm that was applied, from 0. Known for a replay only while no other change followed.
    pub arm: Option<u8>,
    /// Whether an earlier call had applied it, and this one only says so.
    pub replayed: bool,
}

/// A change that had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Refusal,
    /// The record as it stands, if there is one.
    pub record: Option<SyncRecord>,
}

impl Outcome {
    /// The record as it stands, if there is one.
    #[must_use]
    pub fn record(&self) -> Option<&SyncRecord> {
        match self {
            Self::Applied(applied) => Some(&applied.record),
            Self::Refused(refused) => refused.record.as_ref(),
        }
    }

    /// Whether the change is in the record.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        matches!(self, Self::Applied(_))
    }

    /// Why the change had no effect, if it had none.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Applied(_) => None,
            Self::Refused(refused) => Some(&refused.reason),
        }
    }

    /// Splits into what was applied and what was refused, for use with `?`.
    ///
    /// # Errors
    ///
    /// The refusal.
    #[allow(clippy::result_large_err)] // both sides carry a record
    pub fn into_result(self) -> Result<Applied, Refused> {
        match self {
            Self::Applied(applied) => Ok(applied),
            Self::Refused(refused) => Err(refused),
        }
    }
}

/// Why a change had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no record.
    Absent,
    /// There is a record already.
    AlreadyExists,
    /// The record was written since.
    VersionMismatch,
    /// The entity was changed locally since.
    RevisionMoved,
    /// The report is about an earlier life of the key.
    StaleIncarnation,
    /// The lease is not the caller's any more.
    LeaseLost,
    /// It is not due.
    NotDue,
    /// The entity is deleted.
    Deleted,
    /// The entity is not deleted.
    NotDeleted,
    /// The record has another external id.
    AlreadyBound {
        /// That one.
        to: ExternalId,
    },
    /// Another entity of this type holds the external id in this source.
    ExternalIdTaken {
        /// The external id.
        id: ExternalId,
        /// The holder; `None` if it let go of the id before it could be asked for.
        by: Option<EntityRef>,
    },
    /// The record has [as many aliases](SyncRecord::MAX_ALIASES) as it may have.
    TooManyAliases,
    /// The record has not got the external id that the caller expected.
    NotBoundTo {
        /// The one that it has.
        actual: Option<ExternalId>,
    },
    /// The remote side moved on.
    RemoteMoved,
    /// What was observed is no news.
    NotNewer {
        /// How it stands to what is known.
        why: NotNewer,
    },
    /// A conflict is open.
    ConflictOpen,
    /// No conflict is open.
    NoConflict,
    /// It was not taken out of the queue.
    NotHeld,
    /// The tracking rules do not track this.
    Ignored,
    /// Another demand of the guard does not hold: one that only tells cases apart in the rules,
    /// and that a change of the caller's own may make.
    Unmet {
        /// That demand.
        demand: Demand,
    },
}

/// How an observed remote version or content stands to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotNewer {
    /// It is the same.
    Same,
    /// It is older.
    Stale,
    /// There is no telling.
    Unordered,
}

/// A demand of a [`Guard`](super::Guard) without a refusal of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// No lease was to be recorded.
    Leased,
    /// It was not to be held.
    Held,
    /// It was not to be due.
    Due,
    /// It was to be dirty, or not.
    Dirty,
    /// It was to be known in the remote, or not.
    Known,
    /// A create was to be in doubt, or not.
    InDoubt,
    /// More attempts were to be charged.
    AttemptsAtLeast,
    /// The synced revision was to be higher.
    SyncedAbove,
    /// The content was to be an expected echo.
    Echo,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is no record"),
            Self::AlreadyExists => f.write_str("there is a record already"),
            Self::VersionMismatch => f.write_str("the record was written since"),
            Self::RevisionMoved => f.write_str("the entity was changed locally since"),
            Self::StaleIncarnation => f.write_str("the report is about an earlier incarnation"),
            Self::LeaseLost => f.write_str("the lease was lost"),
            Self::NotDue => f.write_str("it is not due"),
            Self::Deleted => f.write_str("the entity is deleted"),
            Self::NotDeleted => f.write_str("the entity is not deleted"),
            Self::AlreadyBound { to } => write!(f, "it is bound to external id {to} already"),
            Self::ExternalIdTaken { id, by: Some(by) } => {
                write!(f, "external id {id} is taken by {by}")
            }
            Self::ExternalIdTaken { id, by: None } => write!(f, "external id {id} was taken"),
            Self::TooManyAliases => f.write_str("it has as many aliases as it may have"),
            Self::NotBoundTo { actual: Some(actual) } => {
                write!(f, "it is bound to external id {actual}")
            }
            Self::NotBoundTo { actual: None } => f.write_str("it is bound to no external id"),
            Self::RemoteMoved => f.write_str("the remote side moved on"),
            Self::NotNewer { why } => f.write_str(match why {
                NotNewer::Same => "it is no news: the same",
                NotNewer::Stale => "it is no news: older",
                NotNewer::Unordered => "there is no telling whether it is newer",
            }),
            Self::ConflictOpen => f.write_str("a conflict is open"),
            Self::NoConflict => f.write_str("no conflict is open"),
            Self::NotHeld => f.write_str("it was not taken out of the queue"),
            Self::Ignored => f.write_str("the tracking rules do not track this"),
            Self::Unmet { demand } => write!(f, "the demand {demand:?} does not hold"),
        }
    }
}
