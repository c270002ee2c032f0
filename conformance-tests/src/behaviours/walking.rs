//! Pages, filters, counts, sources.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{
    ClaimId, Counts, Cursor, EntityRef, FailureNote, Filter, Guard, Imported, Key, Lease, Metadata,
    PageSize, Removal, Source, Statistics, Status, SyncRecord, SyncStore,
};
use tokio::task::yield_now;

use super::apply::plain_record;
use super::races::race;
use crate::ground::{Ground, LEASE, entity_type, fail, product, request, shop, span, walk};

/// Keys whose order by bytes differs from that of any locale.
fn scattered() -> Vec<Key> {
    let ids = ["B", "a", "b", "A", "10", "9", "-", "_", "é", "z", "Z", "😀", "\u{ffff}", "a b"];
    let mut keys = Vec::new();
    for source in ["shop", "Shop", "shop-eu"] {
        for entity_type in ["product", "Product"] {
            keys.extend(ids.map(|id| Key::new(source, entity_type, id).unwrap()));
        }
    }
    keys
}

async fn create_all(ground: &Ground, keys: &[Key]) {
    for key in keys {
        ground.applied(key, &rules::created()).await;
    }
}

pub async fn a_walk_is_in_the_order_of_bytes(ground: Ground) {
    let keys = scattered();
    create_all(&ground, &keys).await;
    let sorted: Vec<_> = BTreeSet::from_iter(keys).into_iter().collect();
    assert_eq!(ground.walk(&Filter::default(), 1_000).await, sorted);
    let parts = |key: &Key| {
        let EntityRef { entity_type, entity_id } = &key.entity;
        [key.source.as_str(), entity_type.as_str(), entity_id.as_str()].map(str::to_owned)
    };
    assert!(sorted.windows(2).all(|pair| parts(&pair[0]) < parts(&pair[1])));
}

pub async fn a_walk_sees_each_record_once_whatever_the_page_size(ground: Ground) {
    let keys = scattered();
    create_all(&ground, &keys).await;
    let sorted: Vec<_> = BTreeSet::from_iter(keys).into_iter().collect();
    for size in [1, 2, 7, sorted.len() - 1, sorted.len(), sorted.len() + 1] {
        assert_eq!(ground.walk(&Filter::default(), size).await, sorted, "pages of {size}");
        let page = ground.store.list(&Filter::default(), None, PageSize::new(size).unwrap()).await;
        let more = size < sorted.len();
        assert_eq!(page.unwrap().next.is_some(), more, "a cursor only if there is more");
    }
    let nobody = Filter { entity_type: Some(entity_type("none")), ..Filter::default() };
    assert_eq!(ground.walk(&nobody, 1).await, []);
}

pub async fn a_cursor_outlives_the_record_it_stands_on(ground: Ground) {
    let keys = ["a", "b", "c"].map(product);
    create_all(&ground, &keys).await;
    let first = ground.store.list(&Filter::default(), None, PageSize::ONE).await.unwrap();
    let _ = ground.store.remove(&keys[0], &Guard::default()).await.unwrap();
    let second =
        ground.store.list(&Filter::default(), first.next.as_ref(), PageSize::MAX).await.unwrap();
    let rest: Vec<_> = second.records.into_iter().map(|record| record.key).collect();
    assert_eq!(rest, keys[1..]);
}

pub async fn a_walk_is_stable_under_writes(ground: Ground) {
    let stable: Vec<_> = (0..40).map(|id| product(&format!("{id:03}"))).collect();
    create_all(&ground, &stable).await;
    for size in [1, 3, 10] {
        let (mut seen, mut after, mut round) = (Vec::new(), None, 0);
        loop {
            let page = ground
                .store
                .list(&Filter::default(), after.as_ref(), PageSize::new(size).unwrap())
                .await
                .unwrap();
            seen.extend(page.records.into_iter().map(|record| record.key));
            after = page.next;
            // Others come and go, and the records themselves are written.
            round += 1;
            let guest = product(&format!("{:03}x{size}", (round * 7) % 40));
            ground.applied(&guest, &rules::updated()).await;
            ground.applied(&stable[(round * 11) % 40], &rules::updated()).await;
            if round % 2 == 0 {
                let _ = ground.store.remove(&guest, &Guard::default()).await.unwrap();
            }
            if after.is_none() {
                break;
            }
        }
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
        let seen: Vec<_> = seen.into_iter().filter(|key| stable.contains(key)).collect();
        assert_eq!(seen, stable, "pages of {size}");
    }
}

