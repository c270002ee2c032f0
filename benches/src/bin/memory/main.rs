//! Measures the memory store: times of single calls and how they grow, memory, and writers at once.
//!
//! Beside it runs the least that keeps records at all, a map behind a lock. Ratios to that and
//! between sizes hold on any machine; the nanoseconds hold on this one.

mod plain;
mod single;
mod writers;

use std::process::ExitCode;

use clap::Parser;
use sync_tracker_benches::Failure;
use sync_tracker_benches::harness::median;
use sync_tracker_benches::population::Population;
use sync_tracker_benches::table::{Table, figure, ratio};
use sync_tracker_core::RecentChanges;
use tokio::runtime::{Builder, Runtime};

use self::plain::PlainMap;
use self::single::{LARGE_CLAIM, Subject};

/// Measures the memory store beside a plain map behind a lock.
#[derive(Debug, Parser)]
struct Args {
    /// How often each case is run; the medians are shown.
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// The largest number of records; smaller ones are a tenth and a hundredth of it.
    #[arg(long, default_value_t = 1_000_000, value_parser = at_least_a_million)]
    records: usize,
}

/// The cases of single calls, what of the plain map each is compared with, and the target in
/// nanoseconds at the smallest size.
const CASES: [(&str, &str, &str); 6] = [
    ("get", "plain get", "300 ns"),
    ("by_external_id", "plain get", ""),
    ("apply: updated", "plain insert", "1500 ns"),
    ("apply: mark synced", "plain insert", "1500 ns"),
    ("claim(1) and complete", "plain insert", ""),
    ("claim(100)", "", "growth 1.5"),
];

fn at_least_a_million(text: &str) -> Result<usize, String> {
    let records = text.parse::<usize>().map_err(|error| error.to_string())?;
    if records < 1_000_000 {
        return Err("1,000,000 or more, so that a claim finds enough at a hundredth".to_owned());
    }
    Ok(records)
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("memory: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let sizes = [args.records / 100, args.records / 10, args.records];
    println!("median of {} rounds, in turns; ns per call", args.rounds);
    println!("{}", single_calls(args, sizes)?);
    println!("million changes per second, at {} records", sizes[0]);
    println!("{}", several_writers(args, sizes[0])?);
    Ok(())
}

fn single_calls(args: &Args, sizes: [usize; 3]) -> Result<Table, Failure> {
    let runtime = runtime()?;
    // The largest first: memory that a smaller one frees would be taken again unseen.
    let subject = |size| -> Result<Subject, Failure> {
        runtime.block_on(Subject::new(Population::new(size, RecentChanges::CAPACITY)?))
    };
    let [large, middle, small] = [subject(sizes[2])?, subject(sizes[1])?, subject(sizes[0])?];
    let mut subjects = [small, middle, large];
    for subject in &mut subjects {
        subject.fill_plain_map()?;
    }
    for _ in 0..args.rounds {
        for subject in &mut subjects {
            runtime.block_on(subject.round())?;
        }
    }

    let [small, middle, large] = sizes.map(|size| size.to_string());
    let mut table = Table::new(["", &small, &middle, &large, "growth", "to plain", "target"]);
    let medians =
        |case: &str| subjects.each_ref().map(|subject: &Subject| subject.samples.median(case));
    let mut row = |name: &str, values: [Option<f64>; 3], base: &str, target: &str| {
        let growth = figure(ratio(values[2], values[0]));
        let to_plain = figure(ratio(values[0], medians(base)[0]));
        let [small, middle, large] = values.map(figure);
        table.row([name.to_owned(), small, middle, large, growth, to_plain, target.to_owned()]);
    };
    for (case, base, target) in CASES {
        row(case, medians(case), base, target);
    }
    #[allow(clippy::cast_precision_loss)] // it is 100
    let per_record = |nanos: f64| nanos / LARGE_CLAIM as f64;
    let claim = medians("claim(100)").map(|nanos| nanos.map(per_record));
    row("claim(100), per record", claim, "plain insert", "");
    for case in ["making the change: updated", "plain get", "plain insert"] {
        row(case, medians(case), "", "");
    }
    let bytes = subjects.each_ref().map(|subject| Some(subject.bytes_per_record));
    row("bytes per record", bytes, "", "");
    Ok(table)
}

fn several_writers(args: &Args, size: usize) -> Result<Table, Failure> {
    let population = Population::new(size, RecentChanges::CAPACITY)?;
    let store = runtime()?.block_on(single::filled(&population))?;
    let map = PlainMap::default();
    let mut table = Table::new(["writers", "store", "plain", "store to plain", "to one writer"]);
    let mut alone = None;
    for writers in [1, 2, 4, 8] {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            ours.push(writers::store(&store, &population, writers)?);
            plain.push(writers::plain(&map, &population, writers)?);
        }
        let (ours, plain) = (median(&ours), median(&plain));
        alone = alone.or(ours);
        let cells = [ours, plain, ratio(ours, plain), ratio(ours, alone)].map(figure);
        table.row([vec![writers.to_string()], cells.to_vec()].concat());
    }
    Ok(table)
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().build()?)
}
