//! Many at the same time, for few external ids.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_tracker_core::rules::{self, Bind, BindMode, MarkSynced};
use sync_tracker_core::{
    Applied, Change, ExternalId, Filter, Key, Outcome, Refusal, SyncRecord, Version,
};
use tokio::task::yield_now;

use super::races::{ROUNDS, TASKS, apply, race};
use crate::ground::{Ground, external_id, product};

fn add(id: &ExternalId) -> Change {
    Bind { external_id: id.clone(), mode: BindMode::Add }.change()
}

fn rebind(expected: &ExternalId, id: &ExternalId) -> Change {
    let mode = BindMode::Rebind { expected: expected.clone() };
    Bind { external_id: id.clone(), mode }.change()
}

/// The ids that a record keeps from others.
fn held(record: &SyncRecord) -> BTreeSet<ExternalId> {
    let ids = record.holds_external_ids().then(|| record.external_ids());
    ids.into_iter().flatten().cloned().collect()
}

pub async fn two_that_want_each_others_external_id_keep_their_own(ground: Ground) {
    let key = |number: usize| product(&number.to_string());
    let id = |number: usize| external_id(&format!("x{number}"));
    let other = |number: usize| number ^ 1;
    for number in 0..TASKS {
        ground.applied(&key(number), &add(&id(number))).await;
    }
    for _ in 0..ROUNDS {
        let refusals = race(&ground, TASKS, |store, number| {
            let swap = apply(store, key(number), rebind(&id(number), &id(other(number))));
            async move { (number, swap.await.refusal().cloned()) }
        })
        .await;
        for (number, refusal) in refusals {
            let by = Some(key(other(number)).entity);
            let taken = Refusal::ExternalIdTaken { id: id(other(number)), by };
            assert_eq!(refusal, Some(taken), "nobody has let go");
        }
    }
    for number in 0..TASKS {
        assert_eq!(ground.record(&key(number)).await.external_id, Some(id(number)));
        assert_eq!(ground.find(&key(0), id(number).as_str()).await, Some(key(number)));
    }
    ground.is_sound().await;
}

pub async fn of_many_that_want_another_external_id_one_gets_it(ground: Ground) {
    let key = |number: usize| product(&number.to_string());
    let mut ids: Vec<_> = (0..TASKS).map(|number| external_id(&format!("x{number}"))).collect();
    for (number, id) in ids.iter().enumerate() {
        ground.applied(&key(number), &add(id)).await;
    }
    for round in 0..ROUNDS {
        let wanted = external_id(&format!("y{round}"));
        let refusals = race(&ground, TASKS, |store, number| {
            let move_on = apply(store, key(number), rebind(&ids[number], &wanted));
            async move { (number, move_on.await.refusal().cloned()) }
        })
        .await;
        let winner = ground.find(&key(0), wanted.as_str()).await.expect("somebody won");
        let taken = Refusal::ExternalIdTaken { id: wanted.clone(), by: Some(winner.entity) };
        let moved: Vec<_> = refusals.iter().filter(|(_, refusal)| refusal.is_none()).collect();
        assert_eq!(moved.len(), 1, "one gets it");
        let told = refusals.iter().filter(|(_, refusal)| refusal.as_ref() == Some(&taken)).count();
        assert_eq!(told, TASKS - 1, "all others are told: {refusals:?}");
        let left = mem::replace(&mut ids[moved[0].0], wanted);
        assert_eq!(ground.find(&key(0), left.as_str()).await, None);
    }
    for (number, id) in ids.into_iter().enumerate() {
        assert_eq!(ground.record(&key(number)).await.external_id, Some(id));
    }
    ground.is_sound().await;
}

/// One call and its answer, and when: in ticks.
struct Call {
    key: Key,
    began: u64,
    ended: u64,
    outcome: Outcome,
}

/// That an entity held an id: when at most, and when for certain.
struct Held<'a> {
    id: ExternalId,
    by: &'a Key,
    at_most: (u64, u64),
    for_certain: (u64, u64),
}

fn overlap((from, to): (u64, u64), (other_from, other_to): (u64, u64)) -> bool {
    from.max(other_from) < to.min(other_to)
}