/// A walker for each page size, and as many writers until all walkers have arrived.
pub async fn walks_among_writers_see_what_stays_once(ground: Ground) {
    let stable: Vec<_> = (0..30).map(|id| product(&format!("{id:02}"))).collect();
    create_all(&ground, &stable).await;
    let sizes = [1, 2, 7, 100];
    let walking = Arc::new(AtomicUsize::new(sizes.len()));
    race(&ground, sizes.len() * 2, |store, number| {
        let (stable, walking) = (stable.clone(), Arc::clone(&walking));
        async move {
            match sizes.get(number) {
                Some(size) => {
                    walk_past_writers(&*store, &stable, *size).await;
                    walking.fetch_sub(1, Ordering::SeqCst);
                }
                None => write_among(&*store, &stable, number, &walking).await,
            }
        }
    })
    .await;
    ground.is_sound().await;
}

async fn walk_past_writers(store: &dyn SyncStore, stable: &[Key], size: usize) {
    let source = Some(shop());
    let pending = Filter { source, status: Some(Status::Pending), ..Filter::default() };
    for filter in [Filter::default(), pending].iter().cycle().take(6) {
        let seen = walk(store, filter, size).await;
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
        let seen: Vec<_> = seen.into_iter().filter(|key| stable.contains(key)).collect();
        assert_eq!(seen, stable, "pages of {size}");
    }
}

/// Guests come and go between the others, which are written too.
async fn write_among(store: &dyn SyncStore, stable: &[Key], writer: usize, walking: &AtomicUsize) {
    let mut at = writer;
    while walking.load(Ordering::SeqCst) > 0 {
        at = (at + 11) % stable.len();
        let guest = product(&format!("{}x{writer}", stable[at].entity.entity_id));
        for key in [&guest, &stable[at], &guest] {
            assert!(store.apply(key, &rules::updated()).await.unwrap().is_applied());
            yield_now().await;
        }
        let removal = store.remove(&guest, &Guard::default()).await.unwrap();
        assert_eq!(removal, Removal::Removed);
        yield_now().await;
    }
}

pub async fn filters_narrow_a_walk(ground: Ground) {
    let [synced, pending, failed, leased] = ["1", "2", "3", "4"].map(product);
    let elsewhere = Key::new("other", "product", "1").unwrap();
    let customer = Key::new("shop", "customer", "1").unwrap();
    for key in [&synced, &elsewhere, &customer] {
        ground.applied(key, &MarkSynced::default().change()).await;
    }
    ground.applied(&failed, &rules::created()).await;
    let record = ground.lease(&failed).await;
    ground.applied(&failed, &fail(&record, &FailureNote::transient("x"))).await;
    ground.applied(&leased, &rules::created()).await;
    let claim = request(1);
    assert_eq!(ground.claim(&claim).await.leased.len(), 1);
    ground.applied(&pending, &rules::created()).await;

    let in_shop = Filter { source: Some(shop()), ..Filter::default() };
    let products = Filter { entity_type: Some(entity_type("product")), ..in_shop.clone() };
    let of = |status| Filter { status: Some(status), ..products.clone() };
    let due = |due| Filter { due: Some(due), ..products.clone() };
    let mine = Filter { claim_id: Some(claim.claim_id().clone()), ..Filter::default() };
    let nobodys = Filter { claim_id: Some(request(1).claim_id().clone()), ..Filter::default() };
    let all = [&synced, &pending, &failed, &leased];
    for (filter, expected) in [
        (in_shop, [&[&customer][..], &all].concat()),
        (products.clone(), all.to_vec()),
        (of(Status::Synced), vec![&synced]),
        (of(Status::Pending), vec![&pending]),
        (of(Status::Failed), vec![&failed]),
        (of(Status::InProgress), vec![&leased]),
        (of(Status::DeadLetter), vec![]),
        (due(true), vec![&pending]),
        (due(false), vec![&synced, &failed, &leased]),
        (mine, vec![&leased]),
        (nobodys, vec![]),
    ] {
        for size in [1, 100] {
            let found = ground.walk(&filter, size).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        }
    }
    ground.advance(1_000);
    assert_eq!(ground.walk(&due(true), 1).await, [pending, failed]);
}

