//! Many at once.

use std::sync::Arc;

use sync_tracker_core::rules::{self, Bind, BindMode, MarkSynced};
use sync_tracker_core::{Change, Filter, Key, Outcome, PageSize, Refusal, Status, SyncRecord};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::ground::{Ground, external_id, product, request};

async fn outcomes(ground: &Ground, items: &[(Key, Change)]) -> Vec<Outcome> {
    let outcomes = ground.store.apply_many(items).await;
    outcomes.into_iter().map(|outcome| outcome.expect("each item is answered")).collect()
}

pub async fn a_batch_answers_in_the_order_of_its_items(ground: Ground) {
    let bind = Bind { external_id: external_id("x"), mode: BindMode::Add }.change();
    ground.applied(&product("d"), &bind).await;
    let items = [
        (product("c"), rules::created()),
        (product("none"), rules::deleted()),
        (product("a"), MarkSynced::default().change()),
        (product("d"), rules::created()),
        (product("e"), bind.clone().with_id(rules::created().id())),
        (product("b"), rules::updated()),
    ];
    let outcomes = outcomes(&ground, &items).await;
    for ((key, _), outcome) in items.iter().zip(&outcomes) {
        assert_eq!(outcome.record(), ground.get(key).await.as_ref(), "{key}");
    }
    let taken =
        Refusal::ExternalIdTaken { id: external_id("x"), by: Some(product("d").entity.clone()) };
    let refusals: Vec<_> = outcomes.iter().map(Outcome::refusal).collect();
    assert_eq!(
        refusals,
        [None, Some(&Refusal::Absent), None, Some(&Refusal::AlreadyExists), Some(&taken), None]
    );
    ground.is_sound().await;
}

pub async fn a_batch_applies_a_repeated_key_in_order(ground: Ground) {
    let key = product("1");
    let twice = rules::updated();
    let items = [
        (key.clone(), rules::created()),
        (product("2"), rules::created()),
        (key.clone(), twice.clone()),
        (key.clone(), rules::deleted()),
        (key.clone(), rules::updated()),
        (key.clone(), twice),
    ];
    let outcomes = outcomes(&ground, &items).await;
    assert_eq!(outcomes[0].record().unwrap().revision.get(), 1);
    assert_eq!(outcomes[2].record().unwrap().revision.get(), 2);
    assert!(outcomes[3].record().unwrap().is_deleted());
    assert_eq!(outcomes[4].refusal(), Some(&Refusal::Deleted));
    assert!(matches!(&outcomes[5], Outcome::Applied(applied) if applied.replayed));
    assert_eq!(ground.record(&key).await.version.get(), 3);
}

pub async fn an_empty_batch_is_answered(ground: Ground) {
    assert_eq!(outcomes(&ground, &[]).await, []);
    assert_eq!(ground.store.get_many(&[]).await.unwrap(), []);
}

pub async fn hundreds_at_once_are_all_answered(ground: Ground) {
    let keys: Vec<_> = (0..300).map(|id| product(&format!("{id:03}"))).collect();
    let items: Vec<_> = keys.iter().map(|key| (key.clone(), rules::created())).collect();
    let applied = outcomes(&ground, &items).await;
    let of = |records: &[SyncRecord]| -> Vec<Key> {
        records.iter().map(|record| record.key.clone()).collect()
    };
    let records: Vec<_> = applied.iter().filter_map(Outcome::record).cloned().collect();
    assert_eq!(of(&records), keys);
    let read = ground.store.get_many(&keys).await.unwrap();
    assert_eq!(read, records.into_iter().map(Some).collect::<Vec<_>>());
    let page = ground.store.list(&Filter::default(), None, PageSize::MAX).await.unwrap();
    assert_eq!((of(&page.records), page.next), (keys.clone(), None));
    assert_eq!(of(&ground.claim(&request(keys.len())).await.leased), keys);
    assert_eq!(ground.counts().await.in_status(Status::InProgress), 300);
}

pub async fn many_records_are_read_in_the_order_of_their_keys(ground: Ground) {
    let elsewhere = Key::new("other", "product", "1").unwrap();
    for key in [&product("1"), &product("2"), &elsewhere] {
        ground.applied(key, &rules::created()).await;
    }
    let keys = [product("2"), product("none"), elsewhere, product("1"), product("2")];
    let records = ground.store.get_many(&keys).await.unwrap();
    let found: Vec<_> = records.into_iter().map(|record| record.map(|found| found.key)).collect();
    let mut expected = keys.map(Some);
    expected[1] = None;
    assert_eq!(found, expected);
}

pub async fn many_external_ids_are_looked_up_in_their_order(ground: Ground) {
    for id in ["1", "2", "3"] {
        let bind = Bind { external_id: external_id(&format!("x{id}")), mode: BindMode::Add };
        ground.applied(&product(id), &bind.change()).await;
    }
    let ids = ["x3", "none", "x1", "x3"].map(external_id);
    let Key { source, entity } = product("1");
    let found = ground.store.by_external_ids(&source, &entity.entity_type, &ids).await.unwrap();
    let keys: Vec<_> = found.into_iter().map(|record| record.map(|found| found.key)).collect();
    let (one, three) = (Some(product("1")), Some(product("3")));
    assert_eq!(keys, [three.clone(), None, one, three]);
}

pub async fn batches_that_cross_are_both_answered(ground: Ground) {
    const ROUNDS: usize = 5;
    let keys: Vec<_> = (0..20).map(|id| product(&format!("{id:02}"))).collect();
    for _ in 0..ROUNDS {
        let barrier = Arc::new(Barrier::new(4));
        let mut batches = JoinSet::new();
        for backwards in [false, true, false, true] {
            let mut items: Vec<_> =
                keys.iter().map(|key| (key.clone(), rules::updated())).collect();
            if backwards {
                items.reverse();
            }
            let (barrier, store) = (Arc::clone(&barrier), Arc::clone(&ground.store));
            batches.spawn(async move {
                barrier.wait().await;
                store.apply_many(&items).await
            });
        }
        for outcome in batches.join_all().await.into_iter().flatten() {
            assert!(outcome.expect("each item is answered").is_applied());
        }
    }
    for key in &keys {
        assert_eq!(ground.record(key).await.revision.get(), 4 * ROUNDS as u64);
    }
}
