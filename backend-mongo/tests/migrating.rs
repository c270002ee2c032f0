//! Indexes are made once, whoever opens first, and what is in their way is named.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use futures_util::future::join_all;
use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection, IndexModel};
use sync_tracker_core::rules::{Bind, BindMode};
use sync_tracker_core::{Error, ErrorKind, ExternalId, Key, SyncStore};
use sync_tracker_mongo::{MongoOptions, MongoStore};

use self::mongo::{OwnDatabase, url};

async fn options(database: &OwnDatabase) -> MongoOptions {
    MongoOptions::from_url(&url()).await.unwrap().database(database.name())
}

async fn refused(database: &OwnDatabase) -> Error {
    options(database).await.open().await.unwrap_err()
}

async fn records(database: &OwnDatabase) -> Collection<Document> {
    Client::with_uri_str(url()).await.unwrap().database(database.name()).collection("records")
}

async fn bound(store: &MongoStore, entity: &str) {
    let key = Key::new("shop", "product", entity).unwrap();
    let bind = Bind { external_id: ExternalId::new("gid-7").unwrap(), mode: BindMode::Add };
    assert!(store.apply(&key, &bind.change()).await.unwrap().is_applied());
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn sixteen_that_open_at_once_make_the_indexes_once() {
    let database = OwnDatabase::new();
    let opening = (0..16).map(|_| async {
        // Each has a client of its own, as a process has.
        options(&database).await.open().await
    });
    for opened in join_all(opening).await {
        opened.unwrap();
    }
    let mut names = records(&database).await.list_index_names().await.unwrap();
    names.sort();
    assert_eq!(names, ["_id_", "claims", "due", "entity", "held_ids", "let_go_ids", "status"]);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn two_holders_of_one_external_id_are_named() {
    let database = OwnDatabase::new();
    let unguarded = options(&database).await.migrate(false).open().await.unwrap();
    for entity in ["1", "2"] {
        bound(&unguarded, entity).await;
    }
    let refused = refused(&database).await;
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused:?}");
    let text = refused.to_string();
    for part in ["shop", "product", "gid-7"] {
        assert!(text.contains(part), "{text}");
    }
    let two = Key::new("shop", "product", "2").unwrap();
    let _ = unguarded.remove(&two, &Default::default()).await.unwrap();
    options(&database).await.open().await.unwrap();
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn an_index_in_the_way_is_told_and_left_alone() {
    let database = OwnDatabase::new();
    let options = mongodb::options::IndexOptions::builder().name("due".to_owned()).build();
    let other = IndexModel::builder().keys(doc! { "something": 1 }).options(options).build();
    records(&database).await.create_index(other).await.unwrap();
    let refused = refused(&database).await;
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    records(&database).await.drop_index("due").await.unwrap();
    self::options(&database).await.open().await.unwrap();
}
