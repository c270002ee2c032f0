//! Keeps our products and those of a shop in step, while people edit on both sides, and shows that
//! both end equal and nothing is lost.
//!
//! Webhooks arrive late, out of order and twice, or not at all; a full pull is cut in the middle and
//! resumed. At the end both databases are compared with each other and with a journal of all edits.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sync_tracker_examples::progress::Progress;
use sync_tracker_examples::rehearsal::{Plan, Report, rehearse};
use sync_tracker_examples::two_way::Weakness;

/// Keep our products and those of a shop in step, both ways, and check that nothing is lost.
///
/// The shop is a real HTTP server inside this program, and so is the receiver of its webhooks.
#[derive(Debug, Parser)]
#[command(name = "two-way-shop", version)]
struct Args {
    /// What chance is made of: which edits are made, and what becomes of webhooks.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How many products there are at first, half of them made by each side.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    products: u32,

    /// How many edits are made, half of them by each side.
    #[arg(long, default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    edits: u32,

    /// Leave out a safeguard, to see what it is good for.
    #[arg(long, value_name = "SAFEGUARD")]
    weak: Option<Weakness>,

    /// How long both sides may take to agree after the last edit, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    patience: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { seed, products, edits, weak, patience } = Args::parse();
    let patience = Duration::from_secs(patience);
    let plan = Plan { seed, products, edits, weakness: weak, patience };
    match rehearse(&plan, &Progress::new("editing")).await {
        Ok(report) => told(&report),
        Err(failure) => {
            eprintln!("two-way-shop: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn told(report: &Report) -> ExitCode {
    println!("{report}");
    if report.is_good() {
        println!("both sides are equal, and nothing is lost");
        return ExitCode::SUCCESS;
    }
    let verdict = &report.verdict;
    if !verdict.at_rest {
        eprintln!("two-way-shop: the sides did not come to rest");
    }
    let problems = [
        ("different", &verdict.different),
        ("lost", &verdict.lost),
        ("twice", &verdict.duplicates),
    ];
    for (problem, cases) in problems {
        for case in cases.iter().take(10) {
            eprintln!("two-way-shop: {problem}: {case}");
        }
    }
    ExitCode::FAILURE
}
