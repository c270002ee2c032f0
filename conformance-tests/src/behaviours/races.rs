//! Many at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use sync_tracker_core::rules::{self, Bind, BindMode, MarkSynced, Success};
use sync_tracker_core::{
    Applied, Arm, AttemptsOp, Change, ClaimId, ClaimRequest, Claimed, Guard, Imported, Key,
    Outcome, Patch, RecentChanges, Refusal, Removal, Source, Status, SyncRecord, SyncStore,
};
use tokio::sync::Barrier;
use tokio::task::{JoinSet, yield_now};

use super::local::completed;
use crate::HistoryRecorder;
use crate::environment::variable;
use crate::ground::{Ground, LEASE, external_id, product, request, span};

pub(super) const TASKS: usize = 16;
pub(super) const ROUNDS: usize = 20;

/// How often two claimers compete for one expired lease, unless the environment says otherwise.
const CONTESTS: usize = 1_000;

/// Starts tasks that all wait for each other before they begin, and gathers what they bring.
pub(super) async fn race<T, F>(
    ground: &Ground,
    tasks: usize,
    act: impl Fn(Arc<dyn SyncStore>, usize) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(tasks));
    let mut running = JoinSet::new();
    for number in 0..tasks {
        let (barrier, act) = (Arc::clone(&barrier), act(Arc::clone(&ground.store), number));
        running.spawn(async move {
            barrier.wait().await;
            act.await
        });
    }
    running.join_all().await
}

pub(super) async fn apply(store: Arc<dyn SyncStore>, key: Key, change: Change) -> Outcome {
    store.apply(&key, &change).await.expect("the change is answered")
}

pub(super) fn applied(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| outcome.is_applied()).count()
}

pub async fn of_many_creators_one_wins(ground: Ground) {
    for round in 0..ROUNDS {
        let key = product(&round.to_string());
        let outcomes =
            race(&ground, TASKS, |store, _| apply(store, key.clone(), rules::created())).await;
        assert_eq!(applied(&outcomes), 1);
        let refused = outcomes.iter().filter_map(Outcome::refusal);
        assert!(refused.into_iter().all(|reason| *reason == Refusal::AlreadyExists));
        assert_eq!(ground.record(&key).await.version.get(), 1);
    }
    ground.is_sound().await;
}

pub async fn no_increment_is_lost(ground: Ground) {
    let key = product("1");
    let charge = Patch { attempts: AttemptsOp::Charge, ..Patch::default() };
    let change = || Change::new([Arm { then: charge.clone(), ..Arm::default() }]).unwrap();
    race(&ground, TASKS, |store, _| {
        let (key, changes) = (key.clone(), (0..ROUNDS).map(|_| change()).collect::<Vec<_>>());
        async move {
            for change in changes {
                assert!(apply(Arc::clone(&store), key.clone(), change).await.is_applied());
            }
        }
    })
    .await;
    let record = ground.record(&key).await;
    assert_eq!(usize::try_from(record.attempts), Ok(TASKS * ROUNDS));
    assert_eq!(usize::try_from(record.version.get()), Ok(TASKS * ROUNDS));
}

pub async fn of_many_entities_one_gets_the_external_id(ground: Ground) {
    for round in 0..ROUNDS {
        let id = external_id(&format!("x{round}"));
        let key = |number| product(&format!("{round}-{number}"));
        let outcomes = race(&ground, TASKS, |store, number| {
            let mode = BindMode::Add;
            apply(store, key(number), Bind { external_id: id.clone(), mode }.change())
        })
        .await;
        assert_eq!(applied(&outcomes), 1);
        let winner = ground.find(&key(0), id.as_str()).await.expect("somebody won");
        for reason in outcomes.iter().filter_map(Outcome::refusal) {
            let by = Some(winner.entity.clone());
            assert_eq!(*reason, Refusal::ExternalIdTaken { id: id.clone(), by }, "all are told");
        }
        for number in 0..TASKS {
            let there = ground.get(&key(number)).await.is_some();
            assert_eq!(there, key(number) == winner, "a loser leaves nothing");
        }
    }
    ground.is_sound().await;
}

