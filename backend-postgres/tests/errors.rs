//! What each fault of a server or a transaction is called, and that the store goes on afterwards.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "postgres/mod.rs"]
mod postgres;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, query, raw_sql};
use sync_tracker_core::rules::{self, RetrySchedule};
use sync_tracker_core::{
    Change, ErrorKind, FailureNote, Filter, Key, PageSize, SyncStore, TransactionalStore,
};
use sync_tracker_postgres::{PostgresOptions, PostgresStore};
use tokio::task::JoinSet;

use self::postgres::{OwnSchema, url};

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

/// A change that counts each time that it is applied.
fn counted() -> Change {
    rules::mark_failed(&FailureNote::transient("again"), &RetrySchedule::default(), None)
}

async fn attempts(store: &PostgresStore) -> u32 {
    store.get(&key(1)).await.unwrap().unwrap().attempts
}

fn server() -> PgConnectOptions {
    url().parse().unwrap()
}

/// Options whose connections can be told from others.
fn options(schema: &OwnSchema) -> PostgresOptions {
    PostgresOptions::from_options(server().application_name(schema.name())).schema(schema.name())
}

fn pool(schema: &OwnSchema, size: u32, settings: &[(&str, &str)]) -> PgPool {
    let options = server().application_name(schema.name()).options(settings.iter().copied());
    PgPoolOptions::new().max_connections(size).connect_lazy_with(options)
}

/// A transaction of somebody else that holds record 1.
async fn holding(schema: &OwnSchema) -> PgConnection {
    let mut other = PgConnection::connect(&url()).await.unwrap();
    let lock = format!(
        "BEGIN; SELECT FROM \"{}\".records WHERE entity_id = '1' FOR UPDATE",
        schema.name()
    );
    raw_sql(AssertSqlSafe(lock)).execute(&mut other).await.unwrap();
    other
}

