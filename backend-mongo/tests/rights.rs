//! A user who may do what `docs/mongo.md` says, and no more, may call everything.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "mongo/mod.rs"]
mod mongo;

use std::time::Duration;

use mongodb::bson::{Document, doc};
use sync_tracker_conformance::{Differential, Setup, checkpoints, inbox};
use sync_tracker_core::{ErrorKind, Guard, Key, Survival, SyncStore, TransactionalStore, rules};
use sync_tracker_mongo::{MongoOptions, MongoStore};
use tokio::runtime::Runtime;

use self::mongo::own::OwnServer;

/// What a user has to be allowed on each collection.
const ACTIONS: [&str; 5] = ["find", "insert", "update", "remove", "createIndex"];

/// In any database, since each test has one of its own.
fn rights(actions: &[&str]) -> Vec<Document> {
    let right = |collection: &str| {
        let resource = doc! { "db": "", "collection": collection };
        doc! { "resource": resource, "actions": actions }
    };
    ["records", "records.inbox", "records.checkpoints", "records.pauses"].map(right).into()
}

/// A server with a user who has all rights, and one for each right who has all others.
async fn served() -> OwnServer {
    let mut server = OwnServer::alone(&[]).await;
    for without in ["nothing"].iter().chain(&ACTIONS) {
        let actions: Vec<_> = ACTIONS.into_iter().filter(|action| action != without).collect();
        let role = doc! { "createRole": without, "privileges": rights(&actions), "roles": [] };
        server.say(role).await;
        let roles = [*without];
        server.say(doc! { "createUser": without, "pwd": "secret", "roles": &roles[..] }).await;
    }
    server.ask_for_passwords();
    server
}

fn url_of(server: &OwnServer, without: &str) -> String {
    format!("mongodb://{without}:secret@127.0.0.1:{}/?replicaSet=own", server.port)
}

async fn options(url: &str, database: &str) -> MongoOptions {
    let options = MongoOptions::from_url(url).await.unwrap();
    options.database(database).deadline(Duration::from_secs(20))
}

async fn opened(url: String, setup: Setup) -> MongoStore {
    options(&url, &setup.namespace).await.clock(setup.clock).open().await.unwrap()
}

#[test]
#[ignore = "needs mongod"]
fn a_user_with_the_rights_that_are_told_may_call_everything() {
    use checkpoints::behaviours as of_checkpoints;
    use inbox::behaviours as of_inbox;
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(served());
    let url = url_of(&server, "nothing");
    runtime.block_on(transaction(&url));
    let open = move |setup| opened(url.clone(), setup);
    Differential::new(&open).cases(2).run();
    inbox::run("done", open.clone(), of_inbox::a_completed_message_is_answered_with_its_outcome);
    inbox::run("left", open.clone(), of_inbox::an_abandoned_message_is_begun_again_at_once);
    inbox::run("gone", open.clone(), of_inbox::what_is_of_no_use_is_forgotten);
    checkpoints::run("kept", open.clone(), of_checkpoints::every_save_counts_a_version);
    checkpoints::run("reset", open.clone(), of_checkpoints::a_repeated_reset_resets_once);
    checkpoints::run("horizon", open, of_checkpoints::a_purge_horizon_never_goes_back);
}

fn key() -> Key {
    Key::new("shop", "product", 1).unwrap()
}

async fn transaction(url: &str) {
    let store = options(url, "transaction").await.open().await.unwrap();
    let mut session = store.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let made = store.apply_in(&mut session, &key(), &rules::created()).await.unwrap();
    assert!(made.is_applied());
    session.commit_transaction().await.unwrap();
    assert!(store.get(&key()).await.unwrap().is_some());
    // That is told by `serverStatus`.
    assert_eq!(store.durability().await.unwrap().power_loss, Survival::Unknown);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_user_who_lacks_a_right_is_told_so() {
    let server = served().await;
    let all = options(&url_of(&server, "nothing"), "ledger").await.open().await.unwrap();
    for without in ACTIONS {
        assert!(all.apply(&key(), &rules::updated()).await.unwrap().is_applied());
        let options = options(&url_of(&server, without), "ledger").await;
        let store = options.clone().migrate(false).open().await.unwrap();
        let new = Key::new("shop", "product", 2).unwrap();
        let refused = match without {
            "find" => store.get(&key()).await.unwrap_err(),
            "insert" => store.apply(&new, &rules::created()).await.unwrap_err(),
            "update" => store.apply(&key(), &rules::updated()).await.unwrap_err(),
            "remove" => store.remove(&key(), &Guard::default()).await.unwrap_err(),
            _ => options.open().await.unwrap_err(),
        };
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{without}: {refused:?}");
    }
}