/// Who held what, and when, by the answers.
fn holdings(calls: &[Call]) -> Vec<Held<'_>> {
    let mut lives: BTreeMap<&Key, BTreeMap<Version, (&Call, &SyncRecord)>> = BTreeMap::new();
    for call in calls {
        if let Outcome::Applied(Applied { record, .. }) = &call.outcome {
            let before = lives.entry(&call.key).or_default().insert(record.version, (call, record));
            assert!(
                before.is_none(),
                "two changes made version {} of {}",
                record.version,
                call.key
            );
        }
    }
    let mut holdings = Vec::new();
    for (by, life) in lives {
        let mut now: BTreeMap<ExternalId, &Call> = BTreeMap::new();
        for (call, record) in life.into_values() {
            let kept = held(record);
            let all = mem::take(&mut now).into_iter();
            let (stay, let_go): (_, BTreeMap<_, _>) = all.partition(|(id, _)| kept.contains(id));
            now = stay;
            holdings.extend(let_go.into_iter().map(|(id, since)| Held {
                id,
                by,
                at_most: (since.began, call.ended),
                for_certain: (since.ended, call.began),
            }));
            for id in kept {
                now.entry(id).or_insert(call);
            }
        }
        holdings.extend(now.into_iter().map(|(id, since)| Held {
            id,
            by,
            at_most: (since.began, u64::MAX),
            for_certain: (since.ended, u64::MAX),
        }));
    }
    holdings
}

/// 16 tasks bind, rebind, delete and restore 8 entities, for 3 external ids.
pub async fn in_a_free_for_all_an_external_id_has_one_owner(ground: Ground) {
    for round in 0..ROUNDS / 4 {
        let keys: Vec<_> = (0..8).map(|number| product(&format!("{round}-{number}"))).collect();
        let ids: Vec<_> = (0..3).map(|number| external_id(&format!("x{round}-{number}"))).collect();
        let ticks = Arc::new(AtomicU64::new(0));
        let any = |ids: &[ExternalId]| ids[rand::random_range(0..ids.len())].clone();
        let calls = race(&ground, TASKS, |store, _| {
            let steps = (0..ROUNDS).map(|_| {
                let change = match rand::random_range(0..10) {
                    0..4 => add(&any(&ids)),
                    4..7 => rebind(&any(&ids), &any(&ids)),
                    7 => rules::deleted(),
                    8 => MarkSynced::default().change(),
                    _ => rules::created(),
                };
                (keys[rand::random_range(0..keys.len())].clone(), change)
            });
            let (steps, ticks) = (steps.collect::<Vec<_>>(), Arc::clone(&ticks));
            async move {
                let mut calls = Vec::new();
                for (key, change) in steps {
                    let began = ticks.fetch_add(1, Ordering::SeqCst);
                    let outcome = apply(Arc::clone(&store), key.clone(), change).await;
                    let ended = ticks.fetch_add(1, Ordering::SeqCst);
                    calls.push(Call { key, began, ended, outcome });
                    yield_now().await;
                }
                calls
            }
        })
        .await;
        let calls: Vec<_> = calls.into_iter().flatten().collect();
        // Where a driver sent a call twice, the answer does not tell what it did.
        let replayed = |call: &Call| matches!(&call.outcome, Outcome::Applied(a) if a.replayed);
        if !calls.iter().any(replayed) {
            each_id_has_one_owner_at_a_time(&calls);
        }
        let mut owners = BTreeMap::new();
        for key in &keys {
            for id in ground.get(key).await.iter().flat_map(held) {
                assert_eq!(ground.find(key, id.as_str()).await.as_ref(), Some(key));
                let other = owners.insert(id.clone(), key);
                assert_eq!(other, None, "{id} is also that of {key}");
            }
        }
    }
    assert!(!ground.walk(&Filter::default(), 100).await.is_empty(), "something was done");
    ground.is_sound().await;
}

fn each_id_has_one_owner_at_a_time(calls: &[Call]) {
    let holdings = holdings(calls);
    for (number, one) in holdings.iter().enumerate() {
        for other in holdings[number + 1..].iter().filter(|other| other.id == one.id) {
            let both = one.by != other.by && overlap(one.for_certain, other.for_certain);
            assert!(!both, "{} and {} hold {} together", one.by, other.by, one.id);
        }
    }
    for call in calls {
        // A holder that has let go when it is asked for is not named.
        let Some(Refusal::ExternalIdTaken { id, by: Some(by) }) = call.outcome.refusal() else {
            continue;
        };
        let held = holdings.iter().any(|held| {
            held.id == *id
                && held.by.entity == *by
                && *held.by != call.key
                && overlap(held.at_most, (call.began, call.ended))
        });
        assert!(held, "{by} had not got {id} when {} was refused it", call.key);
    }
}
