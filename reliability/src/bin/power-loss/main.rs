//! What a store still has of its acknowledged writes when the power goes.
//!
//! `kill -9` alone does not show it, since what a process wrote is in the page cache and survives.
//! So the store is on a disk of its own, a file mounted as a loop device: the writer is killed, the
//! file of the disk is copied as it is at that moment, and the copy is mounted and checked. What
//! was in the page cache of the disk is not in the copy. What was on its way to the disk and not
//! flushed may be: a disk that lies about flushing is not simulated.
//!
//! `write` and `check` know a store by its URL only.

mod campaign;
mod disk;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::{fs, io};

use clap::{Parser, Subcommand, ValueEnum};
use sync_tracker::sqlite::{SqliteOptions, Synchronous};
use sync_tracker::{AnyStore, Error};
use sync_tracker_reliability::acks::Acked;
use sync_tracker_reliability::check::check;
use sync_tracker_reliability::writer::{tell_on_stdout, write};
use tokio::task::JoinSet;

use campaign::Campaign;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a store still has of its acknowledged writes when the power goes.
#[derive(Debug, Parser)]
#[command(name = "power-loss", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a campaign on SQLite files. Needs root, mkfs.ext4 and loop mounts; where it cannot have
    /// them it does nothing and exits with 3. It fails if one write is lost at `full`, or if the
    /// twin that never waits for the disk, at `off`, loses none. What `normal` loses is only told.
    Run(Campaign),
    /// Writes until it is killed, and says on standard output what was acknowledged.
    Write {
        #[command(flatten)]
        at: At,
        /// How many write at the same time.
        #[arg(long, default_value_t = 4)]
        writers: u32,
    },
    /// Looks whether what was acknowledged is there, and prints what it found as JSON.
    Check {
        #[command(flatten)]
        at: At,
        /// What `write` said.
        #[arg(long)]
        acks: PathBuf,
    },
}

/// Where the store is.
#[derive(Debug, clap::Args)]
struct At {
    /// The URL of the store.
    #[arg(long)]
    store: String,
    /// When a SQLite store waits for the disk, instead of `full`.
    #[arg(long)]
    synchronous: Option<Waits>,
}

/// When a SQLite store waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Waits {
    Full,
    Normal,
    Off,
}

impl At {
    async fn open(&self) -> Result<Arc<dyn AnyStore>, Error> {
        let synchronous = match self.synchronous {
            None => return sync_tracker::open(&self.store).await,
            Some(Waits::Full) => Synchronous::Full,
            Some(Waits::Normal) => Synchronous::Normal,
            Some(Waits::Off) => Synchronous::Off,
        };
        let options = SqliteOptions::from_url(&self.store)?.synchronous(synchronous);
        Ok(Arc::new(options.open().await?))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Run(campaign) => return campaign.run(),
        Command::Write { at, writers } => write_all(&at, writers).await,
        Command::Check { at, acks } => print_check(&at, &fs::read_to_string(acks)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("power-loss: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn write_all(at: &At, writers: u32) -> Result<(), Failure> {
    let store = at.open().await?;
    let mut writing = JoinSet::new();
    for writer in 0..writers {
        writing.spawn(write(Arc::clone(&store), writer, tell_on_stdout));
    }
    while let Some(ended) = writing.join_next().await {
        ended??;
    }
    Ok(())
}

async fn print_check(at: &At, acks: &io::Result<String>) -> Result<(), Failure> {
    let acks = acks.as_ref().map_err(ToString::to_string)?;
    let found = check(&at.open().await?, &Acked::parse(acks)?).await?;
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}
