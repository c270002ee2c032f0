//! What a SQLite store does when its disk is full: on a small disk of its own, a file mounted as a
//! loop device, less and less is left free, and a writer writes until there is no room.
//!
//! What was acknowledged must be there, what was not must be there whole or not at all, reads must
//! go on, and once there is room again the same store must write again.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use sync_tracker::sqlite::SqliteStore;
use sync_tracker::{AnyStore, ErrorKind, Tracker};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::acks::{Ack, Acked};
use sync_tracker_reliability::campaign::{Interrupted, NOT_RUN, folder};
use sync_tracker_reliability::check::{Found, check};
use sync_tracker_reliability::disk::Disk;
use sync_tracker_reliability::writer::{SOURCE, entity_ref, write};

/// What a SQLite store does when its disk is full. Needs root, mkfs.ext4 and loop mounts; where it
/// cannot have them it does nothing and exits with 3.
#[derive(Debug, Parser)]
#[command(name = "full-disk", version)]
struct Args {
    /// How often the disk becomes full, each time at another place.
    #[arg(long, default_value_t = 50)]
    cycles: u64,
}

/// How large the disk is.
const SIZE: u64 = 8 << 20;

/// How much is left free in the first cycle, and how much less in each later one.
const FREE: u64 = 1 << 20;
const LESS: u64 = 12 << 10;

/// How many writes must be acknowledged once there is room again.
const AFTERWARDS: u64 = 40;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("full-disk: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<ExitCode, Failure> {
    let folder = folder("full-disk")?;
    let interrupted = Interrupted::listen()?;
    let (mut acked, mut unavailable, mut unknown, mut applied) = (0, 0, 0, 0);
    for cycle in 0..args.cycles {
        interrupted.check()?;
        let disk = match Disk::new(&folder.path().join("disk.img"), SIZE) {
            Ok(disk) => disk,
            Err(error) => {
                eprintln!("full-disk: NOT RUN, a disk in a file is needed: {error}");
                return Ok(ExitCode::from(NOT_RUN));
            }
        };
        let free = FREE - (cycle * LESS) % (FREE / 2);
        let (kind, found, told) = fill(disk.path(), free).await?;
        acked += told;
        applied += found.unknown_but_applied;
        match kind {
            ErrorKind::Unavailable => unavailable += 1,
            ErrorKind::Unknown => unknown += 1,
            other => return Err(format!("a full disk is called {other:?}").into()),
        }
        if found.lost > 0 || !found.differences.is_empty() {
            return Err(format!("with {free} bytes free: {found:?}").into());
        }
    }
    println!("| cycles | acked | lost | unavailable | unknown | unknown but applied |");
    println!("|---|---|---|---|---|---|");
    println!("| {} | {acked} | 0 | {unavailable} | {unknown} | {applied} |", args.cycles);
    Ok(ExitCode::SUCCESS)
}

/// Fills a disk, makes room, and goes on: what the full disk was called, what became of the writes,
/// and how many there were.
async fn fill(disk: &Path, free: u64) -> Result<(ErrorKind, Found, u64), Failure> {
    let url = format!("sqlite:{}", disk.join("ledger.db").display());
    let opened = SqliteStore::open(&url).await?;
    let store: Arc<dyn AnyStore> = Arc::new(opened.clone());
    let ballast = disk.join("ballast");
    leave(disk, &ballast, free)?;

    let mut acked = Acked::default();
    let tell = |ack| {
        acked.add(ack);
        Ok(())
    };
    let Err(full) = write(Arc::clone(&store), 0, tell).await else {
        return Err("the disk never became full".into());
    };
    if !full.is_retryable() {
        return Err(format!("a full disk is not to be tried again: {full:?}").into());
    }
    let tracker = Tracker::new(Arc::clone(&store));
    if tracker.record(&entity_ref(0, 0)?, SOURCE).await?.is_none() {
        return Err("a full disk cannot be read".into());
    }

    fs::remove_file(ballast)?;
    let before = acked.count;
    let tell = |ack: Ack| {
        acked.add(ack);
        let enough = acked.count == before + AFTERWARDS;
        if enough { Err(io::Error::other("enough")) } else { Ok(()) }
    };
    let ended = write(Arc::clone(&store), 1, tell).await;
    if acked.count < before + AFTERWARDS {
        return Err(format!("there is room again, and still {ended:?}").into());
    }
    let found = check(&store, &acked).await?;
    opened.close().await;
    // Another one, which has nothing in memory, finds the same.
    let opened = SqliteStore::open(&url).await?;
    let again: Arc<dyn AnyStore> = Arc::new(opened.clone());
    let found_again = check(&again, &acked).await?;
    opened.close().await;
    if found_again.lost > 0 || !found_again.differences.is_empty() {
        return Err(format!("opened again: {found_again:?}").into());
    }
    Ok((full.kind(), found, acked.count))
}

/// Takes all room of a disk but so many bytes.
fn leave(disk: &Path, ballast: &Path, free: u64) -> io::Result<()> {
    let there = rustix::fs::statvfs(disk)?;
    let available = there.f_bavail * there.f_frsize;
    let file = File::create(ballast)?;
    let bytes = available.saturating_sub(free);
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?;
    file.sync_all()
}
