//! The two-way rehearsal in this process, and the program as a person runs it.

#![allow(clippy::expect_used)]

use std::process::Command;
use std::time::Duration;

use sync_tracker_examples::progress::Progress;
use sync_tracker_examples::rehearsal::{Plan, Report, rehearse};
use sync_tracker_examples::two_way::Weakness;

async fn run(seed: u64, weakness: Option<Weakness>) -> Report {
    let patience = Duration::from_secs(if weakness.is_some() { 10 } else { 60 });
    let plan = Plan { seed, products: 40, edits: 600, weakness, patience };
    rehearse(&plan, &Progress::new("editing")).await.expect("it runs to the end")
}

fn assert_good(report: &Report) {
    assert!(report.is_good(), "{report}\n{:#?}", report.verdict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_end_equal_and_nothing_is_lost() {
    for seed in 1..=4 {
        let report = run(seed, None).await;
        assert_good(&report);
        // Everything that may go wrong did.
        assert!(report.sent.lost > 0 && report.tally.duplicates > 0, "{report}");
        assert!(report.inbound.stale > 0 && report.tally.read > 0, "{report}");
        assert!(report.tally.by_field > 0 && report.tally.by_rule > 0, "{report}");
        assert!(report.tally.overtaken > 0 && report.tally.skipped > 0, "{report}");
        assert!(report.tally.deleted > 0 && report.tally.merged > 0, "{report}");
        assert!(report.tally.encountered > 0 && report.tally.adopted > 0, "{report}");
        let pulls = report.pulls;
        assert_eq!((pulls.cut_on_page, pulls.resumed_on_page), (2, 2), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_inbox_there_is_only_more_work() {
    let report = run(7, Some(Weakness::NoInbox)).await;
    assert_good(&report);
    assert_eq!(report.tally.duplicates, 0);
}

/// Whether the check finds that edits were lost, in one of a few runs.
async fn loses_edits(weakness: Weakness) -> bool {
    for seed in 1..=3 {
        let report = run(seed, Some(weakness)).await;
        if !report.is_good() && !report.verdict.lost.is_empty() {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blind_pushes_lose_edits_of_the_shop() {
    assert!(loses_edits(Weakness::BlindPushes).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_versions_late_events_undo_edits() {
    assert!(loses_edits(Weakness::NoVersions).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_that_always_wins_loses_edits_of_the_other() {
    assert!(loses_edits(Weakness::OursWins).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_products_and_no_edits_are_enough() {
    let plan =
        Plan { seed: 1, products: 2, edits: 0, weakness: None, patience: Duration::from_secs(60) };
    let report = rehearse(&plan, &Progress::new("editing")).await.expect("it runs");
    assert_good(&report);
    assert_eq!(report.verdict.products, 2);
}

#[test]
fn the_program_prints_the_tally_and_says_by_its_status_whether_all_is_well() {
    let program = || Command::new(env!("CARGO_BIN_EXE_two-way-shop"));
    let output = program().args(["--products", "20", "--edits", "100"]).output().expect("it runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.ends_with("both sides are equal, and nothing is lost\n"), "{stdout}");
    for row in ["pushes", "echoes", "duplicates", "conflicts", "full pulls", "lost"] {
        assert!(stdout.lines().any(|line| line.contains(row)), "{row}: {stdout}");
    }
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("editing: 100 of 100\n"), "plain lines of progress: {stderr}");

    let weak = ["--seed", "1", "--weak", "ours-wins", "--patience", "10"];
    let output = program().args(weak).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("two-way-shop: lost: "));
}
