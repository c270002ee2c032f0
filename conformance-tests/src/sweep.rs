//! Drops a call at every poll, and checks what it left.
//!
//! What a dropped call asked a server for may still be carried out, once, and later. So nothing is
//! said about which of the lawful states is found, and looks that something lands in between are
//! repeated: each compares two readings of all records, one before and one after it asks the
//! indexes. If they are the same, nothing changed meanwhile, and where an index disagrees with the
//! records it is torn. Each call of a sweep has a source of its own, on which nothing else is
//! written that a late copy of it could undo.

use std::collections::{BTreeMap, BTreeSet};

use sync_tracker_core::{
    Applied, Change, ClaimId, Filter, Guard, HeldKind, Imported, Key, Ledger, Outcome, PageSize,
    Pause, PauseRequest, Source, SyncRecord, SyncStore, Timestamp,
};

use crate::cancel::dropped_after;
use crate::differential::{Action, Answer};
use crate::ground::{Ground, claim_of};

/// How often something may land in a look, or be granted to another. A call takes fewer steps.
const LOOKS: usize = 8;
/// How often a claim is repeated that may run beside its own late copy.
const CLAIMS: usize = 200;

/// What is there before the call, and what it is called with.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) source: Source,
    pub(crate) ledger: Ledger,
    now: Timestamp,
}

impl Scene {
    /// A key that no other scene has.
    pub(crate) fn key(&self, id: &str) -> Key {
        Key::new(self.source.as_str(), "product", format!("{id} of {}", self.source)).unwrap()
    }

    /// Applies a change that must be applied.
    pub(crate) fn applied(&mut self, id: &str, change: &Change) -> SyncRecord {
        let outcome = self.ledger.apply(&self.key(id), change, self.now);
        outcome.into_result().expect("it is applied").record
    }

    /// Claims all that is due.
    pub(crate) fn claimed(&mut self) -> Vec<SyncRecord> {
        self.ledger.claim(&claim_of(&self.source, ClaimId::random(), 100), self.now).leased
    }

    pub(crate) fn pause(&mut self, request: &PauseRequest) {
        self.ledger.pause(&self.source, request, self.now);
    }
}

/// What follows a call that was dropped.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The same call, which completes it.
    Repeated,
    /// A claim of another worker, who knows nothing of it.
    Claimed,
}

/// Drops a call at every poll until it is done by then, each time on records of its own.
pub(crate) async fn sweep(ground: &Ground, name: &str, call: impl Fn(&mut Scene) -> Action) {
    for polls in 0.. {
        let mut done = true;
        for then in [Then::Repeated, Then::Claimed] {
            let source = Source::new(format!("{name}, {polls}, {then:?}")).unwrap();
            let mut scene = Scene { source, ledger: Ledger::default(), now: ground.now() };
            let action = call(&mut scene);
            let dropped = Dropped::new(&*ground.store, scene, action);
            // What changes nothing is nothing to another worker.
            if matches!(then, Then::Repeated) || dropped.before != dropped.after {
                done &= dropped.at(polls, then).await;
            }
        }
        if done {
            break;
        }
    }
}

/// A call that is dropped, and the reference before and after it.
struct Dropped<'a> {
    store: &'a dyn SyncStore,
    source: Source,
    now: Timestamp,
    action: Action,
    /// The answer of the reference, and that to the same call again.
    expected: Answer,
    again: Answer,
    before: Ledger,
    after: Ledger,
}

/// All records of a source, and its pause.
type Seen = (Vec<SyncRecord>, Option<Pause>);

impl<'a> Dropped<'a> {
    fn new(store: &'a dyn SyncStore, scene: Scene, action: Action) -> Self {
        let Scene { source, ledger: before, now } = scene;
        let mut after = before.clone();
        let answer =
            |ledger: &mut Ledger| action.on_ledger(ledger, now).expect("the reference answers");
        let expected = answer(&mut after);
        let again = answer(&mut after.clone());
        Self { store, source, now, action, expected, again, before, after }
    }

    /// Drops the call after so many polls, and says whether it was done.
    async fn at(&self, polls: usize, then: Then) -> bool {
        self.prepare().await;
        let answer = dropped_after(polls, self.action.on_store(self.store)).await;
        let seen = self.look().await;
        if let Some(answer) = &answer {
            let answer = answer.as_ref().expect("the call is answered");
            self.check(self.agrees(answer, false), || format!("the answer is {answer:#?}"));
            self.check(seen == self.of(&self.after), || format!("left {seen:#?}"));
            let found = self.store.verify().await.expect("the store is verified");
            self.check(found.is_empty(), || format!("verify found {found:#?}"));
        } else {
            self.check(self.is_whole(&seen), || format!("left {seen:#?}"));
        }
        match then {
            Then::Repeated => self.repeated().await,
            Then::Claimed => self.claimed().await,
        }
        self.clear_away().await;
        answer.is_some()
    }

