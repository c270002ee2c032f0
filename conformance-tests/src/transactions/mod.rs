//! The behaviours of changes in a transaction of the caller: the list of them, and what is made of
//! it.

#![allow(missing_docs)] // the names are the sentences

pub mod behaviours;

use std::future::Future;
use std::sync::Arc;

use sync_tracker_core::{StoreClock, SyncStore, Tracker, TransactionalStore};

use crate::ground::{Setup, namespace};
use crate::run::within_limit;

/// The transaction of a fixture.
pub type TransactionOf<'t, F> =
    <<F as TransactionalFixture>::Store as TransactionalStore>::Transaction<'t>;

/// What the suite of transactions stands on: a store, and an application with a table of its own in
/// the same database.
pub trait TransactionalFixture: Send + Sync + 'static {
    /// The store.
    type Store: TransactionalStore;

    /// Whether a transaction waits for another one that changes the same record. If not, its change
    /// may be told [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable), and it is begun anew.
    const WAITS: bool = true;

    /// The store.
    fn store(&self) -> Arc<Self::Store>;

    /// Begins a transaction on a connection of the application.
    fn begin(&self) -> impl Future<Output = TransactionOf<'static, Self>> + Send;

    /// Commits a transaction.
    fn commit(&self, transaction: TransactionOf<'static, Self>) -> impl Future<Output = ()> + Send;

    /// Rolls a transaction back.
    fn roll_back(
        &self,
        transaction: TransactionOf<'static, Self>,
    ) -> impl Future<Output = ()> + Send;

    /// Writes a row into the table of the application.
    fn write_row(
        &self,
        transaction: &mut TransactionOf<'static, Self>,
        row: i64,
    ) -> impl Future<Output = ()> + Send;

    /// The rows of the application that are committed, in order.
    fn rows(&self) -> impl Future<Output = Vec<i64>> + Send;
}

/// A fresh store and an application beside it.
#[derive(Debug)]
pub struct TransactionGround<F: TransactionalFixture> {
    pub(crate) application: Arc<F>,
    pub(crate) store: Arc<F::Store>,
    pub(crate) tracker: Tracker,
}

impl<F: TransactionalFixture> TransactionGround<F> {
    /// Checks that every index agrees with the records.
    pub(crate) async fn is_sound(&self) {
        assert_eq!(self.store.verify().await.expect("the store is verified"), []);
    }
}

/// Runs a behaviour on a fresh store: in a thread and on a runtime of its own, within the limit.
pub fn run<S, O, F, B, R>(name: &'static str, open: S, behaviour: B)
where
    S: Fn(Setup) -> O + Send + 'static,
    O: Future<Output = F>,
    F: TransactionalFixture,
    B: FnOnce(TransactionGround<F>) -> R + Send + 'static,
    R: Future<Output = ()>,
{
    within_limit(name, async move || {
        let setup = Setup { namespace: namespace(name), clock: StoreClock::Server };
        let application = Arc::new(open(setup).await);
        let store = application.store();
        let tracker = Tracker::new(Arc::clone(&store));
        let tracker = tracker.with_sources("product", ["shop"]).expect("names");
        behaviour(TransactionGround { application, store, tracker }).await;
    });
}

/// Gives the list to a maker: `listed_tests` or `listed_names`.
#[doc(hidden)]
#[macro_export]
macro_rules! with_transaction_behaviours {
    ($maker:ident $($arguments:tt)*) => {
        $crate::$maker! {
            $($arguments)*
            a_commit_keeps_the_record_and_the_row,
            a_rollback_leaves_no_trace_and_tells_nobody,
            a_transaction_that_is_dropped_leaves_no_trace,
            events_are_told_when_they_are_published,
            a_taken_external_id_leaves_the_transaction_usable,
            a_transaction_sees_its_own_changes,
            a_change_repeated_in_a_transaction_is_applied_once,
            a_push_is_completed_with_the_row_it_is_about,
            two_transactions_on_one_record_come_one_after_the_other,
            a_call_dropped_at_any_poll_is_whole_or_not_in_the_transaction,
        }
    };
}

/// Makes one test per behaviour of changes in a transaction of the caller.
///
/// `transaction_suite!(factory)`, where `factory` is an `async fn(Setup)` that returns a
/// [`TransactionalFixture`](crate::TransactionalFixture); then attributes, as with
/// [`suite!`](crate::suite).
#[macro_export]
macro_rules! transaction_suite {
    ($factory:expr $(, $(#[$attribute:meta])+)? $(,)?) => {
        $crate::with_transaction_behaviours! {
            listed_tests transactions, $factory, [$($(#[$attribute])+)?]
        }
    };
}