pub async fn filters_narrow_together_as_the_reference_does(ground: Ground) {
    let claim_id = ClaimId::random();
    let mut records = Vec::new();
    for (source, kind) in [("shop", "product"), ("shop", "customer"), ("other", "product")] {
        for (id, until) in [("due", ground.now()), ("waits", ground.now().plus(span(1)))] {
            let record =
                |name: &str| plain_record(Key::new(source, kind, format!("{name} {id}")).unwrap());
            let lease = Some(Lease { claim_id: claim_id.clone(), until });
            let metadata = Metadata::new(json!({ "a": 1, "b": id })).unwrap();
            records.push(SyncRecord { metadata: metadata.clone(), ..record("synced") });
            records.push(SyncRecord { lease: lease.clone(), ..record("leased") });
            records.push(SyncRecord { lease, metadata: metadata.clone(), ..record("tagged") });
            records.push(SyncRecord { retry_at: Some(until), metadata, ..record("failed") });
        }
    }
    records.sort_by(|a, b| a.key.cmp(&b.key));
    for record in &records {
        assert_eq!(ground.store.put(record).await.unwrap(), Imported::Stored);
    }
    let metadata = Metadata::new(json!({ "a": 1, "b": "due" })).unwrap();
    for mask in 0..32_u8 {
        let is_set = |bit: u8| mask & 1 << bit != 0;
        for status in [Status::InProgress, Status::Failed].map(Some).into_iter().chain([None]) {
            for due in [None, Some(true), Some(false)] {
                let filter = Filter {
                    source: is_set(0).then(shop),
                    entity_type: is_set(1).then(|| entity_type("product")),
                    status,
                    due,
                    claim_id: is_set(2).then(|| claim_id.clone()),
                    metadata: is_set(3).then(|| metadata.clone()),
                };
                let passing = records.iter().filter(|one| filter.matches(one, ground.now()));
                let expected: Vec<_> = passing.map(|record| record.key.clone()).collect();
                let size = if is_set(4) { 3 } else { 100 };
                assert_eq!(ground.walk(&filter, size).await, expected, "{filter:?}");
            }
        }
    }
}

pub async fn what_is_due_is_listed_to_the_millisecond(ground: Ground) {
    let [failed, leased, pending] = ["1", "2", "3"].map(product);
    let due = |due| Filter { due: Some(due), ..Filter::default() };
    for key in [&failed, &leased] {
        ground.applied(key, &rules::created()).await;
        let record = ground.lease(key).await;
        let push = if key == &failed {
            fail(&record, &FailureNote::transient("x"))
        } else {
            rules::renew(record.token, span(1_000))
        };
        ground.applied(key, &push).await;
    }
    ground.advance(999);
    assert_eq!(ground.walk(&due(true), 1).await, []);
    ground.advance(1);
    ground.applied(&pending, &rules::created()).await;
    assert_eq!(ground.walk(&due(true), 1).await, [failed, leased, pending]);
    assert_eq!(ground.walk(&due(false), 1).await, []);
    ground.is_sound().await;
}

pub async fn metadata_values_narrow_a_walk(ground: Ground) {
    let values = [
        json!({ "a": 1, "b": "x" }),
        json!({ "a": 1.0, "b": "y" }),
        json!({ "a": "1" }),
        json!({ "a": null }),
        json!({ "b": "x", "a.b": { "c": [1, {}] } }),
        json!({ "$b": "x", "'": "\"" }),
        json!({}),
    ];
    for (id, value) in values.into_iter().enumerate() {
        let success = Success::default().replacing_metadata(Metadata::new(value).unwrap());
        ground.applied(&product(&id.to_string()), &MarkSynced { success }.change()).await;
    }
    for (wanted, expected) in [
        (json!({ "a": 1 }), vec!["0", "1"]),
        (json!({ "a": 1, "b": "y" }), vec!["1"]),
        (json!({ "b": "x" }), vec!["0", "4"]),
        (json!({ "a": "1" }), vec!["2"]),
        (json!({ "a": null }), vec!["3"]),
        (json!({ "a.b": { "c": [1, {}] } }), vec!["4"]),
        (json!({ "a.b": { "c": [1] } }), vec![]),
        (json!({ "a.b": {} }), vec![]),
        (json!({ "$b": "x" }), vec!["5"]),
        (json!({ "'": "\"" }), vec!["5"]),
        (json!({ "none": null }), vec![]),
    ] {
        let metadata = Some(Metadata::new(wanted.clone()).unwrap());
        let filter = Filter { source: Some(shop()), metadata, ..Filter::default() };
        let found = ground.walk(&filter, 1).await;
        assert_eq!(found, expected.into_iter().map(product).collect::<Vec<_>>(), "{wanted}");
    }
}