    fn check(&self, holds: bool, problem: impl FnOnce() -> String) {
        let Self { source, action, before, after, .. } = self;
        let (before, after) = (self.of(before), self.of(after));
        assert!(
            holds,
            "{source}: {}\nof {action:#?}\nbefore {before:#?}\nafter {after:#?}",
            problem(),
        );
    }

    async fn prepare(&self) {
        let (records, pause) = self.of(&self.before);
        for record in &records {
            let imported = self.store.put(record).await;
            assert_eq!(imported.expect("the import is answered"), Imported::Stored);
        }
        if let Some(pause) = pause {
            let request = PauseRequest { span: None, reason: pause.reason };
            self.store.pause(&self.source, &request).await.expect("it is paused");
        }
    }

    /// What the reference has.
    fn of(&self, ledger: &Ledger) -> Seen {
        let page = ledger.list(&self.all(), None, PageSize::MAX, self.now);
        (page.records, ledger.paused(&self.source, self.now).cloned())
    }

    fn all(&self) -> Filter {
        Filter { source: Some(self.source.clone()), ..Filter::default() }
    }

    /// What the store has.
    async fn seen(&self) -> Seen {
        let page = self.store.list(&self.all(), None, PageSize::MAX).await;
        let pause = self.store.paused(&self.source).await;
        (page.expect("the records are listed").records, pause.expect("the pause is told"))
    }

    /// What the store has, after a look that nothing changed in: every index agrees with it.
    async fn look(&self) -> Seen {
        for _ in 0..LOOKS {
            let seen = self.seen().await;
            let torn = self.torn(&seen).await;
            if self.seen().await == seen {
                self.check(torn.is_none(), || format!("{torn:#?} and {seen:#?}"));
                return seen;
            }
        }
        panic!("{}: what was dropped goes on and on", self.source);
    }

    /// The first question that is not answered as by these records.
    async fn torn(&self, (records, _): &Seen) -> Option<(Action, Answer)> {
        let mut ledger = Ledger::default();
        for record in records {
            ledger.restore(&record.key, Some(record.clone()));
        }
        for question in self.questions(records) {
            let answer = question.on_store(self.store).await.expect("the question is answered");
            let expected = question.on_ledger(&mut ledger, self.now);
            if answer != expected.expect("the reference answers") {
                return Some((question, answer));
            }
        }
        let sources = self.store.sources().await.expect("the sources are listed");
        self.check(records.is_empty() || sources.contains(&self.source), || {
            "its source is not listed".into()
        });
        None
    }

    /// Whatever an index may answer about the records there are, or were, or are to be.
    fn questions(&self, records: &[SyncRecord]) -> Vec<Action> {
        let [before, after] = [&self.before, &self.after].map(|ledger| self.of(ledger).0);
        let all: Vec<_> = before.iter().chain(&after).chain(records).collect();
        let mut questions = vec![Action::Statistics(self.source.clone())];
        let due = Filter { due: Some(true), ..self.all() };
        questions.push(Action::Walk(due, None, PageSize::MAX));
        let statuses: BTreeSet<_> = all.iter().map(|record| record.status()).collect();
        for status in statuses {
            let filter = Filter { status: Some(status), ..self.all() };
            questions.push(Action::Walk(filter, None, PageSize::MAX));
        }
        let keys: BTreeSet<_> = all.iter().map(|record| record.key.clone()).collect();
        if let Some(key) = keys.first() {
            let ids: BTreeSet<_> = all.iter().flat_map(|record| record.external_ids()).collect();
            let (entity_type, ids) = (key.entity.entity_type.clone(), ids.into_iter().cloned());
            questions.push(Action::ByExternalIds(self.source.clone(), entity_type, ids.collect()));
        }
        questions.extend(keys.iter().map(|key| Action::RecordsOf(key.entity.clone())));
        questions.push(Action::GetMany(keys.into_iter().collect()));
        questions
    }

    /// Whether nothing is between before and after.
    fn is_whole(&self, (records, pause): &Seen) -> bool {
        let paused = [&self.before, &self.after].map(|ledger| self.of(ledger).1);
        if !paused.contains(pause) {
            return false;
        }
        if let Action::Rename(from, to) = &self.action {
            return self.is_moved_or_not(records, from, to);
        }
        let lawful = self.lawful();
        let found: BTreeMap<_, _> = records.iter().map(|record| (&record.key, record)).collect();
        found.keys().all(|key| lawful.contains_key(*key))
            && lawful.iter().all(|(key, states)| states.contains(&found.get(key).copied().cloned()))
    }

