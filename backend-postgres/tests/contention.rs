//! Many who write, and many who claim, on the same records at the same time.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "postgres/mod.rs"]
mod postgres;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Postgres, Row, Transaction};
use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{
    Change, ChangeId, ClaimId, ClaimRequest, ExternalId, Key, Millis, Source, SyncStore,
    TransactionalStore,
};
use sync_tracker_postgres::{PostgresOptions, PostgresStore};
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, JoinSet};

use self::postgres::{OwnSchema, url};

/// How many write or claim at the same time, each on a connection of its own.
const WORKERS: usize = 8;

async fn open(options: &PgConnectOptions, schema: &str) -> Arc<PostgresStore> {
    let options = PostgresOptions::from_options(options.clone()).schema(schema);
    let options = options.connections(WORKERS).deadline(Duration::from_secs(60));
    Arc::new(options.open().await.unwrap())
}

fn key(number: usize) -> Key {
    Key::new("shop", "order", u64::try_from(number).unwrap()).unwrap()
}

/// So many different numbers below `below`, in an order that nobody else has.
fn shuffled(count: usize, below: usize) -> impl Iterator<Item = usize> {
    // A prime that divides none of the sizes here.
    const STRIDE: usize = 7_919;
    let bits = usize::try_from(ChangeId::random().to_bits() >> 16).unwrap();
    (0..count).map(move |step| (bits + step * STRIDE) % below)
}

fn synced(number: usize) -> Change {
    let external_id = Some(ExternalId::new(format!("x{number}")).unwrap());
    MarkSynced { success: Success { external_id, ..Success::default() } }.change()
}

/// A database that goes when its test is done. Deadlocks are counted for each.
struct OwnDatabase {
    options: PgConnectOptions,
    name: String,
    admin: PgConnection,
}

impl OwnDatabase {
    async fn new(of: &str) -> Self {
        let options: PgConnectOptions = url().parse().unwrap();
        let mut admin = options.connect().await.unwrap();
        let name = format!("test_{of}_{}", std::process::id());
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
        Self { options: options.database(&name), name, admin }
    }

