//! What opening a store says, and what becomes of a store whose file is in a bad way.

#![allow(clippy::unwrap_used)] // all of it is tests

mod stores;

use std::fs;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row, query};
use sync_tracker_core::{
    CheckpointStore, Durability, EntityRef, ErrorKind, Guard, InboxStore, Key, Metadata,
    MetadataOp, Millis, Refusal, Removal, Source, Survival, SyncStore, Tracker, rules,
};
use sync_tracker_sqlite::{SqliteOptions, SqliteStore, Synchronous};

use self::stores::Scratch;

fn key(id: impl Into<sync_tracker_core::EntityId>) -> Key {
    let entity = EntityRef { entity_type: "product".try_into().unwrap(), entity_id: id.into() };
    entity.in_source(&Source::new("shop").unwrap())
}

/// A connection that is not the store's.
async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Of all errors that an error was caused by, the text.
fn causes(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!("; {}", causes(source)));
    format!("{error}{}", source.unwrap_or_default())
}

#[tokio::test]
async fn a_missing_folder_is_told_with_the_path() {
    let error = SqliteStore::open("sqlite:/no/such/folder/x.db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("/no/such/folder/x.db"), "{error}");
    assert!(causes(&error).contains("cannot be opened"), "{}", causes(&error));
}

#[tokio::test]
async fn a_url_of_another_scheme_is_invalid() {
    for url in ["postgres://x", "sqlite:", "sqlite://", "x.db"] {
        assert_eq!(SqliteStore::open(url).await.unwrap_err().kind(), ErrorKind::Invalid, "{url}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt_and_left_alone() {
    let scratch = Scratch::new("no_database");
    let text = "id,title\n".repeat(1_000);
    fs::write(scratch.path(), &text).unwrap();
    let error = SqliteOptions::file(scratch.path()).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(fs::read_to_string(scratch.path()).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_file_is_corrupt_and_says_so_in_time() {
    let scratch = Scratch::new("damaged");
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    let items: Vec<_> = (0..500).map(|id| (key(id), rules::created())).collect();
    assert!(store.apply_many(&items).await.iter().all(Result::is_ok));
    store.close().await;
    let mut bytes = fs::read(scratch.path()).unwrap();
    for page in bytes.chunks_mut(4096).skip(8) {
        page.fill(0xAB);
    }
    fs::write(scratch.path(), bytes).unwrap();
    let store = match SqliteOptions::file(scratch.path()).open().await {
        Ok(store) => store,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Corrupt),
    };
    let mut corrupt = 0;
    for id in 0..500 {
        for error in
            [store.get(&key(id)).await.err(), store.apply(&key(id), &rules::updated()).await.err()]
        {
            corrupt += error.map_or(0, |error| {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
                1
            });
        }
    }
    assert!(corrupt > 100, "{corrupt}");
}

#[tokio::test]
async fn a_record_that_does_not_decode_is_corrupt_and_keeps_no_other_from_being_written() {
    let scratch = Scratch::new("undecodable");
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    for id in [1, 2] {
        let _ = store.apply(&key(id), &rules::created()).await.unwrap();
    }
    let statement = "UPDATE sync_records SET metadata = '{' WHERE entity_id = '1'";
    query(statement).execute(&mut connect(scratch.path()).await).await.unwrap();
    let error = store.get(&key(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&key(1))));
    let items = [1, 2, 3].map(|id| (key(id), rules::updated()));
    let outcomes = store.apply_many(&items).await;
    let kinds: Vec<_> = outcomes.iter().map(|it| it.as_ref().err().map(|it| it.kind())).collect();
    assert_eq!(kinds, [Some(ErrorKind::Corrupt), None, None]);
}

#[tokio::test]
async fn a_full_database_takes_nothing_half_and_goes_on_when_there_is_room() {
    let scratch = Scratch::new("full");
    let options = SqliteOptions::file(scratch.path());
    let store = options.clone().max_pages(60).open().await.unwrap();
    let text = "x".repeat(10_000);
    let metadata = Metadata::new(serde_json::json!({ "text": text })).unwrap();
    let change = || {
        let metadata = MetadataOp::Replace(metadata.clone());
        let success = rules::Success { metadata, ..rules::Success::default() };
        rules::MarkSynced { success }.change()
    };
    let mut stored = 0;
    let refused = loop {
        match store.apply(&key(stored), &change()).await {
            Ok(outcome) => assert!(outcome.is_applied()),
            Err(error) => break error,
        }
        stored += 1;
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    assert!(stored > 0);
    assert_eq!(store.get(&key(stored)).await.unwrap(), None);
    assert_eq!(store.verify().await.unwrap(), []);
    // What needs no room is answered all the same, in one group with what finds none.
    let (next, zero, large, created) = (key(stored), key(0), change(), rules::created());
    let (refused, known) = tokio::join!(store.apply(&next, &large), store.apply(&zero, &created));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(known.unwrap().refusal(), Some(&Refusal::AlreadyExists));
    assert_eq!(store.remove(&zero, &Guard::default()).await.unwrap(), Removal::Removed);
    assert!(store.apply(&next, &large).await.unwrap().is_applied(), "there is room now");
    assert_eq!(store.verify().await.unwrap(), []);
    store.close().await;
    let store = options.open().await.unwrap();
    assert!(store.apply(&key(0), &change()).await.unwrap().is_applied());
}

#[tokio::test]
async fn a_store_that_may_only_read_reads_and_is_told_unsupported_when_it_writes() {
    let scratch = Scratch::new("read_only");
    let options = SqliteOptions::file(scratch.path());
    assert_eq!(
        options.clone().read_only().open().await.unwrap_err().kind(),
        ErrorKind::Unavailable,
        "there is no file yet"
    );
    let writing = options.clone().open().await.unwrap();
    let _ = writing.apply(&key(1), &rules::created()).await.unwrap();
    let reading = options.read_only().open().await.unwrap();
    assert!(reading.get(&key(1)).await.unwrap().is_some());
    let error = reading.apply(&key(1), &rules::updated()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(reading.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_file_that_another_keeps_locked_is_unavailable_after_the_patience() {
    let scratch = Scratch::new("locked");
    let patience = std::time::Duration::from_millis(200);
    let store = SqliteOptions::file(scratch.path()).patience(patience).open().await.unwrap();
    let mut other = connect(scratch.path()).await;
    query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = store.apply(&key(1), &rules::created()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(store.get(&key(1)).await.unwrap(), None, "reading is possible all the while");
    query("COMMIT").execute(&mut other).await.unwrap();
    assert!(store.apply(&key(1), &rules::created()).await.unwrap().is_applied());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_when_the_file_is_opened_again() {
    let scratch = Scratch::new("reopened");
    let source = Source::new("shop").unwrap();
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    let tracker = Tracker::new(store.clone());
    let _ = tracker.mark_synced(key(1).entity, "shop").external_id("x").await.unwrap();
    let horizon = store.raise_horizon(&source, store.now().await.unwrap()).await.unwrap();
    drop(tracker);
    store.close().await;
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    let tracker = Tracker::new(store.clone());
    assert!(tracker.is_synced(key(1).entity, "shop").await.unwrap());
    let found = tracker.by_external_id("shop", "product", "x").await.unwrap();
    assert_eq!(found.map(|found| found.key), Some(key(1)));
    assert_eq!(store.horizon(&source).await.unwrap(), Some(horizon));
    assert_eq!(store.forget_expired(&source, Millis::ZERO).await.unwrap(), 0);
}

#[tokio::test]
async fn durability_is_what_the_settings_in_force_say() {
    let kept = |power_loss| Durability {
        process_crash: Survival::Kept,
        power_loss,
        failover: Survival::MayBeLost,
    };
    for (synchronous, power_loss) in [
        (Synchronous::Full, Survival::Kept),
        (Synchronous::Normal, Survival::MayBeLost),
        (Synchronous::Off, Survival::MayBeLost),
    ] {
        let scratch = Scratch::new(&format!("durability_{synchronous:?}"));
        let options = SqliteOptions::file(scratch.path()).synchronous(synchronous);
        let store = options.open().await.unwrap();
        assert_eq!(store.durability().await.unwrap(), kept(power_loss));
    }
    let store = SqliteStore::open("sqlite::memory:").await.unwrap();
    assert_eq!(store.durability().await.unwrap().process_crash, Survival::MayBeLost);
}

#[tokio::test]
async fn tables_of_a_newer_minor_version_are_accepted_and_of_a_newer_major_refused() {
    let scratch = Scratch::new("versions");
    let options = SqliteOptions::file(scratch.path());
    options.clone().open().await.unwrap().close().await;
    let set = "UPDATE sync_schema SET major = ?, minor = ?";
    let mut other = connect(scratch.path()).await;
    query(set).bind(1).bind(7).execute(&mut other).await.unwrap();
    query("ALTER TABLE sync_records ADD COLUMN added_later TEXT")
        .execute(&mut other)
        .await
        .unwrap();
    let store = options.clone().open().await.unwrap();
    assert!(store.apply(&key(1), &rules::created()).await.unwrap().is_applied());
    assert!(store.get(&key(1)).await.unwrap().is_some());
    store.close().await;
    query(set).bind(2).bind(0).execute(&mut other).await.unwrap();
    let error = options.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(causes(&error).contains("version 2.0"), "{}", causes(&error));
    let row = query("SELECT major FROM sync_schema").fetch_one(&mut other).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 2, "it is left alone");
}
