//! Keys on the server that go when what was measured there is done. Then it is told how long scripts
//! kept the server from others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use redis::Client;
use redis::aio::MultiplexedConnection;
use sync_tracker_benches::Failure;
use sync_tracker_benches::population::Population;
use tokio::runtime::Builder;

use super::connect;

/// All that begins with a name that nobody else has.
#[derive(Debug)]
pub(crate) struct Place {
    client: Client,
    name: String,
    before: Scripts,
}

impl Place {
    pub(crate) async fn new(url: &str) -> Result<Self, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sync-tracker-bench-{}-{number}", std::process::id());
        let client = Client::open(url)?;
        let before = Scripts::of(&mut connect(&client).await?).await?;
        Ok(Self { client, name, before })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What the keys of one of those who take part begin with.
    pub(crate) fn prefix(&self, whose: &str) -> String {
        format!("{}-{whose}", self.name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (client, pattern) = (self.client.clone(), format!("{}-*", self.name));
        let before = self.before.clone();
        // The runtime of the program is in the way.
        let dropping = thread::spawn(move || -> Result<(), Failure> {
            Builder::new_current_thread().enable_all().build()?.block_on(async {
                let mut connection = connect(&client).await?;
                let after = Scripts::of(&mut connection).await?;
                if let Some((scripts, micros)) = after.since(&before) {
                    println!("{scripts} scripts, of which none took more than {micros} µs\n");
                }
                for key in keys(&mut connection, &pattern).await? {
                    redis::cmd("UNLINK").arg(key).exec_async(&mut connection).await?;
                }
                Ok(())
            })
        });
        let dropped = dropping.join().unwrap_or_else(|_| Err("a panic".into()));
        if let Err(failure) = dropped {
            eprintln!("stores: keys {}-* are left: {failure}", self.name);
        }
    }
}

/// How many scripts took at most so many microseconds, since the server began.
#[derive(Clone, Debug, Default)]
struct Scripts(Vec<(u64, u64)>);

impl Scripts {
    async fn of(on: &mut MultiplexedConnection) -> Result<Self, Failure> {
        type Calls = (String, u64, String, Vec<(u64, u64)>);
        let mut histogram = redis::cmd("LATENCY");
        histogram.arg("HISTOGRAM").arg("evalsha");
        let told: Vec<(String, Calls)> = histogram.query_async(on).await?;
        Ok(Self(told.into_iter().next().map(|(_, calls)| calls.3).unwrap_or_default()))
    }

    fn within(&self, micros: u64) -> u64 {
        let up_to = self.0.iter().take_while(|(limit, _)| *limit <= micros);
        up_to.last().map_or(0, |(_, scripts)| *scripts)
    }

    /// How many there were since, and a limit that none of them was above.
    fn since(&self, before: &Self) -> Option<(u64, u64)> {
        let all = self.within(u64::MAX);
        let above = |it: &Self, micros| it.within(u64::MAX) - it.within(micros);
        let limits = self.0.iter().map(|(limit, _)| *limit);
        let mut kept = limits.filter(|limit| above(self, *limit) == above(before, *limit));
        Some((all - before.within(u64::MAX), kept.next()?))
    }
}

/// The keys that fit a pattern.
async fn keys(on: &mut MultiplexedConnection, pattern: &str) -> Result<Vec<String>, Failure> {
    let (mut cursor, mut all) = (0_u64, Vec::new());
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
        let (next, found): (u64, Vec<String>) = scan.query_async(on).await?;
        all.extend(found);
        cursor = next;
        if cursor == 0 {
            all.sort_unstable();
            all.dedup();
            return Ok(all);
        }
    }
}

/// Copies all keys of a prefix to another one.
pub(crate) async fn copy(
    on: &mut MultiplexedConnection,
    from: &str,
    to: &str,
) -> Result<(), Failure> {
    for key in keys(on, &format!("{from}:*")).await? {
        let copy = key.replacen(from, to, 1);
        redis::cmd("COPY").arg(&key).arg(copy).exec_async(on).await?;
    }
    Ok(())
}

/// How many bytes the record of one of the population has.
pub(crate) async fn record_bytes(
    on: &mut MultiplexedConnection,
    prefix: &str,
    population: &Population,
) -> Result<usize, Failure> {
    let key = population.key(population.not_due(0))?;
    let field = format!("{}\0{}", key.entity.entity_type, key.entity.entity_id);
    let records = format!("{prefix}:{{{}}}:r", key.source);
    let bytes: usize = redis::cmd("HSTRLEN").arg(records).arg(field).query_async(on).await?;
    if bytes == 0 { Err("no record is where it was looked for".into()) } else { Ok(bytes) }
}

/// How many bytes per record each key of a prefix has.
pub(crate) async fn sizes(
    on: &mut MultiplexedConnection,
    prefix: &str,
    records: usize,
    whose: &str,
) -> Result<Vec<(String, f64)>, Failure> {
    let mut sizes = Vec::new();
    for key in keys(on, &format!("{prefix}:*")).await? {
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
        let bytes: u64 = usage.query_async(on).await?;
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let per_record = bytes as f64 / records as f64;
        let name = key.get(prefix.len() + 1..).unwrap_or_default();
        sizes.push((format!("{whose}: {name}"), per_record));
    }
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all = sizes.iter().map(|(_, bytes)| bytes).sum();
    sizes.insert(0, (format!("{whose}: all"), all));
    Ok(sizes)
}

/// The number of the server's process.
pub(crate) async fn process(on: &mut MultiplexedConnection) -> Result<u32, Failure> {
    let info: String = redis::cmd("INFO").arg("server").query_async(on).await?;
    let number = info.lines().find_map(|line| line.strip_prefix("process_id:"));
    Ok(number.ok_or("the server does not tell its process")?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_script_is_that_of_those_since() {
        let before = Scripts(vec![(1, 5), (8, 7)]);
        assert_eq!(Scripts(vec![(1, 5), (4, 9), (8, 11)]).since(&before), Some((4, 4)));
        assert_eq!(Scripts(vec![(1, 6), (8, 8), (16, 9)]).since(&before), Some((2, 16)));
        assert_eq!(Scripts::default().since(&Scripts::default()), None);
    }
}
