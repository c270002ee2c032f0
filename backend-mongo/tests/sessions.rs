//! What a transaction of the caller meets on this server alone.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use mongodb::{Client, ClientSession};
use sync_tracker_core::rules::{Bind, BindMode};
use sync_tracker_core::{
    Change, ErrorKind, ExternalId, Key, Refusal, SyncStore, TransactionalStore, rules,
};
use sync_tracker_mongo::{MongoOptions, MongoStore};

use self::mongo::{OwnDatabase, url};

async fn store(database: &OwnDatabase) -> MongoStore {
    let options = MongoOptions::from_url(&url()).await.unwrap().database(database.name());
    options.open().await.unwrap()
}

async fn begun(store: &MongoStore) -> ClientSession {
    let mut session = store.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    session
}

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

fn binding() -> Change {
    Bind { external_id: ExternalId::new("x").unwrap(), mode: BindMode::Add }.change()
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn an_external_id_taken_since_a_transaction_began_ends_it_and_the_next_is_told_by_whom() {
    let database = OwnDatabase::new();
    let store = store(&database).await;
    let mut session = begun(&store).await;
    let seen = store.records_of_in(&mut session, &key(1).entity).await.unwrap();
    assert_eq!(seen, []);
    assert!(store.apply(&key(2), &binding()).await.unwrap().is_applied());
    let met = store.apply_in(&mut session, &key(1), &binding()).await.unwrap_err();
    assert_eq!(met.kind(), ErrorKind::Unavailable, "{met:?}");
    session.abort_transaction().await.unwrap();
    assert_eq!(store.get(&key(1)).await.unwrap(), None);

    let mut session = begun(&store).await;
    let refused = store.apply_in(&mut session, &key(1), &binding()).await.unwrap();
    let Some(Refusal::ExternalIdTaken { by, .. }) = refused.refusal() else {
        panic!("{refused:?}")
    };
    assert_eq!(by.as_ref(), Some(&key(2).entity));
    let made = store.apply_in(&mut session, &key(1), &rules::created()).await.unwrap();
    assert!(made.is_applied());
    session.commit_transaction().await.unwrap();
    assert!(store.get(&key(1)).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_record_that_another_transaction_changes_is_unavailable_at_once() {
    let database = OwnDatabase::new();
    let store = store(&database).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    let (mut first, mut second) = (begun(&store).await, begun(&store).await);
    let change = rules::updated();
    let _ = store.apply_in(&mut first, &key(1), &rules::updated()).await.unwrap();
    let met = store.apply_in(&mut second, &key(1), &change).await.unwrap_err();
    assert!(met.is_retryable() && met.kind() == ErrorKind::Unavailable, "{met:?}");
    assert_eq!(met.key(), Some(&key(1)));
    first.commit_transaction().await.unwrap();
    second.abort_transaction().await.unwrap();
    second.start_transaction().await.unwrap();
    let again = store.apply_in(&mut second, &key(1), &change).await.unwrap();
    second.commit_transaction().await.unwrap();
    assert_eq!(again.record().unwrap().revision.get(), 3);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_session_of_another_client_is_invalid() {
    let database = OwnDatabase::new();
    let store = store(&database).await;
    let other = Client::with_uri_str(url()).await.unwrap();
    let mut session = other.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let refused = store.apply_in(&mut session, &key(1), &rules::created()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused:?}");
}
