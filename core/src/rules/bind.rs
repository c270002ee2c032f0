//! Binding: which external id is an entity's.

use crate::change::{
    Arm, Change, ExternalIdDemand, ExternalIdOp, FlagOp, Guard, InstantOp, Patch, RevisionOp,
};
use crate::key::ExternalId;

/// What may be there when an external id is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindMode {
    /// Nothing, or a record without external id. A record is made if there is none.
    Add,
    /// A record without external id. Refused if there is no record.
    Link,
    /// A record with this external id, which is let go.
    Rebind {
        /// The external id that the record must have.
        expected: ExternalId,
    },
}

/// Binds an external id to an entity in a source.
///
/// Repeating it changes nothing. A create in doubt is settled by it: the object was found. An
/// entity whose deletion is in the remote cannot be bound.
///
/// Refused if the record has another external id ([`AlreadyBound`](crate::Refusal::AlreadyBound),
/// on a rebind [`NotBoundTo`](crate::Refusal::NotBoundTo)), or if another entity of the type holds
/// it ([`ExternalIdTaken`](crate::Refusal::ExternalIdTaken)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The external id.
    pub external_id: ExternalId,
    /// What may be there.
    pub mode: BindMode,
}

impl Bind {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        let bound = Patch {
            external_id: ExternalIdOp::Set(self.external_id.clone()),
            sighted_at: InstantOp::Now,
            in_doubt: FlagOp::Clear,
            ..Patch::default()
        };
        let demand = match &self.mode {
            BindMode::Add | BindMode::Link => ExternalIdDemand::FreeOr(self.external_id.clone()),
            BindMode::Rebind { expected } => ExternalIdDemand::Is(expected.clone()),
        };
        let there = Guard { exists: Some(true), external_id: Some(demand), ..Guard::default() };
        let deletion_to_push = Arm {
            when: Guard { deleted: Some(true), dirty: Some(true), ..there.clone() },
            then: bound.clone(),
        };
        let live = Arm { when: Guard { deleted: Some(false), ..there }, then: bound.clone() };
        match &self.mode {
            BindMode::Add => Change::of([
                Arm {
                    when: Guard { exists: Some(false), ..Guard::default() },
                    then: Patch { revision: RevisionOp::Next, ..bound },
                },
                deletion_to_push,
                live,
            ]),
            BindMode::Link | BindMode::Rebind { .. } => Change::of([deletion_to_push, live]),
        }
    }
}