/// Terminates the sessions of the store, once one of them is in this state.
async fn terminate(schema: &OwnSchema, state: &str) {
    let mut other = PgConnection::connect(&url()).await.unwrap();
    let text = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                WHERE application_name = $1 AND (state = $2 OR wait_event_type = $2)";
    loop {
        let row = query(text).bind(schema.name()).bind(state).fetch_one(&mut other).await.unwrap();
        if row.get::<i64, _>(0) > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn without_a_free_connection_nothing_is_done() {
    let schema = OwnSchema::new();
    let pool = pool(&schema, 1, &[]);
    let briefly = options(&schema).deadline(Duration::from_millis(500));
    let on_pool = briefly.clone().open_on(pool.clone()).await.unwrap();
    let _ = on_pool.apply(&key(1), &counted()).await.unwrap();
    let taken = pool.acquire().await.unwrap();
    let refused = on_pool.apply(&key(1), &counted()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    drop(taken);
    assert_eq!(attempts(&on_pool).await, 1);

    let own = briefly.connections(1).open().await.unwrap();
    let mut other = holding(&schema).await;
    let (key, change) = (key(1), counted());
    let (first, second) = tokio::join!(own.apply(&key, &change), own.get(&key));
    // What waits for a lock was sent; what waits for its connection was not.
    assert_eq!(first.unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Unavailable);
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(own.apply(&key, &change).await.unwrap().is_applied());
    assert_eq!(attempts(&own).await, 2);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_terminated_session_is_unknown_and_its_repeat_counts_once() {
    let schema = OwnSchema::new();
    let store = options(&schema).connections(1).open().await.unwrap();
    let _ = store.apply(&key(1), &counted()).await.unwrap();

    terminate(&schema, "idle").await;
    let change = counted();
    let cut = store.apply(&key(1), &change).await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::Unknown, "{cut:?}");
    assert!(store.apply(&key(1), &change).await.unwrap().is_applied());
    assert_eq!(attempts(&store).await, 2);

    let mut other = holding(&schema).await;
    let change = counted();
    let busy = tokio::spawn({
        let (store, change) = (store.clone(), change.clone());
        async move { store.apply(&key(1), &change).await }
    });
    terminate(&schema, "Lock").await;
    let cut = busy.await.unwrap().unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::Unknown, "{cut:?}");
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(store.apply(&key(1), &change).await.unwrap().is_applied());
    assert_eq!(attempts(&store).await, 3);

    terminate(&schema, "idle").await;
    assert_eq!(store.get(&key(1)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(attempts(&store).await, 3);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_server_that_only_reads_is_unavailable_for_writes() {
    let schema = OwnSchema::new();
    drop(options(&schema).open().await.unwrap());
    let pool = pool(&schema, 2, &[("default_transaction_read_only", "on")]);
    let store = options(&schema).open_on(pool).await.unwrap();
    let refused = store.apply(&key(1), &counted()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn in_a_stricter_transaction_a_change_that_meets_another_is_unavailable() {
    let schema = OwnSchema::new();
    let store = options(&schema).open().await.unwrap();
    let _ = store.apply(&key(1), &counted()).await.unwrap();
    let pool = pool(&schema, 2, &[]);
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let before = attempts(&store).await;
        let begin = AssertSqlSafe(format!("BEGIN ISOLATION LEVEL {level}"));
        let mut transaction = pool.begin_with(begin).await.unwrap();
        let look = format!("SELECT count(*) FROM \"{}\".records", schema.name());
        query(AssertSqlSafe(look)).fetch_one(&mut *transaction).await.unwrap();
        let _ = store.apply(&key(1), &counted()).await.unwrap();
        let met = store.apply_in(&mut transaction, &key(1), &counted()).await.unwrap_err();
        assert_eq!(met.kind(), ErrorKind::Unavailable, "{level}: {met:?}");
        assert!(met.is_retryable());
        transaction.rollback().await.unwrap();
        assert_eq!(attempts(&store).await, before + 1);
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn on_a_pool_that_is_stricter_changes_count_once_or_are_unavailable() {
    let schema = OwnSchema::new();
    let pool = pool(&schema, 8, &[("default_transaction_isolation", "serializable")]);
    let options = options(&schema).deadline(Duration::from_secs(20));
    let store = options.open_on(pool).await.unwrap();
    let _ = store.apply(&key(1), &counted()).await.unwrap();
    let mut changing = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        changing.spawn(async move {
            let mut done = 0;
            for _ in 0..20 {
                match store.apply(&key(1), &counted()).await {
                    Ok(outcome) => done += u32::from(outcome.is_applied()),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                }
            }
            done
        });
    }
    let done: u32 = changing.join_all().await.into_iter().sum();
    assert!(done > 0);
    assert_eq!(attempts(&store).await, 1 + done);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_deadlock_of_the_callers_is_unavailable_for_one_of_them() {
    let schema = OwnSchema::new();
    let store = options(&schema).open().await.unwrap();
    for id in [1, 2] {
        let _ = store.apply(&key(id), &rules::created()).await.unwrap();
    }
    let pool = pool(&schema, 2, &[]);
    let mut one = pool.begin().await.unwrap();
    let mut other = pool.begin().await.unwrap();
    let updated = rules::updated();
    let _ = store.apply_in(&mut one, &key(1), &updated).await.unwrap();
    let _ = store.apply_in(&mut other, &key(2), &updated).await.unwrap();
    let (key1, key2) = (key(1), key(2));
    let crossing = async {
        let outcome = store.apply_in(&mut one, &key2, &updated).await;
        one.rollback().await.unwrap();
        outcome
    };
    let crossed = async {
        let outcome = store.apply_in(&mut other, &key1, &updated).await;
        other.rollback().await.unwrap();
        outcome
    };
    let outcomes = tokio::join!(crossing, crossed);
    let errors: Vec<_> =
        [outcomes.0, outcomes.1].into_iter().filter_map(Result::err).map(|it| it.kind()).collect();
    assert_eq!(errors, [ErrorKind::Unavailable]);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_long_transaction_hides_nothing_else_and_keeps_nobody_waiting() {
    use sync_tracker_core::{ClaimId, ClaimRequest, Millis};

    let schema = OwnSchema::new();
    let options = options(&schema).deadline(Duration::from_secs(5));
    let store = options.open().await.unwrap();
    for id in 0..10 {
        let _ = store.apply(&key(id), &rules::created()).await.unwrap();
    }
    let pool = pool(&schema, 1, &[]);
    let mut transaction = pool.begin().await.unwrap();
    for id in [0, 3] {
        let _ = store.apply_in(&mut transaction, &key(id), &rules::updated()).await.unwrap();
    }
    let _ = store.apply_in(&mut transaction, &key(99), &rules::created()).await.unwrap();

    let page = store.list(&Filter::default(), None, PageSize::MAX).await.unwrap();
    assert_eq!(page.records.len(), 10);
    assert_eq!(store.statistics(&key(0).source).await.unwrap().due_now, 10);
    assert_eq!(store.get(&key(3)).await.unwrap().unwrap().revision.get(), 1);
    assert!(store.apply(&key(4), &rules::updated()).await.unwrap().is_applied());
    let claim = async || {
        let ttl = Millis::new(60_000).unwrap();
        let request = ClaimRequest::new(key(0).source, ClaimId::random(), 100, ttl, 5).unwrap();
        store.claim(&request).await.unwrap().leased.len()
    };
    assert_eq!(claim().await, 8);
    transaction.commit().await.unwrap();
    assert_eq!(claim().await, 3);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_dropped_call_leaves_no_transaction_open_in_the_applications_pool() {
    let schema = OwnSchema::new();
    let pool = pool(&schema, 1, &[]);
    let store = options(&schema).open_on(pool.clone()).await.unwrap();
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    let (mut polls, mut place) = (0, 1);
    loop {
        let rename = store.rename(&key(place), &key(3 - place)).await;
        assert!(rename.is_ok(), "{rename:?}");
        place = 3 - place;
        let (from, to) = (key(place), key(3 - place));
        let dropped = store.rename(&from, &to);
        let ended = sync_tracker_conformance::dropped_after(polls, dropped).await.is_some();
        // The only connection there is comes back once what was begun on it is over.
        let mut connection = pool.acquire().await.unwrap();
        let mut transactions = Vec::new();
        for _ in 0..2 {
            let row = query("SELECT txid_current()").fetch_one(&mut *connection).await.unwrap();
            transactions.push(row.get::<i64, _>(0));
        }
        drop(connection);
        assert_ne!(transactions[0], transactions[1], "one is open after {polls} polls");
        place = if store.get(&key(1)).await.unwrap().is_some() { 1 } else { 2 };
        if ended {
            break;
        }
        polls += 1;
    }
    assert!(polls > 2, "{polls}");
}
