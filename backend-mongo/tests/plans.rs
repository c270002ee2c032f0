//! Among a hundred thousand records every call goes along an index, and looks at little but what it
//! answers.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "mongo/mod.rs"]
mod mongo;

use mongodb::bson::{Bson, Document, bson, doc};
use mongodb::{Client, Collection, Database};
use sync_tracker_core::rules::{self, MarkSynced, RetrySchedule, Success};
use sync_tracker_core::{
    BeginInbox, Begun, Change, ChangeId, ClaimId, ClaimRequest, Cursor, DedupeKey, EntityType,
    ExternalId, FailureNote, Filter, Guard, Imported, InboxStore, JsonValue, Key, Millis, PageSize,
    Settled, Source, Status, SyncStore,
};
use sync_tracker_mongo::{MongoOptions, MongoStore};

use self::mongo::{OwnDatabase, url};

/// How many records there are of which source, type and kind: the ids of a kind begin with its
/// letter, so that what is due comes last in the order of pages.
const PARTS: [(&str, &str, char, i64); 10] = [
    ("shop", "order", SYNCED, 10_000),
    ("shop", "product", SYNCED, 60_000),
    ("shop", "product", FAILED, 2_000),
    ("shop", "product", DELETED, 2_000),
    ("shop", "product", LEASED, 2_000),
    ("shop", "product", PENDING, 2_000),
    ("market", "order", SYNCED, 7_000),
    ("market", "product", SYNCED, 7_000),
    ("depot", "product", SYNCED, 7_000),
    ("depot", "product", PENDING, 1_000),
];
const SYNCED: char = 'a';
const FAILED: char = 'b';
const DELETED: char = 'c';
const LEASED: char = 'd';
const PENDING: char = 'e';

/// As many records have the lease of one claim.
const EACH_CLAIM: i64 = 20;

fn key(id: &str) -> Key {
    Key::new("shop", "product", id).unwrap()
}

fn shop() -> Source {
    Source::new("shop").unwrap()
}

fn product() -> EntityType {
    EntityType::new("product").unwrap()
}

/// Lets the store write one record of each kind, whose id is the letter.
async fn seed(store: &MongoStore) {
    let key = |kind: char| Key::new("seed", "product", kind.to_string()).unwrap();
    let apply = async |kind: char, change: Change| {
        assert!(store.apply(&key(kind), &change).await.unwrap().is_applied());
    };
    for kind in [SYNCED, DELETED] {
        let external_id = Some(ExternalId::new(kind.to_string()).unwrap());
        let success = Success { external_id, ..Success::default() };
        apply(kind, MarkSynced { success }.change()).await;
    }
    apply(DELETED, rules::deleted()).await;
    apply(DELETED, MarkSynced::default().change()).await;
    let later = Some(Millis::new(3_600_000).unwrap());
    let note = FailureNote::transient("away");
    apply(FAILED, rules::mark_failed(&note, &RetrySchedule::default(), later)).await;
    apply(LEASED, rules::created()).await;
    let (source, ttl) = (Source::new("seed").unwrap(), Millis::new(3_600_000).unwrap());
    let request = ClaimRequest::new(source, ClaimId::random(), 1, ttl, 5).unwrap();
    assert_eq!(store.claim(&request).await.unwrap().leased.len(), 1);
    apply(PENDING, rules::created()).await;
    for (kind, status) in [
        (SYNCED, Status::Synced),
        (FAILED, Status::Failed),
        (DELETED, Status::Deleted),
        (LEASED, Status::InProgress),
        (PENDING, Status::Pending),
    ] {
        assert_eq!(store.get(&key(kind)).await.unwrap().unwrap().status(), status);
    }
}

