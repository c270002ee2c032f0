//! The suites of an inbox and of checkpoints catch stores that are wrong: for each bug there is a
//! store that has just this one, and some behaviour fails on it. On the stores without a bug all
//! pass.
//!
//! ```console
//! $ cargo test --package sync-tracker-conformance --test seeded_side_store_bugs -- --nocapture
//! ```

#![allow(clippy::expect_used)] // all of it is a test

mod checkpoints;
mod inbox;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::thread;

use sync_tracker_conformance::{CHECKPOINT_BEHAVIOURS, INBOX_BEHAVIOURS};

/// Declares the bugs of one kind of store, each with what is wrong as a sentence.
macro_rules! bugs {
    ($($bug:ident = $sentence:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Bug {
            $($bug,)*
        }

        impl Bug {
            pub(crate) const ALL: &[Self] = &[$(Self::$bug,)*];

            pub(crate) fn sentence(self) -> &'static str {
                match self {
                    $(Self::$bug => stringify!($sentence),)*
                }
            }
        }
    };
}
pub(crate) use bugs;

#[test]
fn without_a_bug_every_behaviour_of_an_inbox_passes() {
    assert_eq!(inbox::failed(None), Vec::<&str>::new());
}

#[test]
fn without_a_bug_every_behaviour_of_checkpoints_passes() {
    assert_eq!(checkpoints::failed(None), Vec::<&str>::new());
}

#[test]
fn every_bug_of_an_inbox_is_caught() {
    let caught = inbox::Bug::ALL.iter().map(|bug| (bug.sentence(), inbox::failed(Some(*bug))));
    all_are_caught(caught, INBOX_BEHAVIOURS.len());
}

#[test]
fn every_bug_of_checkpoints_is_caught() {
    let bugs = checkpoints::Bug::ALL.iter();
    let caught = bugs.map(|bug| (bug.sentence(), checkpoints::failed(Some(*bug))));
    all_are_caught(caught, CHECKPOINT_BEHAVIOURS.len());
}

/// Prints which behaviours catch which bug. One thing is wrong, so not everything may fail.
fn all_are_caught(
    bugs: impl ExactSizeIterator<Item = (&'static str, Vec<&'static str>)>,
    behaviours: usize,
) {
    let all = bugs.len();
    let mut caught = 0;
    for (sentence, by) in bugs {
        println!("{sentence}: {}", by.join(", "));
        caught += usize::from(!by.is_empty());
        assert!(by.len() <= behaviours * 2 / 3, "{} behaviours fail though {sentence}", by.len());
    }
    println!("{caught} of {all} bugs are caught");
    assert_eq!(caught, all);
}

/// A behaviour, by its name, and what runs it on the stores of an opener.
pub(crate) type Case<F> = (&'static str, fn(F));

/// The names of the cases that fail.
pub(crate) fn failing<F>(cases: &[Case<F>], open: impl Fn() -> F) -> Vec<&'static str> {
    silence();
    let fails = |run: &fn(F)| panic::catch_unwind(AssertUnwindSafe(|| run(open()))).is_err();
    cases.iter().filter(|(_, run)| fails(run)).map(|(name, _)| *name).collect()
}

/// Keeps the panics of behaviours off the terminal: they are what is asked for.
fn silence() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let show = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let name = thread.name().unwrap_or_default();
            // A behaviour runs in a thread of its name, and what it spawns in those of tokio.
            let expected = INBOX_BEHAVIOURS.contains(&name)
                || CHECKPOINT_BEHAVIOURS.contains(&name)
                || name.starts_with("tokio-");
            if !expected {
                show(panic);
            }
        }));
    });
}
