//! Changes in a transaction of the caller.

use std::sync::Arc;

use sync_tracker_core::{
    EntityRef, ErrorKind, Event, Events, Outcome, Refusal, SourceOutcome, SyncStore, Tracker,
    TransactionalStore, Unpublished, rules,
};
use tokio::task::JoinSet;

use super::{TransactionGround, TransactionOf, TransactionalFixture};
use crate::cancel::dropped_after;
use crate::ground::{product, shop};

type Ground<F> = TransactionGround<F>;
type Told = Unpublished<Vec<SourceOutcome>>;

fn mug() -> EntityRef {
    product("mug").entity
}

/// The mug was updated, and with it the row of this number.
async fn update<F: TransactionalFixture>(
    ground: &Ground<F>,
    transaction: &mut TransactionOf<'static, F>,
    row: i64,
) -> Told {
    ground.application.write_row(transaction, row).await;
    let told = ground.tracker.updated(mug()).within(&*ground.store, transaction).await;
    let told = told.expect("the change is answered");
    assert!(told.answer().iter().all(|one| one.outcome.is_applied()));
    told
}

/// Checks that the next event is about this entity, by doing something to it that is told.
async fn nothing_was_told(tracker: &Tracker, events: &mut Events) {
    let other = product("other");
    let _ = tracker.mark_synced(&other.entity, shop()).await.expect("it is answered");
    let next = events.next().await.expect("an event");
    assert_eq!(next.record().map(|record| &record.key), Some(&other));
}

async fn nothing_is_there<F: TransactionalFixture>(ground: &Ground<F>) {
    assert_eq!(ground.store.get(&product("mug")).await.expect("it is read"), None);
    assert!(ground.application.rows().await.is_empty());
    ground.is_sound().await;
}

pub async fn a_commit_keeps_the_record_and_the_row<F: TransactionalFixture>(ground: Ground<F>) {
    let mut transaction = ground.application.begin().await;
    let told = update(&ground, &mut transaction, 1).await;
    nothing_is_there(&ground).await;
    ground.application.commit(transaction).await;
    let outcomes = told.publish();
    let record = ground.store.get(&product("mug")).await.expect("it is read");
    assert_eq!(record.as_ref(), outcomes[0].outcome.record());
    assert!(record.is_some_and(|record| record.is_dirty()));
    assert_eq!(ground.application.rows().await, [1]);
    ground.is_sound().await;
}

pub async fn a_rollback_leaves_no_trace_and_tells_nobody<F: TransactionalFixture>(
    ground: Ground<F>,
) {
    let mut events = ground.tracker.events();
    let mut transaction = ground.application.begin().await;
    let told = update(&ground, &mut transaction, 1).await;
    let bound = ground.tracker.bind(&mug(), shop(), "x").within(&*ground.store, &mut transaction);
    let bound = bound.await.expect("the binding is answered");
    assert!(bound.answer().is_applied());
    ground.application.roll_back(transaction).await;
    drop((told, bound));
    nothing_is_there(&ground).await;
    nothing_was_told(&ground.tracker, &mut events).await;
    let bound = ground.tracker.bind(&product("other").entity, shop(), "x").await;
    assert!(bound.expect("it is answered").is_applied(), "the external id is free");
}

pub async fn a_transaction_that_is_dropped_leaves_no_trace<F: TransactionalFixture>(
    ground: Ground<F>,
) {
    let mut transaction = ground.application.begin().await;
    let told = update(&ground, &mut transaction, 1).await;
    drop((transaction, told));
    // Whoever writes next comes after the rollback.
    let _ = ground.tracker.mark_synced(&product("other").entity, shop()).await.expect("answered");
    nothing_is_there(&ground).await;
}

pub async fn events_are_told_when_they_are_published<F: TransactionalFixture>(ground: Ground<F>) {
    let mut events = ground.tracker.events();
    let mut transaction = ground.application.begin().await;
    let told = update(&ground, &mut transaction, 1).await;
    ground.application.commit(transaction).await;
    nothing_was_told(&ground.tracker, &mut events).await;
    let _ = told.publish();
    let Some(Event::Updated(record)) = events.next().await else { panic!("it is told") };
    assert_eq!(Some(&*record), ground.store.get(&product("mug")).await.unwrap().as_ref());
}

pub async fn a_taken_external_id_leaves_the_transaction_usable<F: TransactionalFixture>(
    ground: Ground<F>,
) {
    let other = product("other").entity;
    let _ = ground.tracker.bind(&other, shop(), "x").await.expect("it is answered");
    let mut transaction = ground.application.begin().await;
    ground.application.write_row(&mut transaction, 1).await;
    let bind = ground.tracker.bind(&mug(), shop(), "x").within(&*ground.store, &mut transaction);
    let refused = bind.await.expect("a refusal is an answer").publish();
    let Some(Refusal::ExternalIdTaken { by, .. }) = refused.refusal() else {
        panic!("{refused:?}")
    };
    assert_eq!(by.as_ref(), Some(&other));
    let told = update(&ground, &mut transaction, 2).await;
    ground.application.commit(transaction).await;
    let _ = told.publish();
    assert_eq!(ground.application.rows().await, [1, 2]);
    let record = ground.store.get(&product("mug")).await.unwrap().expect("it is there");
    assert_eq!(record.external_id, None);
    ground.is_sound().await;
}