/// Lets the server copy the seed, with keys, external ids, instants and claims of their own.
async fn fill(records: &Collection<Document>) {
    for (source, entity_type, kind, count) in PARTS {
        let id = bson!({ "$concat": [kind.to_string(), { "$toString": "$n" }] });
        let unless_null = |field: &str, value: Bson| {
            let is_null = bson!({ "$eq": [field, Bson::Null] });
            bson!({ "$cond": [is_null, Bson::Null, value] })
        };
        let earlier = |field: &str| unless_null(field, bson!({ "$subtract": [field, "$n"] }));
        let claim = bson!({ "$toString": { "$floor": { "$divide": ["$n", EACH_CLAIM] } } });
        let lease = bson!({
            "claim_id": { "$concat": ["w", claim, "#0123456789abcdef"] },
            "until": { "$subtract": ["$lease.until", "$n"] },
        });
        let copied = doc! {
            "_id": { "source": source, "entity_type": entity_type, "entity_id": id.clone() },
            "external_id": unless_null("$external_id", id.clone()),
            "known_ids": { "$cond": [{ "$isArray": "$known_ids" }, [id], "$$REMOVE"] },
            "pending_since": earlier("$pending_since"),
            "retry_at": earlier("$retry_at"),
            "due_at": earlier("$due_at"),
            "lease": unless_null("$lease", lease),
        };
        let pipeline = vec![
            doc! { "$match": { "_id.source": "seed", "_id.entity_id": kind.to_string() } },
            doc! { "$set": { "n": { "$range": [0, count] } } },
            doc! { "$unwind": "$n" },
            doc! { "$set": copied },
            doc! { "$unset": "n" },
            doc! { "$merge": { "into": records.name(), "whenMatched": "fail" } },
        ];
        records.aggregate(pipeline).await.unwrap();
    }
    let seeds = records.delete_many(doc! { "_id.source": "seed" }).await.unwrap();
    assert_eq!(seeds.deleted_count, 5);
    let filled: i64 = PARTS.iter().map(|(.., count)| count).sum();
    assert_eq!(filled, 100_000);
    assert_eq!(records.count_documents(doc! {}).await.unwrap(), 100_000);
}

/// Lets the store handle a message.
async fn receive(store: &MongoStore, source: &str, message: &str) {
    let (source, message) = (source.parse().unwrap(), DedupeKey::new(message).unwrap());
    let hour = Millis::new(3_600_000).unwrap();
    let request = BeginInbox::new(source, message, hour, ChangeId::random());
    let Begun::Fresh(ticket) = store.begin(&request.unwrap()).await.unwrap() else { panic!() };
    let done = JsonValue::default();
    assert_eq!(store.complete(&ticket, &done, hour).await.unwrap(), Settled::Done);
}

/// How many messages there are, and how many of them are to be forgotten.
const MESSAGES: i64 = 20_000;
const EXPIRED: i64 = 100;

/// Lets the server copy what the store keeps of a message. The last ones expired up to an hour ago.
async fn fill_inbox(store: &MongoStore, database: &Database) {
    receive(store, "seed", "seed").await;
    let inbox = database.collection::<Document>("records.inbox");
    let hours = bson!({ "$cond": [{ "$lt": ["$n", MESSAGES - EXPIRED] }, 0, 7_200_000] });
    let pipeline = vec![
        doc! { "$set": { "n": { "$range": [0, MESSAGES] } } },
        doc! { "$unwind": "$n" },
        doc! { "$set": {
            "_id": { "source": "shop", "key": { "$toString": "$n" } },
            "until": { "$add": ["$until", "$n", { "$multiply": [-1, hours] }] },
        } },
        doc! { "$unset": "n" },
        doc! { "$merge": { "into": inbox.name(), "whenMatched": "fail" } },
    ];
    inbox.aggregate(pipeline).await.unwrap();
    let there = inbox.count_documents(doc! {}).await.unwrap();
    assert_eq!(i64::try_from(there).unwrap(), MESSAGES + 1);
}

/// That a copy is just as the store writes it: what it reads and writes again is the same document.
async fn assert_as_written(store: &MongoStore, records: &Collection<Document>) {
    for kind in [SYNCED, FAILED, DELETED, LEASED, PENDING] {
        let key = key(&format!("{kind}1234"));
        let raw = async || {
            let id = doc! { "_id.source": "shop", "_id.entity_id": key.entity.entity_id.as_str() };
            let found = records.find_one(id).await.unwrap().unwrap();
            // In the order of names, and without what tells a call its outcome.
            let mut fields: Vec<_> = found.into_iter().collect();
            fields.retain(|(name, _)| !["last_call", "batch_calls"].contains(&name.as_str()));
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            fields
        };
        let before = raw().await;
        let record = store.get(&key).await.unwrap().unwrap();
        assert_eq!(record.key, key);
        assert_eq!(store.put(&record).await.unwrap(), Imported::Stored);
        assert_eq!(raw().await, before);
    }
}

/// What the server looked at for a call.
#[derive(Debug)]
struct Looked {
    plans: Vec<String>,
    keys: i64,
    documents: i64,
}