    /// How many deadlocks there were, once every connection to it has gone.
    async fn deadlocks(&mut self) -> i64 {
        let connected = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = $1";
        loop {
            let count = sqlx::query(connected).bind(&self.name).fetch_one(&mut self.admin);
            if count.await.unwrap().get::<i64, _>(0) == 0 {
                let row = sqlx::query(deadlocks).bind(&self.name).fetch_one(&mut self.admin);
                return row.await.unwrap().get(0);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a connection waits for that of this process, and tells its process.
    async fn waiter_for(&mut self, process: i32) -> i32 {
        let text = "SELECT pid FROM pg_stat_activity \
                    WHERE datname = $1 AND $2 = ANY (pg_blocking_pids(pid))";
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let waiter = sqlx::query(text).bind(&self.name).bind(process);
            if let Some(row) = waiter.fetch_optional(&mut self.admin).await.unwrap() {
                return row.get(0);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nobody waits for it")
    }

    async fn remove(mut self) {
        let remove = AssertSqlSafe(format!("DROP DATABASE {}", self.name));
        sqlx::raw_sql(remove).execute(&mut self.admin).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn batches_of_the_same_records_in_any_order_never_deadlock() {
    const RECORDS: usize = 5_000;
    const BATCHES: usize = 10;
    let mut database = OwnDatabase::new("contention").await;
    let store = open(&database.options, "ledger").await;
    let mut writers = JoinSet::new();
    for writer in 0..WORKERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for batch in 0..BATCHES {
                let change = |number| match (writer + batch) % 3 {
                    0 => synced(number),
                    1 => rules::updated(),
                    _ if number % 2 == 0 => rules::deleted(),
                    _ => rules::created(),
                };
                let numbers = shuffled(1_000, RECORDS);
                let items: Vec<_> = numbers.map(|number| (key(number), change(number))).collect();
                for outcome in store.apply_many(&items).await {
                    // Refused or not: that is up to who came first.
                    let _ = outcome.unwrap();
                }
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    let wrong = store.verify().await;
    drop(store);
    let deadlocks = database.deadlocks().await;
    database.remove().await;
    assert_eq!(deadlocks, 0);
    assert!(wrong.as_ref().unwrap().is_empty(), "{wrong:?}");
}

/// Updates that are sent as one statement.
fn updating(store: &Arc<PostgresStore>, numbers: [usize; 3]) -> JoinHandle<()> {
    let store = Arc::clone(store);
    tokio::spawn(async move {
        let items = numbers.map(|number| (key(number), rules::updated()));
        for outcome in store.apply_many(&items).await {
            assert!(outcome.unwrap().is_applied());
        }
    })
}

/// A transaction of somebody else that holds a record.
struct Holder {
    transaction: Transaction<'static, Postgres>,
    process: i32,
}

impl Holder {
    async fn of(number: usize, store: &PostgresStore, pool: &PgPool) -> Self {
        let mut transaction = pool.begin().await.unwrap();
        let outcome = store.apply_in(&mut transaction, &key(number), &rules::updated()).await;
        assert!(outcome.unwrap().is_applied());
        let process = sqlx::query("SELECT pg_backend_pid()").fetch_one(&mut *transaction);
        let process = process.await.unwrap().get(0);
        Self { transaction, process }
    }
}

/// An insertion waits for whoever updates the record that it meets, and so it does if that record
/// was not there when its statement began.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn batches_that_make_records_and_meet_new_ones_never_deadlock() {
    let mut database = OwnDatabase::new("making").await;
    let store = open(&database.options, "ledger").await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    assert!(store.apply(&key(2), &rules::updated()).await.unwrap().is_applied());
    // The first batch begins without record 4, and waits for record 2.
    let two = Holder::of(2, &store, &pool).await;
    let first = updating(&store, [2, 3, 4]);
    database.waiter_for(two.process).await;
    assert!(store.apply(&key(4), &rules::updated()).await.unwrap().is_applied());
    // The second begins with record 4, and waits to make record 1.
    let one = Holder::of(1, &store, &pool).await;
    let second = updating(&store, [1, 3, 4]);
    let waiter = database.waiter_for(one.process).await;
    // The first makes record 3 and meets record 4.
    two.transaction.commit().await.unwrap();
    database.waiter_for(waiter).await;
    // The second makes record 1 and meets record 3.
    one.transaction.commit().await.unwrap();
    first.await.unwrap();
    second.await.unwrap();
    pool.close().await;
    drop(store);
    let deadlocks = database.deadlocks().await;
    database.remove().await;
    assert_eq!(deadlocks, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn many_claimers_share_what_is_due_and_none_of_it_is_given_twice() {
    const DUE: usize = 100_000;
    let schema = OwnSchema::new();
    let options: PgConnectOptions = url().parse().unwrap();
    let store = open(&options, schema.name()).await;
    for first in (0..DUE).step_by(1_000) {
        let items: Vec<_> =
            (first..first + 1_000).map(|number| (key(number), rules::created())).collect();
        for outcome in store.apply_many(&items).await {
            assert!(outcome.unwrap().is_applied());
        }
    }
    let begin = Arc::new(Barrier::new(WORKERS));
    let mut claimers = JoinSet::new();
    for _ in 0..WORKERS {
        let (store, begin) = (Arc::clone(&store), Arc::clone(&begin));
        claimers.spawn(async move {
            let shop = Source::new("shop").unwrap();
            let ttl = Millis::new(3_600_000).unwrap();
            let mut keys = Vec::new();
            begin.wait().await;
            loop {
                let claim =
                    ClaimRequest::new(shop.clone(), ClaimId::random(), 100, ttl, 5).unwrap();
                let leased = store.claim(&claim).await.unwrap().leased;
                if leased.is_empty() {
                    return keys;
                }
                keys.extend(leased.into_iter().map(|lease| lease.key));
            }
        });
    }
    let (mut claimed, mut shares) = (HashSet::new(), Vec::new());
    while let Some(keys) = claimers.join_next().await {
        let keys = keys.unwrap();
        shares.push(keys.len());
        for key in keys {
            assert!(claimed.insert(key.clone()), "{key:?} is given twice");
        }
    }
    assert_eq!(claimed.len(), DUE, "some are left: {shares:?}");
    // Far less than what is fair: the machine may be busy with something else.
    assert!(shares.iter().all(|share| *share > DUE / WORKERS / 10), "{shares:?}");
}
