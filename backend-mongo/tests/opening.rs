//! Stores are opened as they are told, and errors say what a caller can do.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use std::error::Error as _;
use std::time::Duration;

use mongodb::options::{Acknowledgment, WriteConcern};
use sync_tracker_core::{
    Arm, AttemptsOp, Change, Durability, EntityRef, ErrorKind, Key, Patch, Survival, SyncStore,
    Tracker,
};
use sync_tracker_mongo::MongoOptions;

use self::mongo::{OwnDatabase, url};

async fn options(database: &OwnDatabase) -> MongoOptions {
    MongoOptions::from_url(&url()).await.unwrap().database(database.name())
}

fn with_parameters(parameters: &str) -> String {
    let url = url();
    format!("{url}{}{parameters}", if url.contains('?') { '&' } else { '?' })
}

/// A change that must not be applied twice.
fn counted() -> Change {
    let then = Patch { attempts: AttemptsOp::Charge, ..Patch::default() };
    Change::new([Arm { then, ..Arm::default() }]).unwrap()
}

#[tokio::test]
async fn no_error_and_no_debug_tells_the_password() {
    let url = "mongodb://app:hunter2@127.0.0.1:1/shop?replicaSet=rs";
    let options = MongoOptions::from_url(url).await.unwrap().deadline(Duration::from_millis(300));
    assert!(!format!("{options:?}").contains("hunter2"));
    let failed = options.open().await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert!(!format!("{failed:?} {failed} {:?}", failed.source()).contains("hunter2"));
    for wrong in ["redis://app:hunter2@x", "mongodb://app:hunter2@x?w=hunter2&journal=hunter2"] {
        let failed = MongoOptions::from_url(wrong).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Invalid, "{failed}");
        assert!(!format!("{failed:?} {failed}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_invalid() {
    let options = MongoOptions::from_url("mongodb://127.0.0.1:1").await.unwrap();
    for name in ["", "a.b", "$cmd", "a b", &"x".repeat(41)] {
        let failed = options.clone().collection(name).open().await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Invalid);
        let failed = options.clone().database(name).open().await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Invalid);
    }
}

fn concern(w: Acknowledgment, journal: bool) -> WriteConcern {
    WriteConcern::builder().w(Some(w)).journal(journal).build()
}

#[tokio::test]
async fn writes_that_nobody_acknowledges_are_invalid() {
    let options = MongoOptions::from_url("mongodb://127.0.0.1:1").await.unwrap();
    let options = options.write_concern(concern(Acknowledgment::Nodes(0), false));
    assert_eq!(options.open().await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn what_writes_wait_for_says_what_can_be_lost() {
    use Survival::{Kept, MayBeLost};
    let database = OwnDatabase::new();
    let store = options(&database).await.open().await.unwrap();
    // It is a set of one, and nobody else has what it had.
    let all = Durability { process_crash: Kept, power_loss: Kept, failover: MayBeLost };
    assert_eq!(store.durability().await.unwrap(), all);
    let one = options(&database).await.write_concern(concern(Acknowledgment::Nodes(1), true));
    let said = one.open().await.unwrap().durability().await.unwrap();
    assert_eq!(said, all);
    let none = options(&database).await.write_concern(concern(Acknowledgment::Majority, false));
    let said = none.open().await.unwrap().durability().await.unwrap();
    let lost = Durability { process_crash: MayBeLost, power_loss: MayBeLost, failover: MayBeLost };
    assert_eq!(said, lost);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_write_without_answer_is_unknown_and_its_repeat_counts_once() {
    let database = OwnDatabase::new();
    let store = options(&database).await.open().await.unwrap();
    // Time enough to find the server, and none to wait for it.
    let patient = with_parameters("serverSelectionTimeoutMS=5000");
    let hasty = MongoOptions::from_url(&patient).await.unwrap().database(database.name());
    let hasty = hasty.migrate(false).deadline(Duration::from_nanos(1)).open().await.unwrap();
    let (key, change) = (Key::new("shop", "product", 1).unwrap(), counted());
    let late = hasty.apply(&key, &change).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unknown, "{late:?}");
    assert_eq!(late.key(), Some(&key));
    assert_eq!(hasty.get(&key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(store.apply(&key, &change).await.unwrap().is_applied());
    assert_eq!(store.get(&key).await.unwrap().unwrap().attempts, 1);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn opening_again_changes_nothing_and_many_may_open_at_once() {
    let database = OwnDatabase::new();
    let opening = (0..8).map(|_| async { options(&database).await.open().await.unwrap() });
    let stores = futures_util::future::join_all(opening).await;
    let tracker = Tracker::new(stores[0].clone()).with_sources("product", ["shop"]).unwrap();
    tracker.created(EntityRef::new("product", 1).unwrap()).await.unwrap();
    let again = options(&database).await.open().await.unwrap();
    assert_eq!(again.sources().await.unwrap().len(), 1);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn what_a_url_says_of_concerns_does_not_count() {
    let database = OwnDatabase::new();
    let url = with_parameters("w=1&journal=false&readPreference=secondary");
    let options = MongoOptions::from_url(&url).await.unwrap().database(database.name());
    let store = options.open().await.unwrap();
    let key = Key::new("shop", "product", 1).unwrap();
    assert!(store.apply(&key, &counted()).await.unwrap().is_applied());
    // There is no secondary to read from.
    assert!(store.get(&key).await.unwrap().is_some());
}
