//! What several writers do at once, each on keys of its own.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use sync_tracker_benches::population::Population;
use sync_tracker_core::{Key, SyncRecord, SyncStore, Timestamp, rules};
use sync_tracker_memory::MemoryStore;
use tokio::runtime::Runtime;

use crate::plain::PlainMap;
use crate::{Failure, runtime};

/// How many keys each writer has, and how many rounds it makes over them.
const KEYS: usize = 1_000;
const ROUNDS: usize = 20;

/// Million changes per second that so many writers make and apply together.
pub(crate) fn store(
    store: &MemoryStore,
    population: &Population,
    writers: usize,
) -> Result<f64, Failure> {
    let runtimes = (0..writers).map(|_| runtime());
    let runtimes: Vec<_> = runtimes.collect::<Result<_, _>>()?;
    let work = (0..writers).zip(runtimes).map(|(writer, runtime)| {
        let keys = records_of(population, writer)?.into_iter().map(|record| record.key);
        Ok((keys.collect(), runtime))
    });
    let work: Vec<(Vec<Key>, Runtime)> = work.collect::<Result<_, Failure>>()?;
    together(work, |(keys, runtime)| {
        runtime.block_on(async {
            for key in (0..ROUNDS).flat_map(|_| &keys) {
                let _ = store.apply(key, &rules::updated()).await?;
            }
            Ok(())
        })
    })
}

/// Million inserts per second into the plain map.
pub(crate) fn plain(
    map: &PlainMap,
    population: &Population,
    writers: usize,
) -> Result<f64, Failure> {
    let work = (0..writers).map(|writer| records_of(population, writer));
    together(work.collect::<Result<_, _>>()?, |records: Vec<SyncRecord>| {
        for record in (0..ROUNDS).flat_map(|_| &records) {
            map.insert(&record.key, record);
        }
        Ok(())
    })
}

fn records_of(population: &Population, writer: usize) -> Result<Vec<SyncRecord>, Failure> {
    let now = Timestamp::now();
    let records = (0..KEYS).map(|at| population.record(writer * KEYS + at, now));
    Ok(records.collect::<Result<_, _>>()?)
}

/// Gives each piece of work to a thread, starts all at the same moment, and says how fast they
/// were together.
fn together<W: Send>(
    work: Vec<W>,
    write: impl Fn(W) -> Result<(), Failure> + Sync,
) -> Result<f64, Failure> {
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    let operations = (work.len() * KEYS * ROUNDS) as f64;
    let start = Barrier::new(work.len() + 1);
    let (write, start) = (&write, &start);
    let elapsed = thread::scope(|scope| {
        let wait_and_write = |work| {
            scope.spawn(move || {
                start.wait();
                write(work)
            })
        };
        let threads: Vec<_> = work.into_iter().map(wait_and_write).collect();
        start.wait();
        let begun = Instant::now();
        for thread in threads {
            thread.join().map_err(|_| "a writer panicked")??;
        }
        Ok::<_, Failure>(begun.elapsed())
    })?;
    Ok(operations / elapsed.as_secs_f64() / 1e6)
}
