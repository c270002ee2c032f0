//! What servers refuse, forget and lose, and how the store says so.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "mongo/mod.rs"]
mod mongo;

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use serde_json::json;
use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
use sync_tracker_core::rules::{self, RetrySchedule};
use sync_tracker_core::{
    Arm, AttemptsOp, Change, ErrorKind, FailureNote, Key, Metadata, MetadataMerge, MetadataOp,
    Patch, Result, SyncStore,
};
use sync_tracker_mongo::{MongoOptions, MongoStore};

use self::mongo::own::{OwnServer, initiate};
use self::mongo::{OwnDatabase, url};

const TEST_COMMANDS: [&str; 2] = ["--setParameter", "enableTestCommands=1"];

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

/// A change that must not be applied twice.
fn counted() -> Change {
    rules::mark_failed(&FailureNote::transient("again"), &RetrySchedule::default(), None)
}

async fn options(server: &OwnServer) -> MongoOptions {
    MongoOptions::from_url(&server.url()).await.unwrap()
}

async fn attempts(store: &MongoStore) -> u32 {
    store.get(&key(1)).await.unwrap().map_or(0, |record| record.attempts)
}

fn kind<T>(answer: Result<T>) -> ErrorKind {
    answer.map(drop).unwrap_err().kind()
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_a_server_did_before_it_failed_is_unknown_and_what_it_refused_is_not_done() {
    use ErrorKind::{Unavailable, Unknown};
    let server = OwnServer::alone(&TEST_COMMANDS).await;
    let store = options(&server).await.open().await.unwrap();
    let once = doc! { "times": 1 };
    let cases = [
        (doc! { "errorCode": 10_107 }, Unavailable, "not the primary"),
        (doc! { "errorCode": 112 }, Unavailable, "a conflict"),
        (doc! { "errorCode": 11_602 }, Unknown, "stepped down meanwhile"),
        (doc! { "errorCode": 91 }, Unknown, "shut down meanwhile"),
        (doc! { "errorCode": 50 }, Unknown, "out of time"),
        (doc! { "closeConnection": true }, Unknown, "gone"),
    ];
    let mut counts = 0;
    for (how, expected, what) in cases {
        let change = counted();
        server.fail(once.clone(), how).await;
        assert_eq!(kind(store.apply(&key(1), &change).await), expected, "{what}");
        assert_eq!(attempts(&store).await, counts, "{what}: nothing was done");
        assert!(store.apply(&key(1), &change).await.unwrap().is_applied());
        counts += 1;
        assert_eq!(attempts(&store).await, counts, "{what}");
    }
    // It is written, and the majority has not confirmed it.
    let change = counted();
    let unconfirmed = doc! { "writeConcernError": { "code": 64, "errmsg": "waited too long" } };
    server.fail(once, unconfirmed).await;
    assert_eq!(kind(store.apply(&key(1), &change).await), Unknown);
    assert_eq!(attempts(&store).await, counts + 1);
    assert!(store.apply(&key(1), &change).await.unwrap().is_applied());
    assert_eq!(attempts(&store).await, counts + 1);
}

/// The reply of the first is lost, and the driver tells what the second one said.
#[tokio::test]
#[ignore = "needs mongod"]
async fn a_second_server_that_does_nothing_does_not_hide_what_the_first_one_did() {
    let server = OwnServer::alone(&TEST_COMMANDS).await;
    let sound = options(&server).await.open().await.unwrap();
    assert!(sound.apply(&key(1), &counted()).await.unwrap().is_applied());
    let address = format!("127.0.0.1:{}", server.port).parse().unwrap();
    let proxy = FaultProxy::start(address).await.unwrap();
    let url = format!(
        "mongodb://{}/?directConnection=true&serverMonitoringMode=poll\
         &heartbeatFrequencyMS=600000",
        proxy.address()
    );
    let client = ClientOptions::parse(&url).await.unwrap();
    let own = MongoOptions::from_options(client.clone());
    let given = mongodb::Client::with_options(client.clone()).unwrap();
    let stores = [
        own.migrate(false).open().await.unwrap(),
        MongoOptions::from_options(client).migrate(false).open_on(given).await.unwrap(),
    ];
    for (store, sent) in stores.iter().zip([1, 2]) {
        let before = attempts(store).await;
        let change = counted();
        let not_the_primary = doc! { "errorCode": 10_107, "errorLabels": ["RetryableWriteError"] };
        server.fail(doc! { "skip": 1 }, not_the_primary).await;
        proxy.reset_counts();
        proxy.arm(WireFault::Cut, Direction::ToClient, Trigger::Next(1));
        let answer = store.apply(&key(1), &change).await;
        proxy.clear();
        server.heal().await;
        assert_eq!(attempts(&sound).await, before + 1, "{sent}: it was done");
        assert_eq!(kind(answer), ErrorKind::Unknown, "{sent}");
        assert!(store.apply(&key(1), &change).await.unwrap().is_applied());
        assert_eq!(attempts(&sound).await, before + 1, "{sent}: it was done once");
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn an_answer_that_comes_too_late_is_unknown_and_the_change_is_applied_once() {
    let server = OwnServer::alone(&TEST_COMMANDS).await;
    let sound = options(&server).await.open().await.unwrap();
    let hasty = options(&server).await.deadline(Duration::from_millis(300)).open().await.unwrap();
    assert!(hasty.apply(&key(1), &counted()).await.unwrap().is_applied());
    let change = counted();
    let slow = doc! { "blockConnection": true, "blockTimeMS": 1_000 };
    server.fail(doc! { "times": 1 }, slow).await;
    assert_eq!(kind(hasty.apply(&key(1), &change).await), ErrorKind::Unknown);
    // It goes on beside what was given up, which is carried out, too.
    let repeated = hasty.apply(&key(1), &change).await.unwrap();
    assert_eq!(repeated.record().unwrap().attempts, 2);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(attempts(&sound).await, 2);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_server_that_crashed_comes_back_with_all_it_acknowledged() {
    let mut server = OwnServer::alone(&[]).await;
    let options = options(&server).await.deadline(Duration::from_secs(2));
    let store = options.open().await.unwrap();
    assert!(store.apply(&key(1), &counted()).await.unwrap().is_applied());
    server.end();
    let first = store.apply(&key(1), &counted()).await.unwrap_err();
    assert!(first.is_retryable(), "{first:?}");
    assert_eq!(kind(store.apply(&key(1), &counted()).await), ErrorKind::Unavailable);
    assert_eq!(kind(store.get(&key(1)).await), ErrorKind::Unavailable);
    server.restart(&[]);
    let change = counted();
    let mut answer = store.apply(&key(1), &change).await;
    for _ in 0..20 {
        match &answer {
            Err(error) if error.is_retryable() => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                answer = store.apply(&key(1), &change).await;
            }
            _ => break,
        }
    }
    assert_eq!(answer.unwrap().record().unwrap().attempts, 2);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_server_that_is_not_the_primary_is_unavailable_and_writes_nothing() {
    let [first, second] = [OwnServer::start(&[]), OwnServer::start(&[])];
    initiate(&[&first, &second]).await;
    let store = options(&first).await.open().await.unwrap();
    let astray = options(&second).await;
    assert_eq!(kind(astray.clone().open().await), ErrorKind::Unavailable);
    let astray = astray.migrate(false).open().await.unwrap();
    assert_eq!(kind(astray.apply(&key(1), &counted()).await), ErrorKind::Unavailable);
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_user_who_may_not_write_is_told_so_without_his_password() {
    let mut server = OwnServer::alone(&[]).await;
    for (user, role) in [("writer", "readWrite"), ("reader", "read")] {
        let roles = [doc! { "role": role, "db": "ledger" }];
        let user = doc! { "createUser": user, "pwd": "hunter2", "roles": roles.as_slice() };
        server.say(user).await;
    }
    server.ask_for_passwords();
    let opened = async |user: &str, password: &str| {
        let port = server.port;
        let url = format!(
            "mongodb://{user}:{password}@127.0.0.1:{port}/ledger?authSource=admin\
             &directConnection=true"
        );
        let options = MongoOptions::from_url(&url).await.unwrap();
        options.migrate(user == "writer").open().await
    };
    let store = opened("writer", "hunter2").await.unwrap();
    assert!(store.apply(&key(1), &counted()).await.unwrap().is_applied());
    let wrong = opened("writer", "hunter3").await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Unsupported, "{wrong:?}");
    let reader = opened("reader", "hunter2").await.unwrap();
    assert_eq!(attempts(&reader).await, 1);
    let refused = reader.apply(&key(1), &counted()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    for error in [&wrong, &refused] {
        let source = std::error::Error::source(error);
        assert!(!format!("{error:?} {error} {source:?}").contains("hunter"));
    }
    assert_eq!(attempts(&store).await, 1);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn many_calls_share_few_connections_and_all_are_answered() {
    let database = OwnDatabase::new();
    let mut client = ClientOptions::parse(url()).await.unwrap();
    client.max_pool_size = Some(2);
    let options = MongoOptions::from_options(client).database(database.name());
    let store = options.deadline(Duration::from_secs(60)).open().await.unwrap();
    let calls = (0..100).map(|call| {
        let store = store.clone();
        async move { store.apply(&key(call % 5), &counted()).await.map(|it| it.is_applied()) }
    });
    for applied in futures_util::future::join_all(calls).await {
        assert!(applied.unwrap());
    }
    for id in 0..5 {
        assert_eq!(store.get(&key(id)).await.unwrap().unwrap().attempts, 20);
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn calls_that_are_dropped_give_their_connections_back() {
    let database = OwnDatabase::new();
    let mut client = ClientOptions::parse(url()).await.unwrap();
    client.max_pool_size = Some(2);
    let options = MongoOptions::from_options(client).database(database.name());
    let store = options.open().await.unwrap();
    for round in 0..200_u64 {
        let (key, change) = (key(round % 10), rules::updated());
        let call = store.apply(&key, &change);
        // Each time at another place.
        let _ = tokio::time::timeout(Duration::from_micros(round * 5), call).await;
    }
    assert!(store.apply(&key(1), &counted()).await.unwrap().is_applied());
    assert_eq!(attempts(&store).await, 1);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_record_that_would_grow_beyond_a_document_is_refused_as_a_whole() {
    let database = OwnDatabase::new();
    let options = MongoOptions::from_url(&url()).await.unwrap().database(database.name());
    let store = options.open().await.unwrap();
    assert!(store.apply(&key(1), &counted()).await.unwrap().is_applied());
    let client = mongodb::Client::with_uri_str(url()).await.unwrap();
    let records = client.database(database.name()).collection::<Document>("records");
    // As 63 merges would leave it.
    let entry = |number: u32| {
        let json = format!("{:?}", "x".repeat(257 * 1024));
        doc! { "key": format!("{number:02}"), "json": json }
    };
    let metadata: Vec<_> = (0..63).map(entry).collect();
    records.update_many(doc! {}, doc! { "$set": { "metadata": metadata } }).await.unwrap();
    let large = Metadata::new(json!({ "large": "y".repeat(255 * 1024) })).unwrap();
    let merge = MetadataMerge::new(large, [""; 0]).unwrap();
    let then = Patch { metadata: MetadataOp::Merge(merge), ..Patch::default() };
    let then = Patch { attempts: AttemptsOp::Charge, ..then };
    let change = Change::new([Arm { then, ..Arm::default() }]).unwrap();
    let refused = store.apply(&key(1), &change).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused:?}");
    assert_eq!(attempts(&store).await, 1);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_call_that_no_connection_was_free_for_did_nothing_and_waits_for_nobody_when_dropped() {
    let server = OwnServer::alone(&TEST_COMMANDS).await;
    let sound = options(&server).await.open().await.unwrap();
    assert!(sound.apply(&key(1), &counted()).await.unwrap().is_applied());
    let mut client = ClientOptions::parse(server.url()).await.unwrap();
    client.max_pool_size = Some(1);
    let narrow = MongoOptions::from_options(client).deadline(Duration::from_millis(500));
    let narrow = narrow.open().await.unwrap();
    assert_eq!(attempts(&narrow).await, 1);
    let slow = doc! { "blockConnection": true, "blockTimeMS": 2_000 };
    server.fail(doc! { "times": 1 }, slow).await;
    let (first, before) = (counted(), sound.get(&key(1)).await.unwrap().unwrap());
    assert_eq!(kind(narrow.apply(&key(1), &first).await), ErrorKind::Unknown);
    assert_eq!(kind(narrow.apply(&key(1), &counted()).await), ErrorKind::Unavailable);
    for _ in 0..100 {
        let (key, change) = (key(1), rules::updated());
        let dropped = narrow.apply(&key, &change);
        assert!(tokio::time::timeout(Duration::from_millis(1), dropped).await.is_err());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let repeated = narrow.apply(&key(1), &first).await.unwrap();
    assert_eq!(repeated.record().unwrap().attempts, 2);
    assert_eq!(repeated.record().unwrap().revision, before.revision, "it was not sent");
}
