//! The stores that random sequences find something wrong with, and those that they cannot.

use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};

use sync_tracker_conformance::{Differential, Divergence, Played, Setup};

use crate::bug::{Bug, with_bugs};
use crate::store::Store;

/// What random sequences do not find, by the reason. All else they find.
const MISSED: &[(&str, &[Bug])] = &[
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
    (
        "it takes hundreds of cases",
        &[Bug::RenameTakesIds, Bug::MetadataFilterLoose, Bug::TombstonesNotRenamed],
    ),
];

/// The cases that a bug must outlive to count as missed. All would take long, and find no more.
const MISSED_CASES: u32 = 5;

fn opening(bug: Option<Bug>) -> impl Fn(Setup) -> Ready<Store> {
    let shared = Arc::default();
    move |setup| ready(Store::open(bug, setup, &shared))
}

fn reason_to_miss(bug: Bug) -> Option<&'static str> {
    MISSED.iter().find(|(_, bugs)| bugs.contains(&bug)).map(|(reason, _)| *reason)
}

/// What random sequences find, always the same ones.
fn found(bug: Bug) -> Option<&'static Divergence> {
    static FOUND: [OnceLock<Option<Divergence>>; Bug::ALL.len()] =
        [const { OnceLock::new() }; Bug::ALL.len()];
    let play = || {
        let all = Differential::new(opening(Some(bug))).seed(1).shrinking(0);
        let played = if reason_to_miss(bug).is_some() { all.cases(MISSED_CASES) } else { all };
        played.play().err()
    };
    FOUND[bug as usize].get_or_init(play).as_ref()
}

fn is_as_expected(bug: Bug) {
    match (found(bug), reason_to_miss(bug)) {
        (None, None) => panic!("random sequences do not find that {}", bug.sentence()),
        (Some(found), Some(reason)) => panic!("not missed, though {reason}: {found}"),
        _ => {}
    }
}

macro_rules! tests {
    ($($bug:ident = $sentence:ident,)*) => {
        mod random_sequences_find_or_miss_that {
            use super::{Bug, is_as_expected};

            $(#[test]
            fn $sentence() {
                is_as_expected(Bug::$bug);
            })*
        }
    };
}
with_bugs!(tests);

#[test]
fn the_table_of_random_sequences() {
    for bug in Bug::ALL {
        match (found(*bug), reason_to_miss(*bug)) {
            (Some(found), _) => {
                println!("{}: case {}, step {}", bug.sentence(), found.case, found.step);
            }
            (None, reason) => println!("{}: missed, {}", bug.sentence(), reason.unwrap_or("?")),
        }
    }
    let caught = Bug::ALL.iter().filter(|bug| found(**bug).is_some()).count();
    let missed: usize = MISSED.iter().map(|(_, bugs)| bugs.len()).sum();
    println!("\nrandom sequences catch {caught} of {} bugs", Bug::ALL.len());
    assert_eq!(caught + missed, Bug::ALL.len());
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
