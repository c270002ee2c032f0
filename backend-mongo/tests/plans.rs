//! Claims and lookups by external id go along their indexes.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use mongodb::bson::{Document, doc};
use mongodb::{Client, Database};
use sync_tracker_core::rules::{self, MarkSynced};
use sync_tracker_core::{
    ClaimId, ClaimRequest, EntityRef, EntityType, ExternalId, Filter, InboxStore, Millis, PageSize,
    Source, SyncStore, Tracker,
};
use sync_tracker_mongo::MongoOptions;

use self::mongo::{OwnDatabase, url};

/// The plans of the queries that the store made: each with how many keys and documents it looked at.
async fn plans(database: &Database) -> Vec<(String, i64, i64)> {
    let filter = doc! { "planSummary": { "$exists": true }, "ns": { "$regex": "records" } };
    let profile = database.collection::<Document>("system.profile");
    let mut found = profile.find(filter).await.unwrap();
    let mut plans = Vec::new();
    while found.advance().await.unwrap() {
        let entry = found.deserialize_current().unwrap();
        let number = |field: &str| i64::from(entry.get_i32(field).unwrap());
        let plan = entry.get_str("planSummary").unwrap().to_owned();
        plans.push((plan, number("keysExamined"), number("docsExamined")));
    }
    plans
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn what_is_due_and_who_has_an_external_id_is_found_by_an_index() {
    let own = OwnDatabase::new();
    let options = MongoOptions::from_url(&url()).await.unwrap().database(own.name());
    let store = options.open().await.unwrap();
    let tracker = Tracker::new(store.clone()).with_sources("product", ["shop"]).unwrap();
    let entities: Vec<_> = (0..300).map(|id| EntityRef::new("product", id).unwrap()).collect();
    for entity in &entities {
        tracker.created(entity).await.unwrap();
    }
    let source = Source::new("shop").unwrap();
    let claim = |limit| {
        let ttl = Millis::new(60_000).unwrap();
        ClaimRequest::new(source.clone(), ClaimId::random(), limit, ttl, 5).unwrap()
    };
    assert_eq!(store.claim(&claim(290)).await.unwrap().leased.len(), 290);
    let database = Client::with_uri_str(url()).await.unwrap().database(own.name());
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    assert_eq!(store.claim(&claim(5)).await.unwrap().leased.len(), 5);
    let of_type = EntityType::new("product").unwrap();
    let id = ExternalId::new("none").unwrap();
    assert_eq!(store.by_external_id(&source, &of_type, &id).await.unwrap(), None);
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let plans = plans(&database).await;
    let looked = |index: &str| plans.iter().find(|(plan, ..)| plan.contains(index));
    // Of what is due, of the leases of the claim, and of the pause.
    let (_, keys, documents) = looked("due_at").unwrap();
    assert!(*keys <= 14 && *documents <= 7, "{plans:?}");
    let (plan, keys, _) = looked("known_ids").unwrap();
    assert!(!plan.contains("COLLSCAN") && *keys <= 2, "{plans:?}");
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_page_of_what_is_due_reads_no_more_than_it_has() {
    let own = OwnDatabase::new();
    let options = MongoOptions::from_url(&url()).await.unwrap().database(own.name());
    let store = options.open().await.unwrap();
    let source = Source::new("shop").unwrap();
    let key = |id: String| EntityRef::new("product", id).unwrap().in_source(&source);
    let synced = (0..1_000).map(|id| (key(format!("a{id}")), MarkSynced::default().change()));
    let due = (0..1_000).map(|id| (key(format!("b{id}")), rules::created()));
    for outcome in store.apply_many(&synced.chain(due).collect::<Vec<_>>()).await {
        assert!(outcome.unwrap().is_applied());
    }
    let database = Client::with_uri_str(url()).await.unwrap().database(own.name());
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    let filter = Filter { source: Some(source), due: Some(true), ..Filter::default() };
    let page = store.list(&filter, None, PageSize::new(50).unwrap()).await.unwrap();
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    assert_eq!(page.records.len(), 50);
    let plans = plans(&database).await;
    let [(plan, keys, documents)] = plans.as_slice() else { panic!("{plans:?}") };
    assert!(plan.contains("status") && *keys <= 60 && *documents <= 60, "{plans:?}");
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn statistics_read_an_index_alone_and_lookups_what_they_find() {
    let own = OwnDatabase::new();
    let options = MongoOptions::from_url(&url()).await.unwrap().database(own.name());
    let store = options.open().await.unwrap();
    let tracker = Tracker::new(store.clone()).with_sources("product", ["shop", "other"]).unwrap();
    for id in 0..200 {
        tracker.created(EntityRef::new("product", id).unwrap()).await.unwrap();
    }
    let database = Client::with_uri_str(url()).await.unwrap().database(own.name());
    let source = Source::new("shop").unwrap();
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    assert_eq!(store.statistics(&source).await.unwrap().counts.total(), 200);
    assert_eq!(store.sources().await.unwrap().len(), 2);
    let entity = EntityRef::new("product", 7).unwrap();
    assert_eq!(store.records_of(&entity).await.unwrap().len(), 2);
    assert_eq!(store.forget_expired(&source, Millis::new(0).unwrap()).await.unwrap(), 0);
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let plans = plans(&database).await;
    let looked = |plan: &str| {
        let found = plans.iter().find(|(it, ..)| it.contains(plan));
        found.unwrap_or_else(|| panic!("no {plan} in {plans:?}"))
    };
    let (_, keys, documents) = looked("pending_since");
    assert!(*keys <= 201 && *documents == 0, "{plans:?}");
    let (_, keys, documents) = looked("DISTINCT_SCAN");
    assert!(*keys <= 4 && *documents == 0, "{plans:?}");
    let (_, keys, documents) = looked("_id.entity_id");
    assert!(*keys <= 3 && *documents == 2, "{plans:?}");
    let (_, keys, _) = looked("until");
    assert!(*keys <= 1, "{plans:?}");
}
