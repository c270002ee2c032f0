//! Text that means something to the server is text: in every call that carries some.
//!
//! The suite sends such text through single changes and imports; here it goes through batches,
//! claims, transactions, renamings, filters, the inbox and checkpoints as well.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use serde_json::{Value, json};
use sync_tracker_core::rules::{Bind, BindMode, MarkSynced, Success};
use sync_tracker_core::{
    BeginInbox, Begun, Change, ChangeId, CheckpointStore, ClaimId, ClaimRequest, ExternalId,
    Filter, Generation, Guard, InboxStore, JsonValue, Key, Metadata, Millis, PageSize, Removal,
    Renamed, SaveCheckpoint, Saved, Settled, SyncStore, TransactionalStore, Version, rules,
};
use sync_tracker_mongo::{MongoOptions, MongoStore};

use self::mongo::{OwnDatabase, url};

const HOSTILE: [&str; 12] = [
    "$where",
    "$$ROOT",
    "$$NOW",
    "$$REMOVE",
    "a.b",
    "$_id.source",
    "__proto__",
    "_id",
    "{\"$gt\":\"\"}",
    "0",
    "$",
    "..",
];

async fn store() -> (MongoStore, OwnDatabase) {
    let database = OwnDatabase::new();
    let options = MongoOptions::from_url(&url()).await.unwrap().database(database.name());
    (options.open().await.unwrap(), database)
}

fn nested(text: &str, levels: usize) -> Value {
    (0..levels).fold(json!(text), |inner, level| match level % 2 {
        0 => json!({ text: inner }),
        _ => json!([inner]),
    })
}

fn hostile_metadata(text: &str) -> Metadata {
    // One level more would be invalid.
    Metadata::new(json!({ text: nested(text, 63), "plain": { text: [text, null, {}, []] } }))
        .unwrap()
}

fn with_metadata(text: &str) -> Change {
    let success = Success::default().replacing_metadata(hostile_metadata(text));
    MarkSynced { success }.change()
}

