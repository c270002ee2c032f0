//! What checkpoints do, one function per behaviour.

use std::sync::Arc;

use serde_json::json;
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointStore, Generation, JsonValue, SaveCheckpoint, Saved, Source,
    StreamName, Timestamp, Version,
};

use crate::ground::at;
use crate::side_stores::{SideStoreGround, hostile_values, look_alikes, source, value};

type Ground = SideStoreGround<dyn CheckpointStore>;

const TASKS: usize = 16;
const ROUNDS: usize = 20;

fn stream(name: &str) -> StreamName {
    StreamName::new(name).expect("a name")
}

fn shop() -> Source {
    source("shop")
}

fn cursor(number: usize) -> JsonValue {
    value(json!({ "cursor": number }))
}

/// A save of orders of the shop by somebody who saw this checkpoint, under a new id.
fn save(seen: &Checkpoint, value: JsonValue) -> SaveCheckpoint {
    save_of("orders", seen, value)
}

fn save_of(name: &str, seen: &Checkpoint, value: JsonValue) -> SaveCheckpoint {
    let Checkpoint { version, generation, .. } = *seen;
    let id = ChangeId::random();
    SaveCheckpoint { source: shop(), stream: stream(name), value, version, generation, id }
}

fn done(saved: Saved) -> Checkpoint {
    match saved {
        Saved::Done(checkpoint) => checkpoint,
        Saved::Stale(there) => panic!("refused: {there:?}"),
    }
}

impl Ground {
    async fn load(&self, name: &str) -> Checkpoint {
        self.load_of(&shop(), name).await
    }

    async fn load_of(&self, source: &Source, name: &str) -> Checkpoint {
        self.store.load(source, &stream(name)).await.expect("the checkpoint is read")
    }

    async fn save(&self, request: &SaveCheckpoint) -> Saved {
        self.store.save(request).await.expect("the save is answered")
    }

    async fn reset(&self, id: ChangeId) -> Checkpoint {
        let reset = self.store.reset(&shop(), &stream("orders"), id).await;
        reset.expect("the reset is answered")
    }

    async fn raise(&self, source: &Source, millis: i64) -> Timestamp {
        let raised = self.store.raise_horizon(source, at(millis)).await;
        raised.expect("the horizon is answered")
    }

    async fn horizon(&self, source: &Source) -> Option<Timestamp> {
        self.store.horizon(source).await.expect("the horizon is read")
    }

    /// Saves what must be refused, and checks that it had no effect.
    async fn refused(&self, request: &SaveCheckpoint) {
        let before = self.load(request.stream.as_str()).await;
        assert_eq!(self.save(request).await, Saved::Stale(before.clone()));
        assert_eq!(self.load(request.stream.as_str()).await, before, "no effect");
    }
}

pub async fn a_stream_that_nobody_pulled_has_no_value(ground: Ground) {
    let expected = Checkpoint {
        value: None,
        version: Version::ZERO,
        generation: Generation::ZERO,
        saved_at: None,
    };
    assert_eq!(ground.load("orders").await, expected);
    assert_eq!(ground.store.checkpoints(&shop()).await.expect("listed"), []);
    assert_eq!(ground.horizon(&shop()).await, None);
}

pub async fn a_saved_value_is_loaded(ground: Ground) {
    ground.advance(1);
    let saved = done(ground.save(&save(&Checkpoint::default(), cursor(1))).await);
    let expected = Checkpoint {
        value: Some(cursor(1)),
        version: Version::new(1).unwrap(),
        generation: Generation::ZERO,
        saved_at: Some(ground.now()),
    };
    assert_eq!(saved, expected);
    ground.advance(1);
    assert_eq!(ground.load("orders").await, expected);
}

pub async fn every_save_counts_a_version(ground: Ground) {
    let mut there = Checkpoint::default();
    for number in 1..=20 {
        ground.advance(1);
        // The same value again is a save too.
        there = done(ground.save(&save(&there, cursor(number / 2))).await);
        assert_eq!(usize::try_from(there.version.get()), Ok(number));
        assert_eq!(there.saved_at, Some(ground.now()));
        assert_eq!(ground.load("orders").await, there);
    }
}

pub async fn a_save_from_another_version_is_refused(ground: Ground) {
    let nothing = Checkpoint::default();
    let first = done(ground.save(&save(&nothing, cursor(1))).await);
    ground.refused(&save(&nothing, cursor(2))).await;
    done(ground.save(&save(&first, cursor(3))).await);
    ground.refused(&save(&first, cursor(4))).await;
    ground.refused(&save(&nothing, cursor(5))).await;
    let ahead = Checkpoint { version: Version::new(3).unwrap(), ..first.clone() };
    ground.refused(&save(&ahead, cursor(6))).await;
    ground.refused(&save_of("other", &ahead, cursor(6))).await;
}

