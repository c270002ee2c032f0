//! What a team expects of a sync tracker, told as applications would write it: one test per use.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sync_tracker_core::policy::{Contents, Decision, FieldByField, Policy};
use sync_tracker_core::rules::RetrySchedule;
use sync_tracker_core::{
    ConflictKind, Done, EntityRef, Failed, FailureNote, Fingerprint, Handled, Inbox, JsonValue,
    ManualClock, Metadata, Millis, Refusal, RemoteVersion, Status, StoreClock, Timestamp,
    Trackable, Tracker, TrackingRules, Verdict,
};
use sync_tracker_memory::MemoryStore;

struct User {
    id: u64,
}

impl Trackable for User {
    const ENTITY_TYPE: &'static str = "user";
    type Id = u64;

    fn entity_id(&self) -> u64 {
        self.id
    }
}

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_millis(1_700_000_000_000).unwrap()).unwrap()
}

fn tracker_by(clock: &ManualClock) -> Tracker {
    let store = MemoryStore::with_clock(StoreClock::Manual(clock.clone()));
    let waits = [Duration::from_secs(60); 4];
    Tracker::new(store).with_retry_schedule(RetrySchedule::steps(waits).unwrap())
}

fn tracker() -> Tracker {
    tracker_by(&clock())
}

#[tokio::test]
async fn values_of_the_application_are_entities_and_found_again_as_such() {
    let (tracker, user) = (tracker(), User { id: 1 });
    let marked = tracker
        .mark_synced(&user, "salesforce")
        .external_id("external-123")
        .replace_metadata(json!({ "meta": "data" }));
    assert!(marked.await.unwrap().is_applied());
    assert!(tracker.is_synced(&user, "salesforce").await.unwrap());
    let id = tracker.external_id(&user, "salesforce").await.unwrap().unwrap();
    assert_eq!(id.as_str(), "external-123");
    let metadata = tracker.metadata(&user, "salesforce").await.unwrap();
    assert_eq!(metadata, Metadata::new(json!({ "meta": "data" })).unwrap());
    let found = tracker.find::<User>("salesforce", "external-123").await.unwrap();
    assert_eq!(found, Some(1));
    assert_eq!(tracker.find::<User>("hubspot", "external-123").await.unwrap(), None);
}

#[tokio::test]
async fn uuids_and_text_are_ids_as_well() {
    let id: uuid::Uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap();
    let entity = EntityRef::new("order", id).unwrap();
    assert_eq!(entity.entity_id.parse::<uuid::Uuid>().unwrap(), id);
    let customer = EntityRef::new("customer", "ada").unwrap();
    let tracker = tracker();
    for entity in [entity, customer] {
        assert!(tracker.mark_synced(&entity, "erp").await.unwrap().is_applied());
    }
}

#[tokio::test]
async fn an_entity_lives_in_several_sources_and_none_touches_another() {
    let (tracker, user) = (tracker(), User { id: 1 });
    let salesforce = tracker
        .mark_synced(&user, "salesforce")
        .external_id("SF-123456")
        .replace_metadata(json!({ "account_type": "customer" }));
    let _ = salesforce.await.unwrap();
    let hubspot = tracker
        .mark_synced(&user, "hubspot")
        .external_id("HS-789012")
        .replace_metadata(json!({ "lead_score": 85 }));
    let _ = hubspot.await.unwrap();
    let records = tracker.records_of(&user).await.unwrap();
    let ids: Vec<_> = records.iter().map(|record| record.external_id.clone().unwrap()).collect();
    assert_eq!(ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["HS-789012", "SF-123456"]);
    assert_eq!(tracker.find::<User>("salesforce", "SF-123456").await.unwrap(), Some(1));
}

#[tokio::test]
async fn synced_means_the_current_state() {
    let (tracker, user) = (tracker(), User { id: 1 });
    let _ = tracker.mark_synced(&user, "crm").await.unwrap();
    tracker.updated(&user).await.unwrap();
    assert!(!tracker.is_synced(&user, "crm").await.unwrap());
    assert!(tracker.was_ever_synced(&user, "crm").await.unwrap());
    tracker.deleted(&user).await.unwrap();
    assert!(!tracker.is_synced(&user, "crm").await.unwrap());
}