    /// Every state that a record goes through: of a call that concerns several, each on its own.
    fn lawful(&self) -> BTreeMap<Key, Vec<Option<SyncRecord>>> {
        let mut stages = vec![self.before.clone()];
        if let Action::ApplyMany(items) = &self.action {
            let mut stage = self.before.clone();
            for (key, change) in items {
                let _ = stage.apply(key, change, self.now);
                stages.push(stage.clone());
            }
        }
        stages.push(self.after.clone());
        let records = stages.iter().flat_map(|stage| self.of(stage).0);
        let keys: BTreeSet<_> = records.map(|record| record.key).collect();
        let states =
            |key: &Key| stages.iter().map(|stage| stage.get(key).cloned()).collect::<Vec<_>>();
        keys.into_iter().map(|key| (key.clone(), states(&key))).collect()
    }

    /// One key has everything at each moment of a renaming; by the default one, which takes several
    /// calls, the new key has it in a dismissed record without external ids until it is its own.
    fn is_moved_or_not(&self, records: &[SyncRecord], from: &Key, to: &Key) -> bool {
        let at = |key: &Key| records.iter().find(|record| record.key == *key);
        let (before, after) = (self.before.get(from), self.after.get(to));
        let stashed = |record: &SyncRecord| {
            record.external_ids().next().is_none()
                && record.held.as_ref().is_some_and(|held| held.kind == HeldKind::Dismissed)
        };
        match (at(from), at(to)) {
            (from, None) => from == before,
            (None, to) => to == after || to.is_some_and(stashed),
            (from, Some(to)) => from == before && stashed(to),
        }
    }

    /// The same call again completes what was dropped, once.
    async fn repeated(&self) {
        for claims in 1.. {
            let answer = self.action.on_store(self.store).await.expect("the repeat is answered");
            let agrees = self.agrees(&answer, true);
            // Beside its own late copy a claim may come back short.
            let short = matches!(self.action, Action::Claim(_)) && claims < CLAIMS;
            if agrees || !short {
                self.check(agrees, || format!("the repeat is answered {answer:#?}"));
                break;
            }
        }
        let seen = self.look().await;
        self.check(seen == self.of(&self.after), || format!("the repeat left {seen:#?}"));
    }

    /// Whatever is due goes to another claim, and nothing else does.
    async fn claimed(&self) {
        let ((before, paused), (after, to_be_paused)) =
            (self.of(&self.before), self.of(&self.after));
        if paused.is_some() || to_be_paused.is_some() {
            return;
        }
        let due = |key: &Key| {
            let mut records = before.iter().chain(&after);
            records.any(|record| record.key == *key && record.is_due(self.now))
        };
        for _ in 0..LOOKS {
            let request = claim_of(&self.source, ClaimId::random(), 100);
            let claimed = self.store.claim(&request).await.expect("the claim is answered");
            let granted = claimed.leased.iter().all(|record| due(&record.key));
            self.check(granted, || format!("another claim is granted {claimed:#?}"));
            let (records, _) = self.seen().await;
            if !records.iter().any(|record| record.is_due(self.now)) {
                return;
            }
        }
        self.check(false, || "what is due is not granted".into());
    }

    /// Leaves nothing behind: many a default of a store walks over everything.
    async fn clear_away(&self) {
        for record in self.seen().await.0 {
            let removal = self.store.remove(&record.key, &Guard::default()).await;
            // A late copy of a removal may come first.
            drop(removal.expect("the removal is answered"));
        }
        self.store.resume(&self.source).await.expect("it is resumed");
    }

    /// Whether an answer is that of the reference; of a repeat, to a first call or to a second one.
    fn agrees(&self, answer: &Answer, repeated: bool) -> bool {
        let again = repeated.then_some(&self.again);
        match (answer, &self.expected, again.unwrap_or(&self.expected)) {
            (Answer::Outcomes(answer), Answer::Outcomes(first), Answer::Outcomes(second)) => {
                let expected = first.iter().map(judged).zip(second.iter().map(judged));
                let mut each = answer.iter().map(judged).zip(expected);
                answer.len() == first.len()
                    && each.all(|(answer, (first, second))| answer == first || answer == second)
            }
            (Answer::Claimed(answer), Answer::Claimed(first), Answer::Claimed(second)) => {
                same(&answer.leased, &first.leased)
                    && [first, second]
                        .iter()
                        .any(|one| same(&answer.dead_lettered, &one.dead_lettered))
            }
            (answer, first, second) => answer == first || answer == second,
        }
    }
}

/// An outcome, whoever was first with it: drivers repeat by themselves, too.
fn judged(outcome: &Outcome) -> Outcome {
    match outcome.clone() {
        Outcome::Applied(applied) => Outcome::Applied(Applied { replayed: false, ..applied }),
        refused @ Outcome::Refused(_) => refused,
    }
}

/// Whether they are the same records in any order.
fn same(one: &[SyncRecord], other: &[SyncRecord]) -> bool {
    one.len() == other.len() && one.iter().all(|record| other.contains(record))
}
