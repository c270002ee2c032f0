//! Stores opened by their URLs, as an application does that has the URL from its configuration.

#![cfg(all(feature = "memory", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::{env, fs, process};

use sync_tracker::{
    AnyStore, Checkpoints, EntityRef, ErrorKind, Handled, Inbox, JsonValue, Saved, Tracker,
};

async fn is_ledger_inbox_and_checkpoints(store: &Arc<dyn AnyStore>) {
    let tracker = Tracker::new(Arc::clone(store)).with_sources("product", ["shop"]).unwrap();
    let product = EntityRef::new("product", 1).unwrap();
    tracker.created(&product).await.unwrap();
    for push in tracker.claim("shop").await.unwrap().pushes {
        assert!(push.synced().external_id("gid-1").await.unwrap().is_applied());
    }
    assert!(tracker.is_synced(&product, "shop").await.unwrap());

    let inbox = Inbox::new(Arc::clone(store));
    let done = JsonValue::of("done").unwrap();
    let handle = async || {
        let handler = async || Ok::<_, String>(done.clone());
        inbox.once("shop", "event-1", handler).await.unwrap()
    };
    assert_eq!(handle().await, Handled::Now(done.clone()));
    assert_eq!(handle().await, Handled::Before(done.clone()));

    let checkpoints = Checkpoints::new(Arc::clone(store));
    let mut run = checkpoints.begin("shop", "orders").await.unwrap();
    assert!(matches!(run.advance(done.clone()).await.unwrap(), Saved::Done(_)));
    let next = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(next.start_bound().value(), Some(&done));
}

#[tokio::test]
async fn a_url_with_too_much_in_it_is_invalid_and_not_repeated() {
    let error = sync_tracker::open("memory:hunter2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn each_opening_in_memory_is_a_store_of_its_own() {
    for url in ["memory:", "sqlite::memory:"] {
        let [one, other] = [sync_tracker::open(url).await, sync_tracker::open(url).await];
        is_ledger_inbox_and_checkpoints(&one.unwrap()).await;
        is_ledger_inbox_and_checkpoints(&other.unwrap()).await;
    }
}

#[tokio::test]
async fn a_sqlite_file_has_it_all_when_it_is_opened_again() {
    let file = env::temp_dir().join(format!("sync-tracker-open-{}.db", process::id()));
    let url = format!("sqlite:{}", file.display());
    is_ledger_inbox_and_checkpoints(&sync_tracker::open(&url).await.unwrap()).await;

    let store = sync_tracker::open(&url).await.unwrap();
    let tracker = Tracker::new(Arc::clone(&store));
    let found = tracker.by_external_id("shop", "product", "gid-1").await.unwrap();
    assert_eq!(found.unwrap().key.entity, EntityRef::new("product", 1).unwrap());
    let run = Checkpoints::new(store).begin("shop", "orders").await.unwrap();
    assert!(run.start_bound().value().is_some());
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", file.display()));
    }
}

#[cfg(feature = "mongo")]
#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_mongodb_database_has_it_all() {
    let server = env::var("SYNC_TRACKER_MONGO_URL").unwrap();
    let client = mongodb::Client::with_uri_str(&server).await.unwrap();
    let database = client.database(&format!("sync_tracker_open_{}", process::id()));
    let (hosts, parameters) = server.split_once("/?").unwrap();
    let url = format!("{hosts}/{}?{parameters}", database.name());
    let store = sync_tracker::open(&url).await.unwrap();
    is_ledger_inbox_and_checkpoints(&store).await;
    drop(store);
    database.drop().await.unwrap();
}

#[cfg(feature = "postgres")]
#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_postgres_database_has_it_all() {
    use sqlx::postgres::PgConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions};

    let server: PgConnectOptions = env::var("SYNC_TRACKER_POSTGRES_URL").unwrap().parse().unwrap();
    let database = format!("sync_tracker_open_{}", process::id());
    let run = async |statement: &str| {
        let mut connection = server.connect().await.unwrap();
        let statement = AssertSqlSafe(format!("{statement} {database}"));
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    };
    run("CREATE DATABASE").await;
    let url = server.clone().database(&database).to_url_lossy();
    let store = sync_tracker::open(url.as_str()).await.unwrap();
    is_ledger_inbox_and_checkpoints(&store).await;
    drop(store);
    run("DROP DATABASE").await;
}

#[cfg(feature = "redis")]
#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn a_redis_database_has_it_all() {
    // One that tests of the store leave alone.
    let url = format!("{}15", env::var("SYNC_TRACKER_REDIS_URL").unwrap());
    let mut server = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    redis::cmd("FLUSHDB").exec(&mut server).unwrap();
    let store = sync_tracker::open(&url).await.unwrap();
    is_ledger_inbox_and_checkpoints(&store).await;
    redis::cmd("FLUSHDB").exec(&mut server).unwrap();
}

#[tokio::test]
async fn a_sqlite_url_without_a_path_is_invalid() {
    let error = sync_tracker::open("sqlite:").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