#[tokio::test]
async fn rules_say_what_is_tracked_and_where() {
    let rules: TrackingRules = serde_json::from_str(
        r#"{ "types": { "user": { "updated": false, "sources": ["crm"] } } }"#,
    )
    .unwrap();
    let (tracker, user) = (tracker().with_rules(rules), User { id: 1 });
    assert!(tracker.created(&user).await.unwrap()[0].outcome.is_applied());
    let updated = tracker.updated(&user).await.unwrap();
    assert_eq!(updated[0].outcome.refusal(), Some(&Refusal::Ignored));
    assert_eq!(updated[0].outcome.record().unwrap().revision.get(), 1);
    assert!(tracker.deleted(&user).await.unwrap()[0].outcome.is_applied());
    let wrong =
        serde_json::from_str::<TrackingRules>(r#"{ "types": { "user": { "udpated": 1 } } }"#);
    assert!(wrong.unwrap_err().to_string().contains("udpated"));
}

#[tokio::test]
async fn a_batch_goes_on_after_a_failure_and_tells_how_far_it_is() {
    let (tracker, progress) = (tracker(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&progress);
    let users: Vec<_> = (1..=4).map(|id| User { id }).collect();
    let report = tracker
        .batch("api")
        .id("batch-9")
        .note_in_metadata()
        .on_progress(move |progress| seen.lock().unwrap().push((progress.done, progress.failed)))
        .run(&users, async |user| match user.entity_id.as_str() {
            "2" => Err(Failed::transient("timeout").with_code("504")),
            id => Ok(Done::new()
                .external_id(format!("api-{id}"))?
                .merge_metadata(json!({ "n": id }))?),
        })
        .await
        .unwrap();
    assert_eq!((report.synced, report.failed, report.items.len()), (3, 1, 4));
    assert_eq!(report.items[1].failure.as_ref().unwrap().code(), Some("504"));
    assert!(report.items[2].is_synced());
    assert_eq!(*progress.lock().unwrap(), [(1, 0), (2, 1), (3, 1), (4, 1)]);
    let metadata = tracker.metadata(&users[2], "api").await.unwrap();
    let expected = json!({ "batch_id": "batch-9", "progress": 0.75, "n": "3" });
    assert_eq!(metadata, Metadata::new(expected).unwrap());
    assert_eq!(tracker.status(&users[1], "api").await.unwrap(), Some(Status::Failed));
}

#[tokio::test]
async fn a_failure_is_kept_also_of_what_was_never_synced_and_retried_when_due() {
    let clock = clock();
    let (tracker, user) = (tracker_by(&clock), User { id: 1 });
    for attempt in 1..=4 {
        let note = FailureNote::transient("cannot connect").with_code("ECONNREFUSED");
        let failed = tracker.mark_failed(&user, "erp", note).await.unwrap();
        let record = failed.record().unwrap();
        assert_eq!((record.status(), record.attempts), (Status::Failed, attempt));
        assert_eq!(&*record.failure.as_ref().unwrap().message, "cannot connect");
        assert!(!record.was_ever_synced());
        assert!(tracker.query("erp").due().await.unwrap().records.is_empty());
        clock.advance(Millis::new(60_000).unwrap());
        assert_eq!(tracker.query("erp").due().await.unwrap().records.len(), 1);
    }
    let last = tracker.mark_failed(&user, "erp", FailureNote::transient("x")).await.unwrap();
    assert_eq!(last.record().unwrap().status(), Status::DeadLetter);
    let _ = tracker.redrive(&user, "erp").await.unwrap();
    assert_eq!(tracker.claim("erp").await.unwrap().pushes.len(), 1);
}

#[tokio::test]
async fn records_are_found_by_status_type_and_metadata() {
    let tracker = tracker();
    for id in 0..250_u64 {
        let tier = if id % 2 == 0 { "gold" } else { "silver" };
        let marked =
            tracker.mark_synced(&User { id }, "erp").merge_metadata(json!({ "tier": tier }));
        let _ = marked.await.unwrap();
    }
    for id in 0..10 {
        tracker.updated(&User { id }).await.unwrap();
    }
    let pending = tracker.query("erp").entity_type("user").status(Status::Pending).await.unwrap();
    assert_eq!(pending.records.len(), 10);
    let gold = tracker.query("erp").status(Status::Synced).metadata("tier", "gold").page_size(7);
    let gold: Vec<_> = gold.stream().try_collect().await.unwrap();
    assert_eq!(gold.len(), 120);
    let statistics = tracker.statistics("erp").await.unwrap();
    assert_eq!((statistics.due_now, statistics.counts.in_status(Status::Synced)), (10, 240));
    let page = tracker.query("erp").page_size(200).await.unwrap();
    let rest = tracker.query("erp").after(page.next.unwrap()).await.unwrap();
    assert_eq!((rest.records.len(), rest.next), (50, None));
    assert!(tracker.query("").stream().try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn many_lookups_and_changes_answer_in_their_order() {
    let (tracker, users) = (tracker(), [3, 1, 2].map(|id| User { id }));
    for user in &users {
        let id = format!("x{}", user.id);
        let _ = tracker.mark_synced(user, "crm").external_id(id).await.unwrap();
    }
    let found = tracker.by_external_ids("crm", "user", ["x2", "none", "x3"]).await.unwrap();
    let ids: Vec<_> = found.into_iter().map(|r| r.map(|r| r.key.entity.to_string())).collect();
    assert_eq!(ids, [Some("user/2".into()), None, Some("user/3".into())]);
    let results = tracker.deleted_many(&users).await;
    assert!(results.iter().all(|result| result.as_ref().unwrap()[0].outcome.is_applied()));
    let again = tracker.deleted_many(&users).await;
    assert!(again[0].as_ref().unwrap()[0].outcome.refusal() == Some(&Refusal::Deleted));
}

#[tokio::test]
async fn a_shop_service_creates_once_and_updates_then() {
    let (tracker, shop) = (tracker(), Mutex::new(HashMap::new()));
    let product = EntityRef::new("product", 9).unwrap();
    for title in ["Mug", "Mug, large"] {
        let known = tracker.external_id(&product, "shopify").await.unwrap();
        let id = known.map_or_else(|| "gid-1".to_owned(), |id| id.as_str().to_owned());
        shop.lock().unwrap().insert(id.clone(), title);
        let _ = tracker.mark_synced(&product, "shopify").external_id(id).await.unwrap();
        tracker.updated(&product).await.unwrap();
    }
    assert_eq!(shop.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn old_tombstones_and_dead_letters_are_purged_and_entities_forgotten() {
    let clock = clock();
    let tracker = tracker_by(&clock);
    let users: Vec<_> = (0..4).map(|id| User { id }).collect();
    for user in &users[..2] {
        let _ = tracker.mark_synced(user, "crm").external_id(user.id).await.unwrap();
        tracker.deleted(user).await.unwrap();
        let _ = tracker.mark_synced(user, "crm").await.unwrap();
        clock.advance(Millis::new(1_000).unwrap());
    }
    let _ = tracker.mark_failed(&users[2], "crm", FailureNote::permanent("no")).await.unwrap();
    let _ = tracker.mark_synced(&users[3], "crm").await.unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(tracker.purge("crm").await.unwrap(), 0);
    assert_eq!(tracker.purge("crm").tombstones(second).await.unwrap(), 1, "the older one");
    assert_eq!(tracker.purge("crm").dead_letters(second).await.unwrap(), 0);
    clock.advance(Millis::new(1_001).unwrap());
    assert_eq!(tracker.purge("crm").tombstones(second).dead_letters(second).await.unwrap(), 2);
    let _ = tracker.mark_synced(&users[3], "erp").await.unwrap();
    assert_eq!(tracker.forget(&users[3]).await.unwrap(), 2);
    assert_eq!(tracker.forget(&users[3]).await.unwrap(), 0);
    assert_eq!(tracker.statistics("crm").await.unwrap().counts.total(), 0);
}

#[tokio::test]
async fn an_entity_and_a_source_can_get_another_name() {
    let (tracker, user, other) = (tracker(), User { id: 1 }, User { id: 2 });
    for source in ["crm", "erp"] {
        let _ = tracker.mark_synced(&user, source).external_id("x").await.unwrap();
    }
    let moved = tracker.rename(&user, &other).await.unwrap();
    assert_eq!(moved.len(), 2);
    assert_eq!(tracker.find::<User>("crm", "x").await.unwrap(), Some(2));
    assert_eq!(tracker.records_of(&user).await.unwrap(), []);
    tracker.updated(&other).await.unwrap();
    let push = tracker.claim("crm").await.unwrap().pushes.remove(0);
    let left = tracker.rename_source("crm", "crm-eu").await.unwrap();
    assert_eq!(left.len(), 1, "a worker is at it");
    let _ = push.release().await.unwrap();
    assert_eq!(tracker.rename_source("crm", "crm-eu").await.unwrap(), []);
    assert_eq!(tracker.find::<User>("crm-eu", "x").await.unwrap(), Some(2));
    assert_eq!(tracker.find::<User>("crm", "x").await.unwrap(), None);
}

#[tokio::test]
async fn a_webhook_is_handled_once_and_an_old_one_changes_nothing() {
    let store = MemoryStore::new();
    let (tracker, inbox) = (Tracker::new(store.clone()), Inbox::new(store));
    let order = EntityRef::new("order", 7).unwrap();
    let synced = tracker.mark_synced(&order, "shopify").external_id("gid-7");
    assert!(synced.remote_version(RemoteVersion::Sequence(1)).await.unwrap().is_applied());
    let database = Mutex::new(json!({ "paid": false }));

    let receive = async |event: &str, version: i64, content: Value| {
        let handled = inbox.once("shopify", event, || async {
            let observed = tracker
                .observe("shopify", "order", "gid-7")
                .version(RemoteVersion::Sequence(version))
                .content(&content)
                .await?;
            if observed.verdict == Verdict::Newer {
                *database.lock().unwrap() = content.clone();
                assert!(tracker.accept_remote(&observed).await?.is_applied());
            }
            JsonValue::new(json!(format!("{:?}", observed.verdict)))
        });
        match handled.await.unwrap() {
            Handled::Now(verdict) => verdict.as_value().to_string(),
            Handled::Before(verdict) => format!("{} before", verdict.as_value()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(receive("e-3", 3, json!({ "paid": true })).await, "\"Newer\"");
    assert_eq!(receive("e-3", 3, json!({ "paid": true })).await, "\"Newer\" before");
    assert_eq!(receive("e-2", 2, json!({ "paid": false })).await, "\"Stale\"");
    assert_eq!(*database.lock().unwrap(), json!({ "paid": true }));
    assert!(tracker.is_synced(&order, "shopify").await.unwrap());
}

#[tokio::test]
async fn a_customer_that_both_sides_changed_is_a_conflict_and_a_policy_resolves_it() {
    let tracker = tracker();
    let customer = EntityRef::new("customer", "ada").unwrap();
    let base = json!({ "name": "Ada", "city": "London" });
    let synced = tracker.mark_synced(&customer, "crm").external_id("SF-1");
    let synced = synced.fingerprint(Fingerprint::of(&base).unwrap());
    assert!(synced.await.unwrap().is_applied());

    let ours = json!({ "name": "Ada Lovelace", "city": "London" });
    tracker.updated(&customer).await.unwrap();
    let theirs = json!({ "name": "Ada", "city": "Paris" });
    let observed = tracker.observe("crm", "customer", "SF-1").content(&theirs).await.unwrap();
    assert_eq!(observed.verdict, Verdict::Conflict(ConflictKind::EditEdit));
    assert!(tracker.claim("crm").await.unwrap().pushes.is_empty(), "nothing is overwritten");

    let contents = Contents { base: Some(&base), local: Some(&ours), remote: Some(&theirs) };
    let decision = FieldByField.decide(contents);
    assert_eq!(decision, Decision::Merged(json!({ "name": "Ada Lovelace", "city": "Paris" })));
    // … the merged content is written to the database, and then:
    let resolved = tracker
        .resolve(&observed.record.unwrap(), decision.winner().unwrap())
        .remote_fingerprint(Fingerprint::of(&theirs).unwrap())
        .await
        .unwrap();
    assert!(resolved.is_applied());
    assert_eq!(tracker.claim("crm").await.unwrap().pushes.len(), 1, "the merged one is pushed");
}