pub async fn a_save_from_another_generation_is_refused(ground: Ground) {
    let first = ground.reset(ChangeId::random()).await;
    for generation in [0, 2] {
        let other =
            Checkpoint { generation: Generation::new(generation).unwrap(), ..first.clone() };
        ground.refused(&save(&other, cursor(1))).await;
    }
    done(ground.save(&save(&first, cursor(1))).await);
}

pub async fn a_repeated_save_is_answered_as_the_first(ground: Ground) {
    let request = save(&Checkpoint::default(), cursor(1));
    let first = ground.save(&request).await;
    ground.advance(5);
    assert_eq!(ground.save(&request).await, first);
    assert_eq!(Saved::Done(ground.load("orders").await), first);
    // The same save by another is none of this.
    ground.refused(&SaveCheckpoint { id: ChangeId::random(), ..request }).await;
}

pub async fn a_save_that_comes_late_a_second_time_changes_nothing(ground: Ground) {
    let request = save(&Checkpoint::default(), cursor(1));
    let first = done(ground.save(&request).await);
    let second = done(ground.save(&save(&first, cursor(2))).await);
    ground.refused(&request).await;
    ground.reset(ChangeId::random()).await;
    ground.refused(&request).await;
    ground.refused(&save(&second, cursor(2))).await;
}

pub async fn a_reset_forgets_the_value_and_begins_a_generation(ground: Ground) {
    let mut generation = 0;
    for _ in 0..3 {
        generation += 1;
        let before = ground.load("orders").await;
        let there = ground.reset(ChangeId::random()).await;
        assert_eq!((there.value.as_ref(), there.saved_at), (None, None));
        assert_eq!(there.generation.get(), generation);
        assert_eq!(there.version.get(), before.version.get() + 1, "a version is not used again");
        assert_eq!(ground.load("orders").await, there);
        let saved = done(ground.save(&save(&there, cursor(1))).await);
        assert_eq!(saved.generation, there.generation);
    }
    assert_eq!(ground.load("other").await, Checkpoint::default());
}

pub async fn a_run_from_before_a_reset_cannot_save(ground: Ground) {
    let nothing = Checkpoint::default();
    ground.reset(ChangeId::random()).await;
    ground.refused(&save(&nothing, cursor(1))).await;
    let saved = done(ground.save(&save(&ground.load("orders").await, cursor(2))).await);
    ground.reset(ChangeId::random()).await;
    ground.refused(&save(&saved, cursor(3))).await;
    done(ground.save(&save(&ground.load("orders").await, cursor(4))).await);
    ground.refused(&save(&saved, cursor(5))).await;
}

pub async fn a_repeated_reset_resets_once(ground: Ground) {
    let id = ChangeId::random();
    let first = ground.reset(id).await;
    assert_eq!(ground.reset(id).await, first);
    let saved = done(ground.save(&save(&first, cursor(1))).await);
    assert_eq!(ground.reset(id).await, saved, "a late copy does not throw a later run away");
    assert_eq!(ground.load("orders").await, saved);
}

pub async fn streams_are_kept_apart_byte_by_byte(ground: Ground) {
    let names = look_alikes();
    let nothing = Checkpoint::default();
    for name in &names {
        let saved = done(ground.save(&save_of(name, &nothing, value(json!(name)))).await);
        assert_eq!(saved.version.get(), 1);
        let elsewhere =
            SaveCheckpoint { source: source(name), ..save_of("1", &nothing, value(json!([name]))) };
        done(ground.save(&elsewhere).await);
    }
    for name in &names {
        assert_eq!(ground.load(name).await.value, Some(value(json!(name))));
        let elsewhere = ground.load_of(&source(name), "1").await;
        assert_eq!(elsewhere.value, Some(value(json!([name]))));
    }
}

pub async fn values_come_back_as_they_were(ground: Ground) {
    let mut there = Checkpoint::default();
    for value in hostile_values() {
        there = done(ground.save(&save(&there, value.clone())).await);
        assert_eq!(there.value, Some(value));
        assert_eq!(ground.load("orders").await, there);
    }
}

pub async fn the_checkpoints_of_a_source_are_listed_in_the_order_of_bytes(ground: Ground) {
    let mut expected = Vec::new();
    for name in look_alikes() {
        let saved = ground.save(&save_of(&name, &Checkpoint::default(), value(json!(name)))).await;
        expected.push((stream(&name), done(saved)));
    }
    expected.push((stream("orders"), ground.reset(ChangeId::random()).await));
    let elsewhere =
        SaveCheckpoint { source: source("shop-eu"), ..save(&Checkpoint::default(), cursor(1)) };
    done(ground.save(&elsewhere).await);
    ground.raise(&shop(), 1).await;
    expected.sort_by(|a, b| a.0.as_str().as_bytes().cmp(b.0.as_str().as_bytes()));
    assert_eq!(ground.store.checkpoints(&shop()).await.expect("listed"), expected);
}