pub async fn of_many_external_ids_one_is_bound(ground: Ground) {
    for round in 0..ROUNDS {
        let key = product(&round.to_string());
        let id = |number| external_id(&format!("x{round}-{number}"));
        let outcomes = race(&ground, TASKS, |store, number| {
            let mode = BindMode::Add;
            apply(store, key.clone(), Bind { external_id: id(number), mode }.change())
        })
        .await;
        assert_eq!(applied(&outcomes), 1);
        let bound = ground.record(&key).await.external_id.expect("one is bound");
        for reason in outcomes.iter().filter_map(Outcome::refusal) {
            assert_eq!(*reason, Refusal::AlreadyBound { to: bound.clone() });
        }
        for number in 0..TASKS {
            let found = ground.find(&key, id(number).as_str()).await;
            assert_eq!(found.is_some(), id(number) == bound, "a lost id leads nowhere");
        }
    }
    ground.is_sound().await;
}

pub async fn claims_are_disjoint(ground: Ground) {
    let records = 100;
    for id in 0..records {
        ground.applied(&product(&id.to_string()), &rules::created()).await;
    }
    let claimed: Vec<Vec<Claimed>> = race(&ground, 8, |store, _| async move {
        let mut all = Vec::new();
        // A claim may come back short or empty while others claim; so ask until it stays empty.
        let mut empty = 0;
        while empty < 3 {
            let claimed = store.claim(&request(3)).await.expect("the claim is answered");
            assert!(claimed.leased.len() <= 3);
            empty = if claimed.is_empty() { empty + 1 } else { 0 };
            all.push(claimed);
        }
        all
    })
    .await;
    let leased: Vec<_> = claimed.into_iter().flatten().flat_map(|claimed| claimed.leased).collect();
    let keys: BTreeSet<_> = leased.iter().map(|record| record.key.clone()).collect();
    assert_eq!(leased.len(), records, "each once");
    assert_eq!(keys.len(), records, "and all of them");
    assert!(leased.iter().all(|record| record.attempts == 1));
    ground.is_sound().await;
}

/// Two claimers for each of 8 sources, which have one record each whose lease has run out.
pub async fn an_expired_lease_goes_to_one_claimer(ground: Ground) {
    let sources = TASKS / 2;
    let contests = variable("SYNC_TRACKER_CONTESTS", |text| text.parse().ok()).unwrap_or(CONTESTS);
    let claim = |source: usize| {
        let source = Source::new(format!("shop {source}")).expect("a name");
        ClaimRequest::new(source, ClaimId::random(), 1, span(LEASE), u32::MAX).expect("a request")
    };
    let mut tokens = BTreeMap::new();
    for source in 0..sources {
        let key = Key::new(claim(source).source(), "product", "1").expect("a key");
        ground.applied(&key, &rules::created()).await;
        let claimed = ground.claim(&claim(source)).await;
        assert_eq!(claimed.leased.len(), 1);
        tokens.insert(key, claimed.leased[0].token);
    }
    for attempts in (2..).take(contests.div_ceil(sources)) {
        ground.advance(LEASE);
        let claimed = race(&ground, TASKS, |store, number| {
            let request = claim(number % sources);
            async move { store.claim(&request).await.expect("the claim is answered").leased }
        })
        .await;
        let leased: Vec<_> = claimed.into_iter().flatten().collect();
        let keys: BTreeSet<_> = leased.iter().map(|record| &record.key).collect();
        assert_eq!((leased.len(), keys.len()), (sources, sources), "each to one, and all of them");
        for record in leased {
            let before = tokens.insert(record.key, record.token);
            assert!(Some(record.token) > before, "every grant has a higher token");
            assert_eq!(record.attempts, attempts, "one attempt is charged");
        }
    }
}

pub async fn a_change_replayed_in_parallel_is_applied_once(ground: Ground) {
    for round in 0..ROUNDS {
        let key = product(&round.to_string());
        let change = rules::updated();
        let outcomes =
            race(&ground, TASKS, |store, _| apply(store, key.clone(), change.clone())).await;
        assert_eq!(applied_now(&outcomes), 1);
        assert_eq!(applied(&outcomes), TASKS);
        assert_eq!(ground.record(&key).await.revision.get(), 1);
    }
}

fn applied_now(outcomes: &[Outcome]) -> usize {
    let now =
        |outcome: &&Outcome| matches!(outcome, Outcome::Applied(Applied { replayed: false, .. }));
    outcomes.iter().filter(now).count()
}

/// A change that was applied, and others up to its distance from the last one.
async fn changes_of_distance(ground: &Ground, key: &Key, distance: usize) -> Vec<Change> {
    let changes: Vec<_> = (0..distance).map(|_| rules::updated()).collect();
    ground.applied(key, &changes[0]).await;
    changes
}