async fn looked(database: &Database) -> Looked {
    let profile = database.collection::<Document>("system.profile");
    let filter = doc! { "planSummary": { "$exists": true } };
    let mut found = profile.find(filter).await.unwrap();
    let mut looked = Looked { plans: Vec::new(), keys: 0, documents: 0 };
    while found.advance().await.unwrap() {
        let entry = found.deserialize_current().unwrap();
        let number = |field: &str| i64::from(entry.get_i32(field).unwrap());
        looked.plans.push(entry.get_str("planSummary").unwrap().to_owned());
        looked.keys += number("keysExamined");
        looked.documents += number("docsExamined");
    }
    looked
}

/// What is asked all the time, and how many keys and documents the server may look at. To find what
/// ids name takes up to two keys for each. To see what is due in the order of pages it may look at
/// all that is pending, failed or leased, and does where part of it is not due.
const CALLS: [(&str, i64, i64); 25] = [
    ("get", 1, 1),
    ("get many", 2 * MANY + FEW, MANY),
    ("by external id", 2, 1),
    ("by external ids", 2 * MANY + FEW, MANY),
    // Candidates, what is taken, and what came of it.
    ("claim", 5 * MANY + FEW, 3 * MANY + FEW),
    ("claim one", 2 + FEW, 2 + FEW),
    ("page", MANY + 1, MANY + 1),
    ("page far behind", MANY + 1, MANY + 1),
    ("page of a type", MANY + 1, MANY + 1),
    ("page of a type far behind", MANY + 1, MANY + 1),
    ("page of a status", MANY + FEW, MANY + 1),
    ("page of a status and type", MANY + FEW, MANY + 1),
    ("page of what is due where all is", MANY + FEW, MANY + FEW),
    ("page of what is due where half is", QUEUED, QUEUED),
    ("page of a claim", EACH_CLAIM + FEW, EACH_CLAIM),
    ("records of", SOURCES + 1, SOURCES),
    ("statistics", OF_SHOP + TIMES + 1, 0),
    ("sources", SOURCES + 1, 0),
    ("update", 1, 1),
    ("create and remove", 1, 1),
    ("update many", 4 * MANY + FEW, 2 * MANY),
    ("put", 2, 2),
    ("receive", 2, 2),
    ("forget nothing", 1, 0),
    ("forget expired", EXPIRED + FEW, EXPIRED),
];
const MANY: i64 = 50;
const FEW: i64 = 5;
const SOURCES: i64 = 3;
const OF_SHOP: i64 = 78_000;
const QUEUED: i64 = 6_000;

/// The server keeps a plan once it has proven itself.
const TIMES: i64 = 4;

