//! Measures a store beside code written by hand, and how its calls grow with the number of records.
//!
//! Ratios between what ran in turns hold on any machine; the figures hold on this one.

mod field;
mod memory;
mod mongo;
mod postgres;
mod redis;
mod sqlite;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io, thread};

use clap::{Parser, ValueEnum};
use serde_json::json;
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Figures, Lengths, contest};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::report;
use sync_tracker_benches::workload::{Operation, Workload, growing, workloads};
use tokio::runtime::Builder;

use self::field::Field;

/// Measures a store beside code written by hand against the same database.
#[derive(Debug, Parser)]
struct Args {
    /// Which store.
    store: Store,
    /// How many records there are when they are compared.
    #[arg(long, default_value_t = 100_000, value_parser = at_least_a_thousand)]
    records: usize,
    /// How many records there are when growth is measured, smallest first.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10000,100000,1000000",
        value_parser = at_least_a_thousand
    )]
    growth: Vec<usize>,
    /// How many recent changes each record remembers when growth and size are measured.
    #[arg(long, default_value_t = 1, value_parser = 1..=16)]
    recent: i64,
    /// How many callers make single calls at the same time.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    callers: Vec<usize>,
    /// Sends single calls together, with so many on their way at once (stores with a server).
    #[arg(long)]
    grouped: Option<usize>,
    /// How many records a batch has.
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Only these operations.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Operation>,
    /// How often each case is run; medians are shown. 9, or 3 if it is to be quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// How many milliseconds one run of a case lasts. 250, or 60 if it is to be quick.
    #[arg(long)]
    millis: Option<u64>,
    /// A first look.
    #[arg(long)]
    quick: bool,
    /// Compare only, and do not measure growth.
    #[arg(long)]
    no_growth: bool,
    /// Where databases are made, in a folder that is removed afterwards.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Writes the results to this file as JSON, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Store {
    Memory,
    /// On the replica set that SYNC_TRACKER_MONGO_URL names, in databases of its own.
    Mongo,
    /// On the server that SYNC_TRACKER_POSTGRES_URL names, in schemas of its own.
    Postgres,
    /// On the server that SYNC_TRACKER_REDIS_URL names, with keys of its own.
    Redis,
    Sqlite,
}

fn at_least_a_thousand(text: &str) -> Result<usize, String> {
    let records = text.parse::<usize>().map_err(|error| error.to_string())?;
    if records < 1_000 {
        return Err("1,000 or more, so that there is something to claim".to_owned());
    }
    Ok(records)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let run = || Builder::new_multi_thread().enable_all().build()?.block_on(run(&args));
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("stores: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// How many callers claim at the same time.
const CLAIMERS: usize = 4;

async fn run(args: &Args) -> Result<(), Failure> {
    let (rounds, millis, trials) = if args.quick { (3, 60, 1) } else { (9, 250, 2) };
    let lengths = Lengths {
        rounds: args.rounds.unwrap_or(rounds),
        round: Duration::from_millis(args.millis.unwrap_or(millis)),
        trials,
    };
    let load_before = load()?;
    println!(
        "{:?}, {} cores, load {load_before}; medians of {} rounds of {:?}, in turns\n",
        args.store,
        thread::available_parallelism()?,
        lengths.rounds,
        lengths.round,
    );

    if matches!(args.store, Store::Mongo) {
        mongo::tell_pings(&args.callers, lengths.round).await?;
    }
    let compared = chosen(args, workloads(&args.callers, args.batch, CLAIMERS));
    let compared = compare(args, &compared, lengths).await?;
    let mut results = json!({ "records": args.records, "compared": compared });
    if !args.no_growth {
        results["growth"] = grow(args, &chosen(args, growing()), lengths).await?;
    }
    let load_after = load()?;
    println!("load {load_after} at the end");
    if let Some(path) = &args.json {
        results["load"] = json!({ "before": load_before, "after": load_after });
        results["cores"] = json!(thread::available_parallelism()?.get());
        fs::write(path, serde_json::to_vec_pretty(&results)?)?;
    }
    Ok(())
}

fn chosen(args: &Args, mut workloads: Vec<Workload>) -> Vec<Workload> {
    workloads.retain(|it| args.only.is_empty() || args.only.contains(&it.operation));
    workloads
}

async fn open(args: &Args, size: usize, recent: usize) -> Result<Field, Failure> {
    let population = Population::new(size, recent)?;
    match args.store {
        Store::Memory => memory::field(population).await,
        Store::Mongo => mongo::field(population, args.batch, args.grouped).await,
        Store::Postgres => postgres::field(population, args.grouped).await,
        Store::Redis => redis::field(population, args.batch, args.grouped).await,
        Store::Sqlite => sqlite::field(population, &args.dir).await,
    }
}

/// The store beside code written by hand.
async fn compare(
    args: &Args,
    workloads: &[Workload],
    lengths: Lengths,
) -> Result<serde_json::Value, Failure> {
    let field = open(args, args.records, 1).await?;
    let entrants: Vec<_> = field.entrants.iter().collect();
    let figures = contest(&entrants, workloads, lengths).await?;
    println!("{} records\n{}", args.records, report::comparison(&figures));
    Ok(report::comparison_json(&figures))
}

/// The store, and the least that serves, at one size after another.
async fn grow(
    args: &Args,
    workloads: &[Workload],
    lengths: Lengths,
) -> Result<serde_json::Value, Failure> {
    let mut fields = Vec::with_capacity(args.growth.len());
    for size in &args.growth {
        fields.push(open(args, *size, usize::try_from(args.recent)?).await?);
    }
    let sizes: Vec<_> = fields.iter().map(|field| field.bytes.as_slice()).collect();
    println!("{}", report::bytes(&args.growth, &sizes));
    let entrants: Vec<_> = fields.iter().flat_map(|field| &field.entrants).collect();
    let figures: Vec<Figures> = contest(&entrants, workloads, lengths).await?;
    println!("{}", report::growth(&args.growth, &figures));
    Ok(json!({
        "calls": report::growth_json(&args.growth, &figures),
        "bytes_per_record": report::bytes_json(&args.growth, &sizes),
    }))
}

/// How many threads ran or wanted to, on average over one, five and fifteen minutes.
fn load() -> io::Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}