pub async fn statistics_tell_what_is_due_and_what_waits(ground: Ground) {
    let statistics = async || ground.store.statistics(&shop()).await.expect("statistics");
    let empty = statistics().await;
    assert_eq!(empty, Statistics::new(ground.now()));
    let [first, second, third, elsewhere] = ["1", "2", "3", "4"].map(product);
    let start = ground.now();
    ground.applied(&first, &rules::created()).await;
    ground.advance(10);
    ground.applied(&second, &rules::created()).await;
    ground.applied(&third, &MarkSynced::default().change()).await;
    let elsewhere = Key { source: Source::new("other").unwrap(), ..elsewhere };
    ground.applied(&elsewhere, &rules::created()).await;
    let now = statistics().await;
    assert_eq!((now.due_now, now.next_due, now.oldest_pending), (2, None, Some(start)));
    assert_eq!(now.counts.total(), 3);
    ground.lease(&first).await;
    let now = statistics().await;
    let until = ground.now().plus(span(LEASE));
    assert_eq!((now.due_now, now.next_due), (1, Some(until)));
    assert_eq!(now.oldest_pending, Some(ground.now()));
    ground.advance(LEASE);
    let now = statistics().await;
    assert_eq!((now.now, now.due_now, now.next_due), (ground.now(), 2, None));
}

pub async fn a_cursor_after_a_source_goes_on_with_the_next(ground: Ground) {
    let sources = ["shop", "shop \u{10ffff}", "shop-eu", "shop\u{10ffff}", "shoq"];
    let keys = sources.map(|source| Key::new(source, "product", "1").unwrap());
    create_all(&ground, &keys).await;
    let after = Cursor::after_source(&shop());
    let page = ground.store.list(&Filter::default(), Some(&after), PageSize::MAX).await.unwrap();
    let found: Vec<_> = page.records.into_iter().map(|record| record.key).collect();
    assert_eq!(found, keys[1..]);
}

pub async fn sources_with_records_are_listed(ground: Ground) {
    assert_eq!(ground.store.sources().await.unwrap(), []);
    create_all(&ground, &scattered()).await;
    let sources = ground.store.sources().await.unwrap();
    let names: Vec<_> = sources.iter().map(Source::as_str).collect();
    assert_eq!(names, ["Shop", "shop", "shop-eu"]);
}

pub async fn counts_follow_every_change(ground: Ground) {
    let product_type = entity_type("product");
    let counted = |pending, leased, synced| -> Counts {
        [
            (product_type.clone(), Status::Pending, pending),
            (product_type.clone(), Status::InProgress, leased),
            (product_type.clone(), Status::Synced, synced),
        ]
        .into_iter()
        .collect()
    };
    let expect = async |expected: Counts| {
        assert_eq!(ground.counts().await, expected);
    };
    expect(counted(0, 0, 0)).await;
    let keys = ["1", "2", "3"].map(product);
    create_all(&ground, &keys).await;
    expect(counted(3, 0, 0)).await;
    ground.lease(&keys[0]).await;
    expect(counted(2, 1, 0)).await;
    ground.applied(&keys[1], &MarkSynced::default().change()).await;
    expect(counted(1, 1, 1)).await;
    ground.applied(&keys[1], &MarkSynced::default().change()).await;
    expect(counted(1, 1, 1)).await;
    let _ = ground.store.remove(&keys[1], &Guard::default()).await.unwrap();
    expect(counted(1, 1, 0)).await;
    let other = Key::new("other", "product", "1").unwrap();
    ground.applied(&other, &rules::created()).await;
    let customer = Key::new("shop", "customer", "1").unwrap();
    ground.applied(&customer, &rules::created()).await;
    let counts = ground.counts().await;
    assert_eq!(counts.total(), 3);
    assert_eq!(counts.in_status(Status::Pending), 2);
    assert_eq!(counts.of(&entity_type("customer"), Status::Pending), 1);
}

pub async fn records_of_an_entity_are_found_in_all_sources(ground: Ground) {
    let keys = ["a", "c", "b"].map(|source| Key::new(source, "product", "1").unwrap());
    create_all(&ground, &keys).await;
    let others = [("product", "2"), ("customer", "1")];
    create_all(&ground, &others.map(|(of, id)| Key::new("a", of, id).unwrap())).await;
    let entity = EntityRef::new("product", "1").unwrap();
    let records = ground.store.records_of(&entity).await.unwrap();
    let sources: Vec<_> = records.iter().map(|record| record.key.source.as_str()).collect();
    assert_eq!(sources, ["a", "b", "c"]);
    let _ = ground.store.remove(&keys[0], &Guard::default()).await.unwrap();
    assert_eq!(ground.store.records_of(&entity).await.unwrap().len(), 2);
    let nobody = EntityRef::new("product", "3").unwrap();
    assert_eq!(ground.store.records_of(&nobody).await.unwrap(), []);
}