pub async fn replays_in_parallel_are_known_for_sixteen_changes(ground: Ground) {
    for distance in [1, 15, 16, 17] {
        let key = product(&distance.to_string());
        let changes = changes_of_distance(&ground, &key, distance).await;
        let others = race(&ground, distance - 1, |store, number| {
            apply(store, key.clone(), changes[number + 1].clone())
        })
        .await;
        assert_eq!(applied_now(&others), distance - 1);
        let again = race(&ground, TASKS, |store, _| apply(store, key.clone(), changes[0].clone()));
        let again = again.await;
        assert_eq!(applied(&again), TASKS);
        // The seventeenth last is forgotten, so it is a new change: one that is applied once.
        let forgotten = usize::from(distance > RecentChanges::CAPACITY);
        assert_eq!(applied_now(&again), forgotten, "{distance} changes ago");
        if forgotten == 0 {
            let again = race(&ground, distance, |store, number| {
                apply(store, key.clone(), changes[number].clone())
            })
            .await;
            assert_eq!((applied(&again), applied_now(&again)), (distance, 0), "all are known");
        }
        let revision = ground.record(&key).await.revision.get();
        assert_eq!(usize::try_from(revision), Ok(distance + forgotten));
    }
}

pub async fn a_change_replayed_among_others_is_applied_once(ground: Ground) {
    for distance in [1, 15, 16, 17].repeat(3) {
        let key = product(&rand::random::<u64>().to_string());
        let changes = changes_of_distance(&ground, &key, distance).await;
        let (first, others) = changes.split_first().expect("at least one");
        let outcomes = race(&ground, TASKS, |store, number| {
            let writes = number % 2 == 0;
            let others = others.iter().skip(number / 2).step_by(TASKS / 2).cloned();
            let sent = if writes { others.collect() } else { vec![first.clone(); 3] };
            let key = key.clone();
            async move {
                let mut outcomes = Vec::new();
                for change in sent {
                    outcomes.push(apply(Arc::clone(&store), key.clone(), change).await);
                    yield_now().await;
                }
                (writes, outcomes)
            }
        })
        .await;
        let of = |wanted| {
            let of_wanted = outcomes.iter().filter(|(writes, _)| *writes == wanted);
            of_wanted.flat_map(|(_, outcomes)| outcomes.clone()).collect::<Vec<_>>()
        };
        assert_eq!(applied_now(&of(true)), distance - 1);
        let again = applied_now(&of(false));
        // After sixteen others it is forgotten, and then known again.
        assert!(again <= usize::from(distance > RecentChanges::CAPACITY), "{distance}: {again}");
        let revision = ground.record(&key).await.revision.get();
        assert_eq!(usize::try_from(revision), Ok(distance + again));
    }
}

pub async fn a_change_racing_a_success_is_not_lost(ground: Ground) {
    for round in 0..ROUNDS * 5 {
        let key = product(&round.to_string());
        ground.applied(&key, &rules::created()).await;
        let leased = ground.lease(&key).await;
        let changes = [completed(&leased, Success::default()).change(), rules::updated()];
        let outcomes =
            race(&ground, 2, |store, number| apply(store, key.clone(), changes[number].clone()))
                .await;
        assert_eq!(applied(&outcomes), 2);
        let record = ground.record(&key).await;
        assert_eq!((record.revision.get(), record.synced_revision.get()), (2, 1));
        assert_eq!(record.status(), Status::Pending);
        let _ = ground.store.remove(&key, &Guard::default()).await.expect("removed");
    }
}

pub async fn of_many_writers_with_one_version_one_wins(ground: Ground) {
    let key = product("1");
    let mut version = ground.applied(&key, &rules::created()).await.version;
    for _ in 0..ROUNDS {
        let guard = Guard { version: Some(version), ..Guard::default() };
        let charge = Patch { attempts: AttemptsOp::Charge, ..Patch::default() };
        let arm = Arm { when: guard, then: charge };
        let outcomes = race(&ground, TASKS, |store, _| {
            apply(store, key.clone(), Change::new([arm.clone()]).unwrap())
        })
        .await;
        assert_eq!(applied(&outcomes), 1);
        let refused = outcomes.iter().filter_map(Outcome::refusal);
        assert!(refused.into_iter().all(|reason| *reason == Refusal::VersionMismatch));
        version = ground.record(&key).await.version;
    }
}

