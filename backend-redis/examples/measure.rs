//! What the store costs on one server, which is emptied: bytes per record by key, calls per second
//! beside a plain write of as many bytes, and how long scripts keep the server.
//!
//! `cargo run --release -p sync-tracker-redis --example measure -- redis://localhost/ 100000`

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use sync_tracker_core::rules::{self, Success};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, ExternalId, Key, Millis, Result as StoreResult, Source,
    SyncStore,
};
use sync_tracker_redis::{RedisOptions, RedisStore};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long each figure is taken.
const SPAN: Duration = Duration::from_secs(2);

fn key(number: usize) -> StoreResult<Key> {
    Key::new("shop", "product", format!("product-{number:08}"))
}

fn synced(number: usize) -> StoreResult<Change> {
    let external_id = Some(ExternalId::new(format!("gid-{number:010}"))?);
    Ok(rules::MarkSynced { success: Success { external_id, ..Success::default() } }.change())
}

async fn used(server: &mut MultiplexedConnection, key: &str) -> Outcome<u64> {
    let mut usage = redis::cmd("MEMORY");
    usage.arg("USAGE").arg(key).arg("SAMPLES").arg(0);
    Ok(usage.query_async::<Option<u64>>(server).await?.unwrap_or(0))
}

async fn in_use(server: &mut MultiplexedConnection) -> Outcome<u64> {
    let info: String = redis::cmd("INFO").arg("memory").query_async(server).await?;
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(line.unwrap_or("0").trim().parse()?)
}

/// How long a script took in the server on average since the last question.
async fn script_time(server: &mut MultiplexedConnection) -> Outcome<String> {
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(server).await?;
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(server).await?;
    let line = info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:"));
    let micros = line.and_then(|line| line.split("usec_per_call=").nth(1));
    Ok(micros.and_then(|rest| rest.split(',').next()).unwrap_or("0").into())
}

/// Calls per second of so many callers.
async fn rate<F: Future<Output = Outcome<()>> + Send + 'static>(
    callers: usize,
    call: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Outcome<f64> {
    let (call, begun) = (Arc::new(call), Instant::now());
    let tasks = (0..callers).map(|caller| {
        let call = Arc::clone(&call);
        tokio::spawn(async move {
            let mut calls = 0_usize;
            while begun.elapsed() < SPAN {
                call(caller + calls * callers).await?;
                calls += 1;
            }
            Ok::<usize, Box<dyn Error + Send + Sync>>(calls)
        })
    });
    let mut all = 0;
    for calls in join_all(tasks).await {
        all += calls??;
    }
    Ok(all as f64 / begun.elapsed().as_secs_f64())
}

async fn populate(store: &RedisStore, records: usize) -> Outcome<()> {
    for first in (0..records).step_by(1_000) {
        let numbers = first..(first + 1_000).min(records);
        let items: StoreResult<Vec<_>> =
            numbers.clone().map(|it| Ok((key(it)?, rules::created()))).collect();
        for outcome in store.apply_many(&items?).await {
            let _ = outcome?;
        }
        let items: StoreResult<Vec<_>> = numbers.map(|it| Ok((key(it)?, synced(it)?))).collect();
        for outcome in store.apply_many(&items?).await {
            let _ = outcome?;
        }
    }
    Ok(())
}

