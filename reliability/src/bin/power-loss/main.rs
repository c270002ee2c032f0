//! What a store still has of its acknowledged writes when the power goes.
//!
//! `kill -9` alone does not show it, since what a process wrote is in the page cache and survives.
//! So the store is on a disk of its own, a file mounted as a loop device: the writer is killed, and
//! before it the server if there is one; the file of the disk is copied as it is at that moment,
//! and the copy is mounted and checked. What was in the page cache of the disk is not in the copy.
//! What was on its way to the disk and not flushed may be: a disk that lies about flushing is not
//! simulated.
//!
//! `write` and `check` know a store by its URL only.

mod campaign;
mod ground;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::{fs, io};

use clap::{Parser, Subcommand};
use mongodb::options::{Acknowledgment, WriteConcern};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sync_tracker::AnyStore;
use sync_tracker::mongo::MongoOptions;
use sync_tracker::postgres::PostgresOptions;
use sync_tracker::sqlite::{SqliteOptions, Synchronous};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::acks::Acked;
use sync_tracker_reliability::check::check;
use sync_tracker_reliability::writer::{tell_on_stdout, write};
use tokio::task::JoinSet;

use campaign::Campaign;
use ground::Waits;

/// What a store still has of its acknowledged writes when the power goes.
#[derive(Debug, Parser)]
#[command(name = "power-loss", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a campaign on SQLite files, or on servers of its own. Needs root,
    /// mkfs.ext4, loop mounts, and the programs of the server; where it cannot have them it does
    /// nothing and exits with 3. It fails if one write is lost of a store that waits for the disk,
    /// or if its twin that never waits loses none. What one loses that waits now and then is only
    /// told.
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
    /// When the store waits for the disk, instead of as it does by itself.
    #[arg(long, value_enum)]
    synchronous: Option<Waits>,
}

impl At {
    async fn open(&self) -> Result<Arc<dyn AnyStore>, Failure> {
        match self.synchronous {
            None => Ok(sync_tracker::open(&self.store).await?),
            Some(waits) if self.store.starts_with("sqlite:") => {
                let synchronous = match waits {
                    Waits::Full => Synchronous::Full,
                    Waits::Normal => Synchronous::Normal,
                    Waits::Off => Synchronous::Off,
                };
                let options = SqliteOptions::from_url(&self.store)?.synchronous(synchronous);
                Ok(Arc::new(options.open().await?))
            }
            // What a Redis server waits for it was told when it was started.
            Some(_) if self.store.starts_with("redis:") => {
                Ok(sync_tracker::open(&self.store).await?)
            }
            Some(waits) if self.store.starts_with("mongodb:") => self.open_mongo(waits).await,
            Some(waits) => self.open_postgres(waits).await,
        }
    }

    async fn open_mongo(&self, waits: Waits) -> Result<Arc<dyn AnyStore>, Failure> {
        let options = MongoOptions::from_url(&self.store).await?;
        let options = match waits {
            Waits::Full => options,
            Waits::Normal => return Err("MongoDB has nothing between full and off".into()),
            Waits::Off => {
                let nobody = WriteConcern::builder().w(Some(Acknowledgment::Nodes(1)));
                options.write_concern(nobody.journal(false).build())
            }
        };
        Ok(Arc::new(options.open().await?))
    }

    async fn open_postgres(&self, waits: Waits) -> Result<Arc<dyn AnyStore>, Failure> {
        let options = PostgresOptions::from_url(&self.store)?;
        match waits {
            // On its own connections it sees to that.
            Waits::Full => Ok(Arc::new(options.open().await?)),
            Waits::Normal => Err("PostgreSQL has nothing between full and off".into()),
            Waits::Off => {
                let connect: PgConnectOptions = self.store.parse()?;
                let connect = connect.options([("synchronous_commit", "off")]);
                let pool = PgPoolOptions::new().connect_with(connect).await?;
                Ok(Arc::new(options.open_on(pool).await?))
            }
        }
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
