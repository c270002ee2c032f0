//! The stores that random sequences find something wrong with, and those that they cannot.

use std::future::{Ready, ready};
use std::sync::Arc;

use sync_tracker_conformance::{Differential, Played, Setup};

use crate::bug::Bug;
use crate::store::Store;

/// What random sequences cannot find, by the reason.
const HIDDEN: &[(&str, &[Bug])] = &[
    (
        "one call comes after the other",
        &[
            Bug::GuardsJudgedBeforehand,
            Bug::IdsCheckedBeforehand,
            Bug::ClaimsChosenBeforehand,
            Bug::ImportsCheckedBeforehand,
            Bug::RemovalsJudgedBeforehand,
            Bug::RenamedLater,
            Bug::HoldersReadBeforehand,
            Bug::RebindsCheckedBeforehand,
            Bug::IdsLetGoFirst,
            Bug::ReplaysJudgedBeforehand,
            Bug::RingReadBeforehand,
            Bug::ExpiredChosenBeforehand,
            Bug::PagesReadInTwo,
        ],
    ),
    ("no call is dropped", &[Bug::DroppedCallsTorn]),
    ("the clock is always that of the driver", &[Bug::ClockReadOnce]),
    (
        "of the few names no two are so alike",
        &[
            Bug::ClaimsAcrossSources,
            Bug::IdsNormalised,
            Bug::KeysTrimmed,
            Bug::KeysJoined,
            Bug::SourceCursorByPrefix,
            Bug::SourcesFolded,
        ],
    ),
    ("there are never so many", &[Bug::PagesCutShort, Bug::BatchesCutShort]),
    (
        "no text is so long",
        &[Bug::IdsCut, Bug::VersionsCut, Bug::MessagesCut, Bug::MetadataBounded],
    ),
    (
        "pages are compared all together, so one more that is empty is none",
        &[Bug::NextAfterTheLast],
    ),
    ("a claim is repeated with the limit that it had", &[Bug::GrantsUnlimited]),
];

fn opening(bug: Option<Bug>) -> impl Fn(Setup) -> Ready<Store> {
    let shared = Arc::default();
    move |setup| ready(Store::open(bug, setup, &shared))
}

/// The bugs that random sequences may find.
fn in_reach() -> Vec<Bug> {
    let hidden = |bug: &Bug| HIDDEN.iter().any(|(_, bugs)| bugs.contains(bug));
    Bug::ALL.iter().filter(|bug| !hidden(bug)).copied().collect()
}

/// Of the bugs in reach, which of them a few cases find is a matter of what is drawn; that nearly
/// all are found is not.
#[test]
fn random_sequences_find_nearly_all_that_they_may() {
    const CASES: u32 = 20;
    let play = |bug: Bug| {
        Differential::new(opening(Some(bug))).seed(1).shrinking(0).cases(CASES).play().err()
    };
    let bugs = in_reach();
    let (half, other) = bugs.split_at(bugs.len() / 2);
    let found = std::thread::scope(|scope| {
        let first = scope.spawn(|| half.iter().map(|bug| play(*bug)).collect::<Vec<_>>());
        let second: Vec<_> = other.iter().map(|bug| play(*bug)).collect();
        let mut found = first.join().expect("no panic");
        found.extend(second);
        found
    });
    for (bug, found) in bugs.iter().zip(&found) {
        match found {
            Some(found) => {
                println!("{}: case {}, step {}", bug.sentence(), found.case, found.step);
            }
            None => println!("{}: not in {CASES} cases", bug.sentence()),
        }
    }
    for (reason, bugs) in HIDDEN {
        println!("\n{reason}");
        bugs.iter().for_each(|bug| println!("    {}", bug.sentence()));
    }
    let caught = found.iter().flatten().count();
    println!("\n{caught} of {} in reach, {} in all", bugs.len(), Bug::ALL.len());
    assert!(caught * 10 >= bugs.len() * 8, "{caught} of {}", bugs.len());
}

#[test]
fn a_store_without_bug_is_not_blamed() {
    let Played { cases, steps } = Differential::new(opening(None)).seed(1).play().unwrap();
    assert_eq!(cases, 100);
    assert!(steps > 5_000);
}

#[test]
fn a_difference_is_shrunk_and_its_seed_repeats_it() {
    let wrong = || Differential::new(opening(Some(Bug::RenameUncounted)));
    let first = wrong().seed(1).play().unwrap_err();
    assert!(first.actions.len() < 6, "{first}");
    assert!(first.actions.last().is_some_and(|action| action.contains("Rename")), "{first}");
    let again = wrong().seed(first.seed).cases(1).play().unwrap_err();
    assert_eq!(
        (again.step, &again.actions, &again.found),
        (first.step, &first.actions, &first.found)
    );
    let told = first.to_string();
    assert!(told.contains(&format!("SYNC_TRACKER_SEED={:x}", first.seed)), "{told}");
    println!("{told}");
}

#[test]
fn a_panic_is_a_difference() {
    let open = |_: Setup| -> Ready<Store> { panic!("there is no server") };
    let divergence = Differential::new(open).shrinking(0).play().unwrap_err();
    assert_eq!(divergence.found, "panicked: there is no server");
}