pub async fn a_change_racing_a_removal_is_not_lost(ground: Ground) {
    for round in 0..ROUNDS {
        let key = product(&round.to_string());
        let version = Some(ground.applied(&key, &rules::created()).await.version);
        let done = race(&ground, 2, |store, number| {
            let key = key.clone();
            async move {
                if number == 0 {
                    let charged = apply(store, key, charge_what_exists()).await.is_applied();
                    return ("charged", charged);
                }
                let unchanged = Guard { version, ..Guard::default() };
                let removal = store.remove(&key, &unchanged).await;
                ("removed", removal.expect("the removal is answered") == Removal::Removed)
            }
        })
        .await;
        assert_eq!(done.iter().filter(|(_, done)| *done).count(), 1, "one comes first: {done:?}");
        let left = done.contains(&("charged", true)).then_some(1);
        assert_eq!(ground.get(&key).await.map(|there| there.attempts), left);
    }
}

pub async fn a_change_racing_a_renaming_is_not_lost(ground: Ground) {
    for round in 0..ROUNDS {
        let [from, to] = ["from", "to"].map(|name| product(&format!("{name} {round}")));
        ground.applied(&from, &rules::created()).await;
        let charged = race(&ground, 2, |store, number| {
            let (from, to) = (from.clone(), to.clone());
            async move {
                let mut charged = 0;
                for _ in 0..5 {
                    if number == 0 {
                        let change = charge_what_exists();
                        let outcome = apply(Arc::clone(&store), from.clone(), change).await;
                        charged += u32::from(outcome.is_applied());
                    // It may give up while the record keeps changing.
                    } else if store.rename(&from, &to).await.is_ok() {
                        break;
                    }
                }
                charged
            }
        })
        .await;
        let _ = ground.store.rename(&from, &to).await.expect("nobody else is at it");
        let there = ground.record(&to).await;
        assert_eq!(there.attempts, charged.iter().sum::<u32>(), "every charge came along");
        assert_eq!(ground.get(&from).await, None);
    }
    ground.is_sound().await;
}

fn charge_what_exists() -> Change {
    let when = Guard { exists: Some(true), ..Guard::default() };
    let then = Patch { attempts: AttemptsOp::Charge, ..Patch::default() };
    Change::new([Arm { when, then }]).unwrap()
}

pub async fn of_many_imports_one_gets_the_external_id(ground: Ground) {
    let template = ground.applied(&product("template"), &rules::created()).await;
    for round in 0..ROUNDS {
        let id = external_id(&format!("x{round}"));
        let refusals = race(&ground, TASKS, |store, number| {
            let key = product(&format!("{round}-{number}"));
            let bind = Bind { external_id: id.clone(), mode: BindMode::Add }.change();
            let external_id = Some(id.clone());
            let record = SyncRecord { key: key.clone(), external_id, ..template.clone() };
            async move {
                if number % 2 == 0 {
                    return apply(store, key, bind).await.refusal().cloned();
                }
                match store.put(&record).await.expect("the import is answered") {
                    Imported::Stored => None,
                    Imported::Refused(refusal) => Some(refusal),
                }
            }
        })
        .await;
        let winner = ground.find(&template.key, id.as_str()).await.expect("somebody won");
        let taken = Refusal::ExternalIdTaken { id, by: Some(winner.entity) };
        let told = refusals.iter().flatten().filter(|refusal| **refusal == taken).count();
        assert_eq!(told, TASKS - 1, "all others are told: {refusals:?}");
    }
    ground.is_sound().await;
}

pub async fn what_concurrent_callers_see_has_an_order(ground: Ground) {
    let history = Arc::new(HistoryRecorder::new(ground.now()));
    race(&ground, 8, |store, caller| {
        let history = Arc::clone(&history);
        async move {
            for step in 0..ROUNDS {
                let key = product(&((caller + step) % 4).to_string());
                let change = match (caller * 7 + step) % 5 {
                    0 => rules::created(),
                    1 => rules::deleted(),
                    2 => MarkSynced::default().change(),
                    _ => rules::updated(),
                };
                let outcome = history.apply(&*store, &key, &change).await;
                assert!(outcome.is_ok(), "the change is answered");
            }
        }
    })
    .await;
    match history.check() {
        Ok(explained) => assert_eq!(explained, 8 * ROUNDS),
        Err(unexplained) => panic!("no order of calls explains {unexplained:#?}"),
    }
}
