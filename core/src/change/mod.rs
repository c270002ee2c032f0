//! The one thing that writes: a value that says what to demand of a record and what to do to it.

mod apply;
mod carry_out;
mod guard;
mod outcome;
mod patch;
mod shape;

pub use self::guard::{ExternalIdDemand, Guard, RemoteDemand};
pub use self::outcome::{Applied, Demand, NotNewer, Outcome, Refusal, Refused};
pub use self::patch::{
    AliasesOp, AttemptsOp, ConflictOp, EchoesOp, ExternalIdOp, FactOp, FailureOp, FlagOp, HeldOp,
    IncarnationOp, InstantOp, LeaseOp, MetadataOp, Patch, RetryOp, RetryTable, RevisionOp,
    SyncedAtOp, SyncedRevisionOp,
};
pub use self::shape::{ArmShape, Shape};

use crate::error::Error;
use crate::ids::ChangeId;

/// One case of a change: what to do to the record when the guard holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arm {
    /// What is demanded of the record.
    pub when: Guard,
    /// What is done to it.
    pub then: Patch,
}

/// What to do to one record, as data.
///
/// The first arm whose guard holds is applied; if none holds the change is refused. What that
/// means is [`apply_to`](Self::apply_to), and every store does exactly that, in one atomic step.
/// Everything conditional is an arm, and the number of the arm that was applied comes back with
/// the answer.
///
/// ```
/// use sync_tracker_core::{Arm, Change, Guard, Outcome, Key, Patch, RevisionOp, Timestamp};
///
/// let touch = Change::new([Arm {
///     when: Guard { deleted: Some(false), ..Guard::default() },
///     then: Patch { revision: RevisionOp::Next, ..Patch::default() },
/// }])?;
/// let key = Key::new("shopify", "product", 42)?;
/// let Outcome::Applied(applied) = touch.apply_to(&key, None, Timestamp::now()) else { panic!() };
/// assert_eq!(applied.record.revision.get(), 1);
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    id: ChangeId,
    arms: Vec<Arm>,
}

impl Change {
    /// The most arms that a change may have.
    pub const MAX_ARMS: usize = 4;

    /// A change with a new id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) unless there are 1 to 4 arms.
    pub fn new(arms: impl Into<Vec<Arm>>) -> Result<Self, Error> {
        let arms = arms.into();
        if !(1..=Self::MAX_ARMS).contains(&arms.len()) {
            return Err(Error::invalid("arms", format!("are {}", arms.len()), "1 to 4"));
        }
        Ok(Self { id: ChangeId::random(), arms })
    }

    /// A change of the rules, whose arms are 1 to 4 as they stand in the code.
    pub(crate) fn of<const N: usize>(arms: [Arm; N]) -> Self {
        const { assert!(1 <= N && N <= Self::MAX_ARMS) };
        Self { id: ChangeId::random(), arms: arms.into() }
    }

    /// A change of a rule that has 1 to 4 cases, by what it is told.
    pub(crate) fn of_cases(arms: Vec<Arm>) -> Self {
        debug_assert!((1..=Self::MAX_ARMS).contains(&arms.len()), "{} arms", arms.len());
        Self { id: ChangeId::random(), arms }
    }

    /// The same change under another id.
    #[must_use]
    pub fn with_id(self, id: ChangeId) -> Self {
        Self { id, ..self }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> ChangeId {
        self.id
    }

    /// The arms, in the order in which they are tried; never none.
    #[must_use]
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }
}