/// External ids in one hash, or in so many.
async fn ids(server: &mut MultiplexedConnection, records: usize, buckets: usize) -> Outcome<()> {
    let before = in_use(server).await?;
    let begun = Instant::now();
    for first in (0..records).step_by(500) {
        let mut pipeline = redis::pipe();
        for number in first..(first + 500).min(records) {
            let bucket = format!("app:{{shop}}:x{}", number % buckets);
            pipeline.hset(bucket, format!("gid-{number:010}"), format!("product-{number:08}"));
            pipeline.ignore();
        }
        pipeline.exec_async(server).await?;
    }
    let (took, after) = (begun.elapsed().as_secs_f64(), in_use(server).await?);
    println!(
        "external ids in {buckets} hashes: {:.0} bytes each, {:.0} writes per second in pipelines",
        after.saturating_sub(before) as f64 / records as f64,
        records as f64 / took,
    );
    redis::cmd("FLUSHDB").exec_async(server).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let url = env::args().nth(1).ok_or("the first argument is the URL of a server")?;
    let records: usize = env::args().nth(2).ok_or("the second is how many records")?.parse()?;
    let mut server = redis::Client::open(url.as_str())?.get_multiplexed_async_connection().await?;
    redis::cmd("FLUSHDB").exec_async(&mut server).await?;
    for buckets in [1, records / 64 + 1] {
        ids(&mut server, records, buckets).await?;
    }

    let store = RedisOptions::from_url(&url)?.open().await?;
    let before = in_use(&mut server).await?;
    let begun = Instant::now();
    populate(&store, records).await?;
    println!(
        "batches: {:.0} changes per second",
        2.0 * records as f64 / begun.elapsed().as_secs_f64()
    );
    let all = in_use(&mut server).await?.saturating_sub(before);
    println!("bytes per record, all in all: {:.0}", all as f64 / records as f64);
    for end in ["r", "k", "s", "q", "f"] {
        let bytes = used(&mut server, &format!("sync-tracker:{{shop}}:{end}")).await?;
        println!("  key {end}: {:.0}", bytes as f64 / records as f64);
    }

    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut server).await?;
    for callers in [1, 8, 64] {
        let plain = server.clone();
        let value = "x".repeat(200);
        let hset = rate(callers, move |number| {
            let (mut plain, value) = (plain.clone(), value.clone());
            async move {
                let mut set = redis::cmd("HSET");
                set.arg("plain").arg(format!("product-{:08}", number % 10_000)).arg(value);
                Ok(set.exec_async(&mut plain).await?)
            }
        });
        let hset = hset.await?;
        let mut line = format!("{callers} callers: plain HSET {hset:.0}");
        for name in ["get", "by external id", "mark synced", "updated"] {
            let store = store.clone();
            let calls = rate(callers, move |number| {
                let (store, number) = (store.clone(), number % records);
                async move {
                    match name {
                        "get" => drop(store.get(&key(number)?).await?),
                        "by external id" => {
                            let id = ExternalId::new(format!("gid-{number:010}"))?;
                            let kind = key(number)?.entity.entity_type;
                            drop(store.by_external_id(&Source::new("shop")?, &kind, &id).await?);
                        }
                        "mark synced" => drop(store.apply(&key(number)?, &synced(number)?).await?),
                        _ => drop(store.apply(&key(number)?, &rules::updated()).await?),
                    }
                    Ok(())
                }
            });
            let calls = calls.await?;
            let script = script_time(&mut server).await?;
            line.push_str(&format!(", {name} {calls:.0} ({:.2}, {script} us)", calls / hset));
        }
        println!("{line}");
    }
    let begun = Instant::now();
    let mut claimed = 0;
    while claimed < 10_000 && begun.elapsed() < SPAN {
        let ttl = Millis::new(60_000)?;
        let request = ClaimRequest::new(Source::new("shop")?, ClaimId::random(), 50, ttl, 9)?;
        claimed += store.claim(&request).await?.leased.len();
    }
    println!(
        "claims of 50: {:.0} records per second",
        f64::from(u32::try_from(claimed)?) / begun.elapsed().as_secs_f64()
    );
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("slowlog-log-slower-than")
        .arg(1_000)
        .exec_async(&mut server)
        .await?;
    redis::cmd("SLOWLOG").arg("RESET").exec_async(&mut server).await?;
    let items: StoreResult<Vec<_>> =
        (0..5_000).map(|it| Ok((key(records + it)?, rules::created()))).collect();
    for outcome in store.apply_many(&items?).await {
        let _ = outcome?;
    }
    let entries: Vec<Vec<redis::Value>> =
        redis::cmd("SLOWLOG").arg("GET").arg(1_000).query_async(&mut server).await?;
    let micros = entries.iter().filter_map(|entry| match entry.get(2) {
        Some(redis::Value::Int(micros)) => Some(*micros),
        _ => None,
    });
    let micros: Vec<_> = micros.collect();
    println!(
        "100 scripts of 50 creations: {} above 1 ms, the longest {:?} us",
        micros.len(),
        micros.iter().max()
    );
    redis::cmd("FLUSHDB").exec_async(&mut server).await?;
    Ok(())
}