fn keys() -> Vec<Key> {
    HOSTILE.iter().map(|text| Key::new(*text, *text, *text).unwrap()).collect()
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn batches_and_filters_take_text_as_text() {
    let (store, _database) = store().await;
    let binds = HOSTILE.iter().zip(keys()).map(|(text, key)| {
        let external_id = ExternalId::new(*text).unwrap();
        (key, Bind { external_id, mode: BindMode::Add }.change())
    });
    let binds: Vec<_> = binds.collect();
    let marks: Vec<_> =
        HOSTILE.iter().zip(keys()).map(|(text, key)| (key, with_metadata(text))).collect();
    for items in [&binds, &marks] {
        for ((key, _), outcome) in items.iter().zip(store.apply_many(items).await) {
            let outcome = outcome.unwrap();
            assert!(outcome.is_applied(), "{key}: {outcome:?}");
            assert_eq!(outcome.record(), store.get(key).await.unwrap().as_ref());
        }
    }
    // Of one source and entity type, so that they share an update.
    let alike = |n: usize| Key::new("alike", "alike", HOSTILE[n]).unwrap();
    for items in [
        (0..HOSTILE.len()).map(|n| (alike(n), binds[n].1.clone())).collect::<Vec<_>>(),
        (0..HOSTILE.len()).map(|n| (alike(n), marks[n].1.clone())).collect(),
    ] {
        for (n, outcome) in store.apply_many(&items).await.into_iter().enumerate() {
            let outcome = outcome.unwrap();
            assert!(outcome.is_applied(), "{}: {outcome:?}", HOSTILE[n]);
            assert_eq!(outcome.record(), store.get(&alike(n)).await.unwrap().as_ref());
        }
    }
    for (n, text) in HOSTILE.iter().enumerate() {
        let record = store.get(&alike(n)).await.unwrap().unwrap();
        assert_eq!(record.external_id.as_ref().map(ExternalId::as_str), Some(*text));
        assert_eq!(record.metadata, hostile_metadata(text));
        let removed = store.remove(&alike(n), &Guard::default()).await.unwrap();
        assert_eq!(removed, Removal::Removed);
    }
    for (text, key) in HOSTILE.iter().zip(keys()) {
        let metadata = Some(hostile_metadata(text));
        let source = Some(key.source.clone());
        for filter in [
            Filter { metadata: metadata.clone(), ..Filter::default() },
            Filter { metadata, source, ..Filter::default() },
        ] {
            let page = store.list(&filter, None, PageSize::MAX).await.unwrap();
            let found: Vec<_> = page.records.iter().map(|record| &record.key).collect();
            assert_eq!(found, [&key], "{text}");
        }
        let id = ExternalId::new(*text).unwrap();
        let found = store.by_external_id(&key.source, &key.entity.entity_type, &id).await.unwrap();
        assert_eq!(found.unwrap().key, key);
        let of_entity = store.records_of(&key.entity).await.unwrap();
        assert_eq!(of_entity.len(), 1, "{text}");
        assert_eq!(store.statistics(&key.source).await.unwrap().counts.total(), 1);
    }
    let mut sources: Vec<_> = keys().into_iter().map(|key| key.source).collect();
    sources.sort();
    assert_eq!(store.sources().await.unwrap(), sources);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn claims_transactions_and_renamings_take_text_as_text() {
    let (store, _database) = store().await;
    for text in HOSTILE {
        let (key, to) = (Key::new(text, text, "1").unwrap(), Key::new(text, text, text).unwrap());
        let mut session = store.client().start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        let bind = Bind { external_id: ExternalId::new(text).unwrap(), mode: BindMode::Add };
        for change in [rules::created(), bind.change()] {
            let outcome = store.apply_in(&mut session, &key, &change).await.unwrap();
            assert!(outcome.is_applied(), "{outcome:?}");
        }
        let seen = store.records_of_in(&mut session, &key.entity).await.unwrap();
        assert_eq!(seen.len(), 1);
        session.commit_transaction().await.unwrap();
        assert_eq!(store.rename(&key, &to).await.unwrap(), Renamed::Moved);
        let other = Key::new(text, text, "2").unwrap();
        let _ = store.apply(&other, &rules::created()).await.unwrap();
        let ttl = Millis::new(60_000).unwrap();
        let claim = ClaimRequest::new(to.source.clone(), ClaimId::random(), 5, ttl, 5).unwrap();
        let leased = store.claim(&claim).await.unwrap().leased;
        let leased: Vec<_> = leased.into_iter().map(|record| record.key).collect();
        assert_eq!(leased, [to, other]);
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn the_inbox_and_checkpoints_take_text_as_text() {
    let (store, _database) = store().await;
    let span = Millis::new(60_000).unwrap();
    for text in HOSTILE {
        let value = JsonValue::new(json!({ text: nested(text, 30) })).unwrap();
        let begin = || {
            let (source, key) = (text.try_into().unwrap(), text.try_into().unwrap());
            BeginInbox::new(source, key, span, ChangeId::random()).unwrap()
        };
        let Begun::Fresh(ticket) = store.begin(&begin()).await.unwrap() else { panic!() };
        assert_eq!(store.complete(&ticket, &value, span).await.unwrap(), Settled::Done);
        assert_eq!(store.begin(&begin()).await.unwrap(), Begun::Done(value.clone()));

        let request = SaveCheckpoint {
            source: text.try_into().unwrap(),
            stream: text.try_into().unwrap(),
            value: value.clone(),
            version: Version::ZERO,
            generation: Generation::ZERO,
            id: ChangeId::random(),
        };
        let Saved::Done(saved) = store.save(&request).await.unwrap() else { panic!() };
        assert_eq!(saved.value.as_ref(), Some(&value));
        let all = store.checkpoints(&request.source).await.unwrap();
        assert_eq!(all, [(request.stream.clone(), saved)]);
    }
}