pub async fn a_transaction_sees_its_own_changes<F: TransactionalFixture>(ground: Ground<F>) {
    let mut transaction = ground.application.begin().await;
    let bind =
        ground.tracker.bind(&mug(), "elsewhere", "x").within(&*ground.store, &mut transaction);
    let bound = bind.await.expect("it is answered");
    let told = update(&ground, &mut transaction, 1).await;
    let sources: Vec<_> = told.answer().iter().map(|one| one.source.as_str()).collect();
    assert_eq!(sources, ["elsewhere", "shop"], "the record that the transaction made is known");
    let again = update(&ground, &mut transaction, 2).await;
    ground.application.commit(transaction).await;
    let _ = (bound.publish(), told.publish(), again.publish());
    let record = ground.store.get(&product("mug")).await.unwrap().expect("it is there");
    assert_eq!(record.revision.get(), 2);
    ground.is_sound().await;
}

pub async fn a_change_repeated_in_a_transaction_is_applied_once<F: TransactionalFixture>(
    ground: Ground<F>,
) {
    let (key, change) = (product("mug"), rules::updated());
    let mut transaction = ground.application.begin().await;
    for replayed in [false, true] {
        let outcome = ground.store.apply_in(&mut transaction, &key, &change).await;
        let Outcome::Applied(applied) = outcome.expect("it is answered") else {
            panic!("it is applied")
        };
        assert_eq!((applied.replayed, applied.record.revision.get()), (replayed, 1));
    }
    ground.application.commit(transaction).await;
    let Outcome::Applied(applied) = ground.store.apply(&key, &change).await.unwrap() else {
        panic!("it is applied")
    };
    assert!(applied.replayed);
}

pub async fn a_push_is_completed_with_the_row_it_is_about<F: TransactionalFixture>(
    ground: Ground<F>,
) {
    let _ = ground.tracker.created(mug()).await.expect("it is answered");
    let mut pushes = ground.tracker.claim(shop()).await.expect("it is answered").pushes;
    let push = pushes.pop().expect("it is claimed");
    let mut events = ground.tracker.events();
    for committed in [false, true] {
        let mut transaction = ground.application.begin().await;
        ground.application.write_row(&mut transaction, 1).await;
        let synced = push.synced().external_id("x").within(&*ground.store, &mut transaction);
        let synced = synced.await.expect("it is answered");
        assert!(synced.answer().is_applied());
        if committed {
            ground.application.commit(transaction).await;
            let _ = synced.publish();
        } else {
            ground.application.roll_back(transaction).await;
        }
    }
    assert!(ground.tracker.is_synced(&mug(), shop()).await.expect("it is read"));
    assert_eq!(ground.application.rows().await, [1]);
    assert!(matches!(events.next().await, Some(Event::EntitySynced(_))));
    // Reported again, it is the same report, and is not told again.
    let _ = push.synced().external_id("x").await.expect("it is answered");
    nothing_was_told(&ground.tracker, &mut events).await;
}

pub async fn two_transactions_on_one_record_come_one_after_the_other<F: TransactionalFixture>(
    ground: Ground<F>,
) {
    const TRANSACTIONS: i64 = 8;
    let ground = Arc::new(ground);
    let mut running = JoinSet::new();
    for row in 0..TRANSACTIONS {
        let ground = Arc::clone(&ground);
        running.spawn(async move {
            loop {
                let mut transaction = ground.application.begin().await;
                ground.application.write_row(&mut transaction, row).await;
                let updated = ground.tracker.updated(mug());
                match updated.within(&*ground.store, &mut transaction).await {
                    Ok(told) => {
                        ground.application.commit(transaction).await;
                        return told.publish()[0].outcome.record().map(|it| it.revision.get());
                    }
                    Err(error) => {
                        assert!(!F::WAITS && error.kind() == ErrorKind::Unavailable, "{error:?}");
                        ground.application.roll_back(transaction).await;
                    }
                }
            }
        });
    }
    // Others write as well, on no transaction of a caller.
    for _ in 0..TRANSACTIONS {
        let _ = ground.tracker.updated(mug()).await.expect("it is answered");
    }
    let mut revisions = running.join_all().await;
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 8, "each saw the others' changes or came before them");
    let record = ground.store.get(&product("mug")).await.unwrap().expect("it is there");
    assert_eq!(record.revision.get(), 16);
    assert_eq!(ground.application.rows().await, Vec::from_iter(0..TRANSACTIONS));
}

pub async fn a_call_dropped_at_any_poll_is_whole_or_not_in_the_transaction<
    F: TransactionalFixture,
>(
    ground: Ground<F>,
) {
    for polls in 0.. {
        let entity = product(&polls.to_string()).entity;
        let id = format!("id of {polls}");
        let mut transaction = ground.application.begin().await;
        ground.application.write_row(&mut transaction, i64::try_from(polls).unwrap()).await;
        let bind = ground.tracker.bind(&entity, shop(), id.as_str());
        let done = dropped_after(polls, bind.within(&*ground.store, &mut transaction)).await;
        ground.application.commit(transaction).await;
        let found = ground.tracker.by_external_id(shop(), "product", id.as_str()).await.unwrap();
        let record = ground.store.get(&entity.in_source(&shop())).await.unwrap();
        assert_eq!(found.map(|found| found.key), record.map(|record| record.key));
        ground.is_sound().await;
        if let Some(bound) = done {
            assert!(bound.expect("it is answered").publish().is_applied());
            return;
        }
    }
}
