//! The suite catches stores that are wrong: for each bug there is a store that has just this one,
//! and some behaviour fails on it. On the store without a bug all pass.
//!
//! Which behaviours catch which bug, and which are the only ones to catch one:
//!
//! ```console
//! $ cargo test --package sync-tracker-conformance --test seeded_bugs -- --nocapture the_table
//! ```
//!
//! The same stores show what random sequences catch, and what they cannot.

#![allow(clippy::expect_used)] // all of it is a test

mod bug;
mod change;
mod claim;
mod effect;
mod fast;
mod ids;
mod inbound;
mod kept;
mod key;
mod matrix;
mod racing;
mod random;
mod records;
mod store;
mod stored;
mod version;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use sync_tracker_conformance::BEHAVIOURS;

use crate::bug::{Bug, with_bugs};
use crate::kept::KEPT;

#[test]
fn without_a_bug_every_behaviour_passes() {
    let failed = matrix::failed(None);
    let failed: Vec<_> = failed.iter().map(|one| (one.behaviour, &one.message)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// How many behaviours may fail on a bug: it is one thing that is wrong, so a tenth of them.
fn at_most(bug: Bug) -> usize {
    let few = BEHAVIOURS.len() / 10;
    match bug {
        // Whatever sees a refusal looks that it had no effect.
        Bug::RefusalsRemembered => few * 2,
        // Attempts are part of nearly all that is told of claims and failures.
        Bug::AttemptsDoubled => few * 2,
        // Whoever repeats a call after another meets them.
        Bug::RingOfOne | Bug::ArmsUntold => few * 2,
        // The clock is moved by milliseconds in every area.
        Bug::InstantsInSeconds => few * 2,
        _ => few,
    }
}

fn is_caught(bug: Bug) {
    let caught = matrix::caught(bug);
    for one in caught {
        println!("{}: {}", one.behaviour, one.message.lines().next().unwrap_or_default());
    }
    assert!(!caught.is_empty(), "no behaviour fails though {}", bug.sentence());
    assert!(caught.len() <= at_most(bug), "{} behaviours fail", caught.len());
}

macro_rules! tests {
    ($($bug:ident = $sentence:ident,)*) => {
        mod a_store_is_caught_when {
            use super::{Bug, is_caught};

            $(#[test]
            fn $sentence() {
                is_caught(Bug::$bug);
            })*
        }
    };
}
with_bugs!(tests);

/// Behaviours that drop calls compare whole stores with the reference, so they catch a little of
/// everything. Who else is the only one to catch a bug is judged without them; what they alone
/// catch is in `tests/cancellation`.
fn drops_calls(behaviour: &str) -> bool {
    behaviour.contains("_dropped_at_any_poll_")
}

/// The behaviours that catch a bug, but for those that drop calls.
fn catchers(bug: Bug) -> Vec<&'static str> {
    let caught = matrix::caught(bug).iter().map(|one| one.behaviour);
    caught.filter(|behaviour| !drops_calls(behaviour)).collect()
}

/// The behaviours that are the only one to catch one of the bugs.
fn only_ones(bugs: impl Iterator<Item = Bug>) -> BTreeSet<&'static str> {
    let one = |bug| match catchers(bug).as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    bugs.filter_map(one).collect()
}

#[test]
fn each_behaviour_is_the_only_one_to_catch_a_bug_or_says_why_it_is_kept() {
    let kept: BTreeMap<_, _> = KEPT.iter().copied().collect();
    assert_eq!(kept.len(), KEPT.len(), "one reason for each");
    let only = only_ones(Bug::ALL.iter().copied());
    let needless: Vec<_> = BEHAVIOURS
        .iter()
        .filter(|behaviour| !only.contains(*behaviour) && !kept.contains_key(*behaviour))
        .filter(|behaviour| !drops_calls(behaviour))
        .collect();
    assert!(needless.is_empty(), "no bug of their own, and no reason: {needless:#?}");
    // Who else catches a race may differ from run to run, so a reason may stand beside one.
    let certain = only_ones(Bug::ALL.iter().copied().filter(|bug| !bug.is_a_race()));
    let idle: Vec<_> = kept
        .keys()
        .filter(|behaviour| certain.contains(*behaviour) || !BEHAVIOURS.contains(*behaviour))
        .collect();
    assert!(idle.is_empty(), "reasons that are not needed, or of no behaviour: {idle:#?}");
}

#[test]
fn the_table_of_bugs_and_behaviours() {
    let mut only: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for bug in Bug::ALL {
        let caught: Vec<_> = matrix::caught(*bug).iter().map(|one| one.behaviour).collect();
        println!("{}: {}\n    {}", bug.sentence(), caught.len(), caught.join("\n    "));
        if let [behaviour] = catchers(*bug).as_slice() {
            only.entry(behaviour).or_default().push(bug.sentence());
        }
    }
    println!("\nthe only ones to catch some bug: {} of {}", only.len(), BEHAVIOURS.len());
    for (behaviour, bugs) in &only {
        println!("{behaviour}\n    {}", bugs.join("\n    "));
    }
    let caught = Bug::ALL.iter().filter(|bug| !matrix::caught(**bug).is_empty()).count();
    println!("\n{caught} of {} bugs are caught", Bug::ALL.len());
    assert_eq!(caught, Bug::ALL.len());
}
