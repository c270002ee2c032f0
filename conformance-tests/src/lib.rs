//! The behaviours that every store of sync-tracker has, as one test each: for our stores, and for
//! yours.
//!
//! The whole `tests/conformance.rs` of a store:
//!
//! ```
//! use sync_tracker_conformance::Setup;
//! use sync_tracker_memory::MemoryStore;
//!
//! async fn store(setup: Setup) -> MemoryStore {
//!     MemoryStore::with_clock(setup.clock)
//! }
//!
//! sync_tracker_conformance::suite!(store);
//! ```
//!
//! Each test opens the store on a namespace of its own, by the clock that it is given, and runs on
//! a tokio runtime of its own for 30 seconds at most, so tests run in parallel and leftovers of one
//! do not reach another. A store that has something to clean up returns [`Guarded`].
//!
//! A store that needs a server passes its condition on, and every test is *ignored* by name where
//! it does not hold, never passed:
//!
//! ```
//! # use sync_tracker_conformance::Setup;
//! # use sync_tracker_memory::MemoryStore;
//! # async fn store(setup: Setup) -> MemoryStore { MemoryStore::with_clock(setup.clock) }
//! sync_tracker_conformance::suite!(store, #[ignore = "needs MY_SERVER_URL"]);
//! ```
//!
//! In most races 16 tasks meet, in 20 rounds. Two claimers compete for one expired lease 1,000 times;
//! `SYNC_TRACKER_CONTESTS=10000` in the environment makes it 10,000, two calls each, which a store
//! has to answer within those 30 seconds.
//!
//! An inbox and checkpoints have suites of their own, [`inbox_suite!`] and [`checkpoint_suite!`], and
//! so have changes in a transaction of the caller, [`transaction_suite!`].
//!
//! [`differential!`] makes one test more, of random sequences that are compared with the reference.
//!
//! For what a store has to try by itself there are [`FaultProxy`], which breaks the connection to
//! a server and counts round trips, and [`dropped_after`], which drops a call half-way; for what
//! calls stores there is [`FaultyStore`]; for what concurrent callers see, [`HistoryRecorder`].
//!
//! New behaviours come with minor releases: a store that was wrong starts to fail.

// Tests that happen to be a library: they may panic, and each runs on a thread of its own.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::future_not_send)]

#[doc(hidden)]
pub mod behaviours;
mod cancel;
#[doc(hidden)]
pub mod checkpoints;
mod differential;
mod environment;
mod faulty;
mod faulty_side_stores;
mod ground;
mod history;
#[doc(hidden)]
pub mod inbox;
mod list;
mod proxy;
mod run;
mod side_stores;
mod sweep;
#[doc(hidden)]
pub mod transactions;

pub use self::cancel::dropped_after;
pub use self::differential::{Differential, Divergence, Played};
pub use self::faulty::{Fault, FaultRates, FaultyStore};
pub use self::ground::{Fixture, Ground, Guarded, Setup};
pub use self::history::{Call, HistoryRecorder, NotLinearizable};
pub use self::proxy::{Armed, Direction, FaultProxy, Trigger, WireCounts, WireFault};
#[doc(hidden)]
pub use self::run::run;
pub use self::side_stores::SideStoreFixture;
pub use self::transactions::{TransactionOf, TransactionalFixture};

/// The names of all behaviours, which are the names of the tests that [`suite!`] makes.
pub const BEHAVIOURS: &[&str] = with_behaviours!(names);

/// The names of all behaviours of an inbox, which are the names of the tests that [`inbox_suite!`]
/// makes.
pub const INBOX_BEHAVIOURS: &[&str] = with_inbox_behaviours!(listed_names);

/// The names of all behaviours of checkpoints, which are the names of the tests that
/// [`checkpoint_suite!`] makes.
pub const CHECKPOINT_BEHAVIOURS: &[&str] = with_checkpoint_behaviours!(listed_names);

/// The names of all behaviours of changes in a transaction of the caller, which are the names of the
/// tests that [`transaction_suite!`] makes.
pub const TRANSACTION_BEHAVIOURS: &[&str] = with_transaction_behaviours!(listed_names);
