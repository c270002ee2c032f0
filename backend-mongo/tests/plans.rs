//! Claims and lookups by external id go along their indexes.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use mongodb::bson::{Document, doc};
use mongodb::{Client, Database};
use sync_tracker_core::{
    ClaimId, ClaimRequest, EntityRef, EntityType, ExternalId, Millis, Source, SyncStore, Tracker,
};
use sync_tracker_mongo::MongoOptions;

use self::mongo::{OwnDatabase, url};

/// The plans of the queries that the store made, as far as they looked at documents.
async fn plans(database: &Database) -> Vec<(String, i64, i64)> {
    let filter = doc! { "op": "query", "ns": { "$regex": "records$" } };
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
    let (_, keys, documents) = looked("due_at").unwrap();
    assert!(*keys <= 12 && *documents <= 6, "{plans:?}");
    let (_, keys, _) = looked("claim_id").unwrap();
    assert!(*keys <= 1, "{plans:?}");
    let (plan, keys, _) = looked("known_ids").unwrap();
    assert!(!plan.contains("COLLSCAN") && *keys <= 2, "{plans:?}");
}
