//! Merges of external ids.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use sync_tracker_core::rules::Winner;
use sync_tracker_core::{
    ConflictKind, EntityRef, ExternalId, Merged, Status, SyncRecord, Tracker, Verdict, Via,
};
use sync_tracker_memory::MemoryStore;

use super::scene::{SHOP, content, run, version};

fn customer(name: &str) -> EntityRef {
    EntityRef::new("customer", name).unwrap()
}

async fn bound(pairs: &[(&str, &str)]) -> Tracker {
    let tracker = Tracker::new(MemoryStore::new());
    for (name, id) in pairs {
        let synced = tracker.mark_synced(&customer(name), SHOP).external_id(*id);
        assert!(synced.await.unwrap().is_applied());
    }
    tracker
}

async fn merge(tracker: &Tracker, loser: &str, winner: &str) -> Merged {
    let mut merged = tracker.merge_external(SHOP, "customer", [loser], winner).await.unwrap();
    merged.pop().unwrap()
}

async fn record(tracker: &Tracker, name: &str) -> SyncRecord {
    tracker.record(&customer(name), SHOP).await.unwrap().unwrap()
}

async fn via(tracker: &Tracker, id: &str) -> Option<(EntityRef, Via)> {
    let found = tracker.lookup(SHOP, "customer", id).await.unwrap();
    found.map(|found| (found.record.key.entity, found.via))
}

#[tokio::test]
async fn an_id_that_was_merged_away_leads_to_the_winner() {
    let tracker = bound(&[("ada", "1")]).await;
    assert_eq!(merge(&tracker, "1", "2").await, Merged::Alias(customer("ada")));
    assert_eq!(merge(&tracker, "0", "2").await, Merged::Alias(customer("ada")));
    assert_eq!(merge(&tracker, "2", "3").await, Merged::Alias(customer("ada")));
    assert_eq!(via(&tracker, "3").await, Some((customer("ada"), Via::ExternalId)));
    for alias in ["0", "1", "2"] {
        assert_eq!(via(&tracker, alias).await, Some((customer("ada"), Via::Alias)));
    }
    // Told again, also of an earlier step.
    let before = record(&tracker, "ada").await;
    assert_eq!(merge(&tracker, "2", "3").await, Merged::Already(customer("ada")));
    assert_eq!(merge(&tracker, "1", "2").await, Merged::Already(customer("ada")));
    assert_eq!(record(&tracker, "ada").await, before);
    assert_eq!(merge(&tracker, "8", "9").await, Merged::Untracked);
}

#[tokio::test]
async fn a_circle_is_refused() {
    let tracker = bound(&[("ada", "1")]).await;
    assert_eq!(merge(&tracker, "1", "2").await, Merged::Alias(customer("ada")));
    assert_eq!(merge(&tracker, "2", "1").await, Merged::Circle(customer("ada")));
    assert!(tracker.merge_external(SHOP, "customer", ["2", "3"], "3").await.is_err());
}

#[tokio::test]
async fn what_was_merged_before_is_not_merged_into_another() {
    let tracker = bound(&[("ada", "1"), ("bob", "9")]).await;
    assert_eq!(merge(&tracker, "1", "2").await, Merged::Alias(customer("ada")));
    let into = ExternalId::new("2").ok();
    let before = Merged::MergedBefore { entity: customer("ada"), into };
    assert_eq!(merge(&tracker, "1", "3").await, before);
    assert_eq!(merge(&tracker, "1", "9").await, before);
    assert_eq!(via(&tracker, "3").await, None);
    assert_eq!(record(&tracker, "bob").await.status(), Status::Synced);
}

#[tokio::test]
async fn two_entities_of_one_object_are_a_conflict_of_both() {
    let tracker = bound(&[("ada", "1"), ("bob", "2")]).await;
    let collision = Merged::Collision { loser: customer("ada"), winner: customer("bob") };
    assert_eq!(merge(&tracker, "1", "2").await, collision);
    assert_eq!(merge(&tracker, "1", "2").await, collision, "told again");
    for name in ["ada", "bob"] {
        let record = record(&tracker, name).await;
        assert_eq!(record.conflict.map(|open| open.kind), Some(ConflictKind::IdCollision));
    }
    // One of them goes, and the merge is told again.
    assert_eq!(tracker.forget(&customer("ada")).await.unwrap(), 1);
    assert_eq!(merge(&tracker, "1", "2").await, Merged::Alias(customer("bob")));
    assert_eq!(record(&tracker, "bob").await.status(), Status::Synced, "the collision is over");
    assert_eq!(via(&tracker, "1").await, Some((customer("bob"), Via::Alias)));
}

#[tokio::test]
async fn a_collision_that_turns_out_to_be_none_is_resolved() {
    let tracker = bound(&[("ada", "1"), ("bob", "2")]).await;
    let _ = merge(&tracker, "1", "2").await;
    for name in ["ada", "bob"] {
        let record = record(&tracker, name).await;
        assert!(tracker.resolve(&record, Winner::Local).await.unwrap().is_applied());
    }
    assert_eq!(record(&tracker, "ada").await.status(), Status::Pending);
    assert_eq!(via(&tracker, "1").await, Some((customer("ada"), Via::ExternalId)));
}

#[tokio::test]
async fn the_ids_of_a_tombstone_are_free() {
    let tracker = bound(&[("ada", "1"), ("bob", "2")]).await;
    assert!(tracker.deleted(customer("ada")).await.unwrap()[0].outcome.is_applied());
    let pushes = tracker.claim(SHOP).await.unwrap().pushes;
    assert!(pushes[0].synced().await.unwrap().is_applied());
    assert_eq!(merge(&tracker, "1", "2").await, Merged::Alias(customer("bob")));
    assert_eq!(via(&tracker, "1").await, Some((customer("bob"), Via::Alias)));
}

