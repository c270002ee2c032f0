//! Calls within a transaction of the caller.

use super::push::Once;
use super::{Tracker, local::SourceOutcome};
use crate::change::{Change, Outcome};
use crate::error::Result;
use crate::events::Transition;
use crate::key::Key;
use crate::store::TransactionalStore;

/// What a call did in a transaction that is not committed yet.
///
/// Events come after the write: [`publish`](Self::publish) this after the commit, and nobody hears of
/// it before. After a rollback, drop it: nothing has happened.
#[derive(Debug)]
#[must_use = "publish it after the commit, or nobody hears of what was done"]
pub struct Unpublished<A> {
    tracker: Tracker,
    answer: A,
    outcomes: Vec<Outcome>,
    event: Option<Transition>,
    once: Option<Once>,
}

impl<A> Unpublished<A> {
    /// The answer of the call: true once the transaction is committed.
    pub fn answer(&self) -> &A {
        &self.answer
    }

    /// Tells what happened, now that the transaction is committed.
    pub fn publish(self) -> A {
        let Self { tracker, answer, outcomes, event, once } = self;
        for outcome in &outcomes {
            let event = match &once {
                Some(once) => once.event(outcome, event),
                None => event,
            };
            tracker.tell(outcome, event);
        }
        answer
    }
}

/// What one call does to one record.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) key: Key,
    pub(super) change: Change,
    pub(super) event: Option<Transition>,
    /// If it is a report that may be made again.
    pub(super) once: Option<Once>,
}

impl Deed {
    pub(super) fn new(key: Key, change: Change, event: Option<Transition>) -> Self {
        Self { key, change, event, once: None }
    }

    pub(super) async fn carry_out(self, tracker: &Tracker) -> Result<Outcome> {
        let Self { key, change, event, once } = self;
        match once {
            Some(once) => once.apply(tracker, &key, change, event).await,
            None => tracker.apply(&key, &change, event).await,
        }
    }

    pub(super) async fn carry_out_in<S: TransactionalStore>(
        self,
        tracker: Tracker,
        store: &S,
        transaction: &mut S::Transaction<'_>,
    ) -> Result<Unpublished<Outcome>> {
        let Self { key, change, event, once } = self;
        let change = match &once {
            Some(once) => once.identify(change),
            None => change,
        };
        let applied = store.apply_in(transaction, &key, &change).await;
        let answer = applied.map_err(|error| error.for_key(&key))?;
        Ok(Unpublished { tracker, outcomes: vec![answer.clone()], answer, event, once })
    }
}

impl Unpublished<Vec<SourceOutcome>> {
    pub(super) fn of_sources(
        tracker: Tracker,
        answer: Vec<SourceOutcome>,
        event: Option<Transition>,
    ) -> Self {
        let outcomes = answer.iter().map(|one| one.outcome.clone()).collect();
        Self { tracker, answer, outcomes, event, once: None }
    }
}

/// Gives a call of the tracker its form within a transaction.
macro_rules! within {
    ($call:ty) => {
        impl $call {
            /// Makes this call within a transaction of your own, on the store that the tracker is
            /// over: what it does is committed with the rest, or not at all.
            ///
            /// Neither the deadline nor the retries of the tracker apply. After an error, roll back
            /// and begin anew.
            ///
            /// # Errors
            ///
            /// Those of the call itself, and of [`TransactionalStore::apply_in`]. Nothing of the
            /// call is in the transaction then.
            ///
            /// [`TransactionalStore::apply_in`]: crate::TransactionalStore::apply_in
            pub async fn within<S: crate::store::TransactionalStore>(
                self,
                store: &S,
                transaction: &mut S::Transaction<'_>,
            ) -> crate::error::Result<crate::tracker::Unpublished<crate::change::Outcome>> {
                let (tracker, deed) = self.deed()?;
                deed.carry_out_in(tracker, store, transaction).await
            }
        }
    };
}
pub(super) use within;