async fn call(store: &MongoStore, name: &str, time: i64) {
    let many = usize::try_from(MANY).unwrap();
    let synced = key(&format!("a{}", 7 + time));
    let ids = || (0..MANY).map(|id| format!("a{}", 1_000 * time + id));
    let far = Cursor::after(&key("a5"));
    let of = |source: &str| Filter { source: Some(source.parse().unwrap()), ..Filter::default() };
    let page = async |filter: Filter, after: Option<&Cursor>| {
        let page = store.list(&filter, after, PageSize::new(many).unwrap()).await.unwrap();
        assert_eq!(page.records.len(), many);
    };
    let claim = async |limit: usize| {
        let ttl = Millis::new(1_000_000).unwrap();
        let request = ClaimRequest::new(shop(), ClaimId::random(), limit, ttl, 5).unwrap();
        assert_eq!(store.claim(&request).await.unwrap().leased.len(), limit);
    };
    match name {
        "get" => assert!(store.get(&synced).await.unwrap().is_some()),
        "get many" => {
            let keys: Vec<_> = ids().map(|id| key(&id)).collect();
            assert!(store.get_many(&keys).await.unwrap().iter().all(Option::is_some));
        }
        "by external id" => {
            let id = ExternalId::new(synced.entity.entity_id.as_str()).unwrap();
            let found = store.by_external_id(&shop(), &product(), &id).await.unwrap();
            assert_eq!(found.unwrap().key, synced);
        }
        "by external ids" => {
            let ids: Vec<_> = ids().map(|id| ExternalId::new(id).unwrap()).collect();
            let found = store.by_external_ids(&shop(), &product(), &ids).await.unwrap();
            assert!(found.iter().all(Option::is_some));
        }
        "claim" => claim(many).await,
        "claim one" => claim(1).await,
        "page" => page(of("shop"), None).await,
        "page far behind" => page(of("shop"), Some(&far)).await,
        "page of a type" => {
            page(Filter { entity_type: Some(product()), ..of("shop") }, None).await;
        }
        "page of a type far behind" => {
            page(Filter { entity_type: Some(product()), ..of("shop") }, Some(&far)).await;
        }
        "page of a status" => {
            page(Filter { status: Some(Status::Pending), ..of("shop") }, None).await;
        }
        "page of a status and type" => {
            let status = Some(if time % 2 == 0 { Status::Synced } else { Status::Pending });
            page(Filter { status, entity_type: Some(product()), ..of("shop") }, None).await;
        }
        "page of what is due where half is" => {
            page(Filter { due: Some(true), ..of("shop") }, None).await;
        }
        "page of what is due where all is" => {
            page(Filter { due: Some(true), ..of("depot") }, None).await;
        }
        "page of a claim" => {
            let claim_id = Some(format!("w{time}#0123456789abcdef").parse().unwrap());
            let filter = Filter { claim_id, ..of("shop") };
            let page = store.list(&filter, None, PageSize::new(many).unwrap()).await.unwrap();
            assert_eq!(i64::try_from(page.records.len()).unwrap(), EACH_CLAIM);
        }
        "records of" => {
            let found = store.records_of(&synced.entity).await.unwrap();
            assert_eq!(i64::try_from(found.len()).unwrap(), SOURCES);
        }
        "statistics" => {
            let counts = store.statistics(&shop()).await.unwrap().counts;
            assert_eq!(counts.total(), OF_SHOP.unsigned_abs());
        }
        "sources" => {
            let found = store.sources().await.unwrap();
            assert_eq!(i64::try_from(found.len()).unwrap(), SOURCES);
        }
        "update" => {
            assert!(store.apply(&synced, &rules::updated()).await.unwrap().is_applied());
        }
        "create and remove" => {
            let new = key("new");
            assert!(store.apply(&new, &rules::created()).await.unwrap().is_applied());
            let _ = store.remove(&new, &Guard::default()).await.unwrap();
        }
        "update many" => {
            let batch: Vec<_> = ids().map(|id| (key(&id), rules::updated())).collect();
            for outcome in store.apply_many(&batch).await {
                assert!(outcome.unwrap().is_applied());
            }
        }
        "put" => {
            let record = store.get(&synced).await.unwrap().unwrap();
            assert_eq!(store.put(&record).await.unwrap(), Imported::Stored);
        }
        "receive" => receive(store, "shop", &format!("new {time}")).await,
        "forget nothing" => {
            let grace = Millis::new(7_200_000).unwrap();
            assert_eq!(store.forget_expired(&shop(), grace).await.unwrap(), 0);
        }
        "forget expired" => {
            let forgotten = store.forget_expired(&shop(), Millis::new(0).unwrap()).await.unwrap();
            let expired = if time == 0 { EXPIRED } else { 0 };
            assert_eq!(i64::try_from(forgotten).unwrap(), expired);
        }
        other => panic!("{other} is no call"),
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn among_many_records_a_call_looks_at_few() {
    let own = OwnDatabase::new();
    let options = MongoOptions::from_url(&url()).await.unwrap().database(own.name());
    let store = options.open().await.unwrap();
    let database = Client::with_uri_str(url()).await.unwrap().database(own.name());
    let records = database.collection::<Document>(MongoOptions::DEFAULT_COLLECTION);
    seed(&store).await;
    fill(&records).await;
    fill_inbox(&store, &database).await;
    assert_as_written(&store, &records).await;
    for (name, keys, documents) in CALLS {
        for time in 0..TIMES {
            database.run_command(doc! { "profile": 2 }).await.unwrap();
            call(&store, name, time).await;
            database.run_command(doc! { "profile": 0 }).await.unwrap();
            let looked = looked(&database).await;
            let scans = looked.plans.iter().any(|plan| plan.contains("COLLSCAN"));
            assert!(!scans && !looked.plans.is_empty(), "{name}, {time}: {looked:?}");
            let are_few = looked.keys <= keys && looked.documents <= documents;
            assert!(are_few, "{name}, {time}: {looked:?}, {keys} and {documents} at most");
            // What is to come shall be told from what was.
            database.collection::<Document>("system.profile").drop().await.unwrap();
        }
    }
}