#[tokio::test]
async fn an_event_of_a_merged_id_asks_to_read_the_winner() {
    let tracker = bound(&[("ada", "1")]).await;
    let _ = merge(&tracker, "1", "2").await;
    let before = record(&tracker, "ada").await;
    let event = tracker.observe(SHOP, "customer", "1").version(version(99)).deleted();
    let observed = event.await.unwrap();
    assert_eq!(observed.verdict, Verdict::Merged);
    assert!(observed.verdict.asks_to_read());
    assert_eq!(observed.record, Some(before));
}

#[tokio::test]
async fn nothing_is_known_of_a_winner_that_nobody_held() {
    let tracker = Tracker::new(MemoryStore::new());
    let synced = tracker.mark_synced(&customer("ada"), SHOP).external_id("1");
    let synced = synced.remote_version(version(50)).fingerprint(content(1));
    assert!(synced.await.unwrap().is_applied());
    let _ = merge(&tracker, "1", "2").await;
    // Its versions are counted by themselves.
    let seen = tracker.observe(SHOP, "customer", "2").version(version(3)).fingerprint(content(1));
    assert_eq!(seen.await.unwrap().verdict, Verdict::Newer);
}

#[tokio::test]
async fn aliases_are_bounded() {
    let tracker = bound(&[("ada", "winner")]).await;
    let losers: Vec<String> = (0..=SyncRecord::MAX_ALIASES).map(|n| n.to_string()).collect();
    let merged = tracker.merge_external(SHOP, "customer", &losers, "winner").await.unwrap();
    assert_eq!(merged.last(), Some(&Merged::TooManyAliases(customer("ada"))));
    let aliases = merged.iter().filter(|one| matches!(one, Merged::Alias(_))).count();
    assert_eq!(aliases, SyncRecord::MAX_ALIASES);
}

/// What happens in random sequences.
#[derive(Clone, Copy, Debug)]
enum Step {
    Bind { entity: u8, id: u8 },
    Merge { loser: u8, winner: u8 },
    Forget { entity: u8 },
    Resolve { entity: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let (entity, id) = (0..4_u8, 0..8_u8);
    prop_oneof![
        3 => (entity.clone(), id.clone()).prop_map(|(entity, id)| Step::Bind { entity, id }),
        6 => (id.clone(), id).prop_map(|(loser, winner)| Step::Merge { loser, winner }),
        1 => entity.clone().prop_map(|entity| Step::Forget { entity }),
        1 => entity.prop_map(|entity| Step::Resolve { entity }),
    ]
}

/// Every id that was ever bound or merged leads to exactly one entity: the one that a plain table
/// from ids to entities says.
async fn every_id_leads_to_one_answer(steps: Vec<Step>) -> u64 {
    let tracker = Tracker::new(MemoryStore::new());
    let name = |entity: u8| customer(&entity.to_string());
    let mut table: BTreeMap<String, EntityRef> = BTreeMap::new();
    let mut merges = 0;
    for step in steps {
        match step {
            Step::Bind { entity, id } => {
                let bound = tracker.bind(&name(entity), SHOP, id.to_string()).await.unwrap();
                if bound.is_applied() {
                    table.insert(id.to_string(), name(entity));
                }
            }
            Step::Merge { loser, winner } if loser == winner => {}
            Step::Merge { loser, winner } => {
                merges += 1;
                let merged = merge(&tracker, &loser.to_string(), &winner.to_string()).await;
                let (before, other) =
                    (table.get(&loser.to_string()), table.get(&winner.to_string()));
                match &merged {
                    Merged::Alias(entity) => {
                        assert!(before.is_none() != other.is_none(), "one side was bound");
                        assert_eq!(before.or(other), Some(entity));
                        let entity = entity.clone();
                        table.insert(loser.to_string(), entity.clone());
                        table.insert(winner.to_string(), entity);
                    }
                    Merged::Already(entity) | Merged::Circle(entity) => {
                        assert_eq!((before, other), (Some(entity), Some(entity)));
                    }
                    Merged::Untracked => assert_eq!((before, other), (None, None)),
                    Merged::Collision { loser, winner } => {
                        assert_eq!((before, other), (Some(loser), Some(winner)));
                        assert_ne!(loser, winner);
                    }
                    Merged::MergedBefore { entity, .. } => assert_eq!(before, Some(entity)),
                    Merged::TooManyAliases(_) => panic!("{merged:?}"),
                }
            }
            Step::Forget { entity } => {
                tracker.forget(&name(entity)).await.unwrap();
                table.retain(|_, holder| *holder != name(entity));
            }
            Step::Resolve { entity } => {
                if let Some(record) = tracker.record(&name(entity), SHOP).await.unwrap() {
                    let _ = tracker.resolve(&record, Winner::Local).await.unwrap();
                }
            }
        }
        for id in 0..8_u8 {
            let found = via(&tracker, &id.to_string()).await.map(|(entity, _)| entity);
            assert_eq!(found.as_ref(), table.get(&id.to_string()), "{id}");
        }
    }
    let own: BTreeSet<_> = table.values().collect();
    for entity in own {
        let record = tracker.record(entity, SHOP).await.unwrap().unwrap();
        let own = record.external_ids().filter(|id| record.via(id) == Some(Via::ExternalId));
        assert_eq!(own.count(), 1, "one of its ids is its own");
    }
    assert_eq!(tracker.store().verify().await.unwrap(), []);
    merges
}

proptest! {
    #[test]
    fn random_merges_leave_every_id_with_one_answer(steps in vec(step(), 1..40)) {
        run(every_id_leads_to_one_answer(steps));
    }
}