pub async fn a_purge_horizon_never_goes_back(ground: Ground) {
    for (to, expected) in [(1_000, 1_000), (999, 1_000), (1_000, 1_000), (1_001, 1_001)] {
        assert_eq!(ground.raise(&shop(), to).await, at(expected));
        assert_eq!(ground.horizon(&shop()).await, Some(at(expected)));
    }
    assert_eq!(ground.load("purge").await, Checkpoint::default());
}

pub async fn a_purge_horizon_is_of_one_source(ground: Ground) {
    ground.raise(&shop(), 2_000).await;
    assert_eq!(ground.horizon(&source("SHOP")).await, None);
    assert_eq!(ground.raise(&source("SHOP"), -5).await, at(-5));
    assert_eq!(ground.horizon(&shop()).await, Some(at(2_000)));
}

pub async fn two_namespaces_do_not_see_each_other(ground: Ground) {
    done(ground.save(&save(&Checkpoint::default(), cursor(1))).await);
    ground.raise(&shop(), 2_000).await;
    let elsewhere = &ground.by_own_clock;
    let there = elsewhere.load(&shop(), &stream("orders")).await.expect("read");
    assert_eq!(there, Checkpoint::default());
    assert_eq!(elsewhere.horizon(&shop()).await.expect("read"), None);
    elsewhere.reset(&shop(), &stream("orders"), ChangeId::random()).await.expect("reset");
    assert_eq!(ground.load("orders").await.value, Some(cursor(1)));
}

pub async fn the_stores_own_clock_decides(ground: Ground) {
    let saved = ground.by_own_clock.save(&save(&Checkpoint::default(), cursor(1))).await;
    let saved_at = done(saved.expect("answered")).saved_at.expect("it is saved");
    // The server's clock and this machine's may differ, but not by half an hour.
    let apart = saved_at.as_millis().abs_diff(Timestamp::now().as_millis());
    assert!(apart < 30 * 60 * 1_000, "{saved_at}");
}

pub async fn of_many_savers_one_moves_the_checkpoint(ground: Ground) {
    for _ in 0..ROUNDS {
        let there = ground.load("orders").await;
        let saved = ground
            .race(TASKS, |store: Arc<dyn CheckpointStore>, number| {
                let request = save(&there, cursor(number));
                async move { store.save(&request).await.expect("answered") }
            })
            .await;
        let moved: Vec<_> = saved
            .iter()
            .filter_map(|saved| match saved {
                Saved::Done(checkpoint) => Some(checkpoint),
                Saved::Stale(_) => None,
            })
            .collect();
        let [moved] = moved.as_slice() else { panic!("{} moved it", moved.len()) };
        assert_eq!(ground.load("orders").await, **moved);
        let told = saved.iter().filter(|saved| **saved == Saved::Stale((*moved).clone()));
        assert_eq!(told.count(), TASKS - 1, "all others are told where it stands");
    }
}

pub async fn a_save_repeated_in_parallel_is_applied_once(ground: Ground) {
    for round in 0..ROUNDS {
        let request = save(&ground.load("orders").await, cursor(round));
        let saved = ground
            .race(TASKS, |store, _| {
                let request = request.clone();
                async move { done(store.save(&request).await.expect("answered")) }
            })
            .await;
        let there = ground.load("orders").await;
        assert_eq!(there.version.get(), request.version.get() + 1);
        assert!(saved.iter().all(|saved| *saved == there));
    }
}

pub async fn a_save_racing_a_reset_leaves_no_value(ground: Ground) {
    for round in 1..=ROUNDS * 5 {
        let there = ground.load("orders").await;
        ground
            .race(2, |store, number| {
                let request = save(&there, cursor(round));
                async move {
                    if number == round % 2 {
                        let _ = store.save(&request).await.expect("answered");
                    } else {
                        let id = ChangeId::random();
                        store.reset(&request.source, &request.stream, id).await.expect("answered");
                    }
                }
            })
            .await;
        let after = ground.load("orders").await;
        assert_eq!((after.value, usize::try_from(after.generation.get())), (None, Ok(round)));
    }
}

pub async fn no_reset_is_lost(ground: Ground) {
    ground
        .race(TASKS, |store, _| async move {
            let reset = store.reset(&shop(), &stream("orders"), ChangeId::random()).await;
            reset.expect("answered");
        })
        .await;
    let there = ground.load("orders").await;
    assert_eq!(usize::try_from(there.generation.get()), Ok(TASKS));
}

pub async fn of_many_horizons_the_highest_stays(ground: Ground) {
    for round in 1..=ROUNDS {
        let to = move |number: usize| at(i64::try_from(round * 100 + number).unwrap());
        ground
            .race(TASKS, move |store, number| async move {
                let to = to(number);
                assert!(store.raise_horizon(&shop(), to).await.expect("answered") >= to);
            })
            .await;
        assert_eq!(ground.horizon(&shop()).await, Some(to(TASKS - 1)));
    }
}
