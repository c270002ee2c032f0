//! From picks to values: what a step is where it is taken.

use std::collections::BTreeMap;

use sync_tracker_core::rules::{
    self, Bind, BindMode, Completion, MarkSynced, MarkSyncedTo, RetrySchedule, Success,
};
use sync_tracker_core::{
    Arm, Change, ClaimRequest, Key, Ledger, Millis, Operation, Patch, PauseReason, PauseRequest,
    RetryTable, RevisionOp, SyncRecord, Timestamp, Token,
};

use super::action::{Action, Answer};
use super::pick::Pick;
use super::scene::{Memory, Scene, around_instant};
use super::sketch;
use super::steps::{Deed, Facts, Look, Making, Move, Report, Rule, Step};
use super::universe::Universe;

/// What steps are resolved against: the reference, and what happened so far.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) universe: Universe,
    pub(super) ledger: Ledger,
    pub(super) now: Timestamp,
    memory: Memory,
    claims: Vec<ClaimRequest>,
    /// The changes that were applied, by key.
    applied: BTreeMap<Key, Vec<Change>>,
}

/// How many orders of a batch are tried.
const MOST_ORDERS: usize = 5_040;

impl Course {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            universe: Universe::new(),
            ledger: Ledger::default(),
            now,
            memory: Memory::default(),
            claims: Vec::new(),
            applied: BTreeMap::new(),
        }
    }

    fn scene(&mut self, key: Key) -> Scene<'_> {
        let record = self.ledger.get(&key).cloned();
        let Self { universe, ledger, memory, now, .. } = self;
        Scene { universe, ledger, memory, key, record, now: *now }
    }

    /// A key, of which those with a record come first and so twice as often.
    fn key(&self, pick: Pick) -> Key {
        let keys = &self.universe.keys;
        let there = keys.iter().filter(|key| self.ledger.get(key).is_some());
        pick.of(&there.chain(keys).cloned().collect::<Vec<_>>())
    }

    /// The scene of a step that is about no record in particular.
    fn any_scene(&mut self) -> Scene<'_> {
        self.scene(self.universe.keys[0].clone())
    }

    /// Takes an action on the reference, and notes what a later step may come back to.
    pub(super) fn take(&mut self, action: &Action) -> sync_tracker_core::Result<Answer> {
        let answer = action.on_ledger(&mut self.ledger, self.now)?;
        match (action, &answer) {
            (Action::Apply(key, change), _) => self.note(key, change),
            (Action::ApplyMany(items), _) => {
                items.iter().for_each(|(key, change)| self.note(key, change));
            }
            (Action::Claim(request), Answer::Claimed(claimed)) => {
                self.claims.push(request.clone());
                self.memory.leases.extend(claimed.leased.iter().cloned());
            }
            _ => {}
        }
        Ok(answer)
    }

    /// The same beside what a store has answered. Only items of one key have an order in a batch, so
    /// if another order of the others explains the answer, the course goes on from there.
    pub(super) fn take_after(
        &mut self,
        action: &Action,
        told: &sync_tracker_core::Result<Answer>,
    ) -> sync_tracker_core::Result<Answer> {
        let Action::ApplyMany(items) = action else { return self.take(action) };
        let before = self.ledger.clone();
        let answer = self.take(action);
        let (Ok(first), Ok(told)) = (&answer, told) else { return answer };
        if first == told {
            return answer;
        }
        for order in orders(items).take(MOST_ORDERS) {
            let mut ledger = before.clone();
            let mut outcomes: Vec<_> = order
                .into_iter()
                .map(|at| (at, ledger.apply(&items[at].0, &items[at].1, self.now)))
                .collect();
            outcomes.sort_by_key(|(at, _)| *at);
            let other =
                Answer::Outcomes(outcomes.into_iter().map(|(_, outcome)| outcome).collect());
            if other == *told {
                self.ledger = ledger;
                return Ok(other);
            }
        }
        answer
    }

    fn note(&mut self, key: &Key, change: &Change) {
        let applied = self.applied.entry(key.clone()).or_default();
        if applied.last().is_none_or(|last| last.id() != change.id()) {
            applied.push(change.clone());
        }
    }

    /// The walk that looks at what became of a step.
    pub(super) fn look(&mut self, look: &Look) -> Action {
        let mut scene = self.any_scene();
        let filter = sketch::filter(&look.filter, &mut scene);
        let (after, size) = sketch::position(look.after, look.size, &scene);
        Action::Walk(filter, after, size)
    }

    /// The actions of a step; none if there is nothing that it could be about.
    pub(super) fn resolve(&mut self, step: &Step) -> Vec<Action> {
        match &step.deed {
            Deed::Clock(moved) => vec![Action::Clock(self.moved(moved))],
            Deed::Apply(making) => self
                .make(making)
                .map(|(key, change)| Action::Apply(key, change))
                .into_iter()
                .collect(),
            Deed::Batch(makings) => {
                let items = makings.iter().filter_map(|making| self.make(making)).collect();
                vec![Action::ApplyMany(items)]
            }
            Deed::Ring { key, between } => self.ring(*key, *between),
            Deed::Claim { source, limit, ttl, max_attempts, repeated } => {
                vec![Action::Claim(self.claim([*source, *limit, *ttl, *max_attempts], *repeated))]
            }
            Deed::Put { key, base, fields } => {
                let key = self.key(*key);
                let record = sketch::record(*base, fields, &mut self.scene(key));
                vec![Action::Put(Box::new(record))]
            }
            Deed::Remove { key, guard } => {
                let key = self.key(*key);
                let guard = sketch::guard(guard, &self.scene(key.clone()));
                vec![Action::Remove(key, Box::new(guard))]
            }
            Deed::Rename { from, to } => {
                vec![Action::Rename(self.key(*from), to.of(&self.universe.keys))]
            }
            Deed::Pause { source, span, reason } => {
                let source = source.of(&self.universe.sources);
                let span = span.map(Pick::span);
                let long = "é".repeat(600);
                let reason = reason.of(&["", "why", "line\nline\r", long.as_str()]);
                let reason = PauseReason::new(reason);
                vec![Action::Pause(source, PauseRequest { span, reason })]
            }
            Deed::Resume { source } => vec![Action::Resume(source.of(&self.universe.sources))],
            Deed::GetMany(keys) => {
                let all = &self.universe.keys;
                vec![Action::GetMany(keys.iter().map(|key| key.of(all)).collect())]
            }
            Deed::ByExternalIds { source, entity_type, ids } => {
                let Universe { sources, types, external_ids, .. } = &self.universe;
                let ids = ids.iter().map(|id| id.of(external_ids)).collect();
                vec![Action::ByExternalIds(source.of(sources), entity_type.of(types), ids)]
            }
            Deed::RecordsOf(key) => vec![Action::RecordsOf(key.of(&self.universe.keys).entity)],
        }
    }

    fn moved(&mut self, moved: &Move) -> Timestamp {
        let by = |pick: &Pick| pick.of(&[1_i64, 0, 9, 100, 1_000, 30_000, 3_600_000]);
        let now = self.now.as_millis();
        let to = match moved {
            Move::On(pick) => now + by(pick),
            Move::Back(pick) => now - by(pick),
            Move::ToBoundary(pick) => {
                let records = self.any_scene();
                let records = records.records().into_iter();
                let mut boundaries: Vec<_> = records
                    .flat_map(|record| {
                        let lease = record.lease.as_ref().map(|lease| lease.until);
                        [record.due_at(), record.retry_at, lease]
                    })
                    .flatten()
                    .collect();
                let sources = self.universe.sources.iter();
                let pauses = sources.filter_map(|source| self.ledger.paused(source, self.now));
                boundaries.extend(pauses.filter_map(|pause| pause.until));
                boundaries.sort_unstable();
                boundaries.dedup();
                match boundaries.as_slice() {
                    [] => now + 1,
                    some => pick.also().of(&around_instant(pick.of(some))).as_millis(),
                }
            }
        };
        // Within the range of a clock that is moved by hand.
        Timestamp::from_millis(to.clamp(0, 4_503_599_627_370)).unwrap()
    }

    fn ring(&mut self, key: Pick, between: Pick) -> Vec<Action> {
        let key = self.key(key);
        let first = (key.clone(), self.touch());
        let others = between.of(&[0, 1, 14, 15, 16]);
        let others = (0..others).map(|_| (key.clone(), self.touch())).collect();
        let again = Action::Apply(first.0.clone(), first.1.clone());
        vec![again.clone(), Action::ApplyMany(others), again]
    }

    fn touch(&mut self) -> Change {
        let then = Patch { revision: RevisionOp::Next, ..Patch::default() };
        let touch = Change::new([Arm { then, ..Arm::default() }]).unwrap();
        touch.with_id(self.memory.change_id())
    }

    fn claim(&mut self, picks: [Pick; 4], repeated: Option<Pick>) -> ClaimRequest {
        let [source, limit, ttl, max_attempts] = picks;
        if let Some(pick) = repeated
            && !self.claims.is_empty()
        {
            let last: Vec<_> = self.claims.iter().rev().take(2).cloned().collect();
            return pick.of(&last);
        }
        let source = source.of(&self.universe.sources);
        let ttl = ttl.span().max(Millis::new(1).unwrap());
        let (limit, most) = (limit.of(&[1, 2, 3, 9, 1_000]), max_attempts.of(&[3, 1, 2, 1_000]));
        ClaimRequest::new(source, self.memory.claim_id(), limit, ttl, most).unwrap()
    }

    fn make(&mut self, making: &Making) -> Option<(Key, Change)> {
        let (key, change) = match making {
            Making::Rule { key, rule } => {
                let key = self.key(*key);
                let change = rule.change(&self.scene(key.clone()));
                (key, change)
            }
            Making::Report { lease, off, report } => {
                let lease = self.lease(*lease)?;
                let token = lease.token.get();
                let token = off.of(&[token, token, token, token, token + 1, token.max(1) - 1]);
                let token = Token::new(token).unwrap();
                let change = report.change(&lease, token, &self.scene(lease.key.clone()));
                (lease.key, change)
            }
            Making::Raw { key, arms } => {
                let key = self.key(*key);
                let change = sketch::change(arms, &mut self.scene(key.clone()));
                return Some((key, change));
            }
            Making::Again { back, elsewhere } => {
                let keys: Vec<_> = self.applied.keys().cloned().collect();
                if keys.is_empty() {
                    return None;
                }
                let key = back.of(&keys);
                let changes = self.applied.get(&key)?;
                let distance = back.also().of(&[0, 1, 2, 14, 15, 16, 17]);
                let change = changes.iter().rev().nth(distance.min(changes.len() - 1))?.clone();
                let elsewhere = elsewhere.map(|other| other.of(&self.universe.keys));
                return Some((elsewhere.unwrap_or(key), change));
            }
        };
        Some((key, change.with_id(self.memory.change_id())))
    }

    /// A lease that is recorded, or one that was granted before.
    fn lease(&mut self, pick: Pick) -> Option<SyncRecord> {
        let scene = self.any_scene();
        let leased = scene.records().into_iter().filter(|record| record.lease.is_some());
        let granted = scene.memory.leases.iter().rev().take(3);
        let leases: Vec<_> = leased.chain(granted).cloned().collect();
        (!leases.is_empty()).then(|| pick.of(&leases))
    }
}

/// A schedule that ends before, at or after the next attempt.
fn schedule(scene: &Scene<'_>, pick: Pick) -> RetrySchedule {
    let table: RetryTable = scene.table(pick.also());
    RetrySchedule::steps(table.delays().iter().map(|wait| wait.to_duration())).unwrap()
}

impl Facts {
    fn success(&self, scene: &Scene<'_>) -> Success {
        let Self { external_id, remote_version, fingerprint, metadata } = self;
        Success {
            external_id: external_id.map(|pick| scene.external_id(pick)),
            remote_version: remote_version.map(|pick| scene.remote_version(pick)),
            fingerprint: fingerprint.map(|pick| scene.fingerprint(pick)),
            metadata: metadata.map(|pick| sketch::metadata_op(pick, scene)).unwrap_or_default(),
        }
    }
}

impl Rule {
    fn change(&self, scene: &Scene<'_>) -> Change {
        match self {
            Self::Created => rules::created(),
            Self::Updated => rules::updated(),
            Self::Deleted => rules::deleted(),
            Self::Restored => rules::restored(),
            Self::Redrive => rules::redrive(),
            Self::Dismiss => rules::dismiss(),
            Self::NotThere => rules::not_there(),
            Self::MarkFailed { note, retry_after } => {
                let retry_after = retry_after.map(Pick::span);
                rules::mark_failed(&note.note(), &schedule(scene, *note), retry_after)
            }
            Self::MarkSynced(facts) => MarkSynced { success: facts.success(scene) }.change(),
            Self::MarkSyncedTo { incarnation, revision, facts } => MarkSyncedTo {
                incarnation: scene.incarnation(*incarnation),
                revision: scene.revision(*revision),
                success: facts.success(scene),
            }
            .change(),
            Self::Bind { id, mode, expected } => {
                let mode = match mode.below(4) {
                    0 | 1 => BindMode::Add,
                    2 => BindMode::Link,
                    _ => BindMode::Rebind { expected: scene.external_id(*expected) },
                };
                Bind { external_id: scene.external_id(*id), mode }.change()
            }
        }
    }
}

impl Report {
    fn change(&self, lease: &SyncRecord, token: Token, scene: &Scene<'_>) -> Change {
        match self {
            Self::Completed { operation, revision, facts } => Completion {
                token,
                operation: operation.of(&[
                    lease.operation(),
                    lease.operation(),
                    Operation::Delete,
                    Operation::Update,
                ]),
                revision: match revision.also().below(2) {
                    0 => lease.revision,
                    _ => scene.revision(*revision),
                },
                seen: lease.remote_seen.clone(),
                success: facts.success(scene),
            }
            .change(),
            Self::Failed { note, retry_after } => {
                let retry_after = retry_after.map(Pick::span);
                rules::fail(token, &note.note(), &schedule(scene, *note), retry_after)
            }
            Self::Renewed { ttl } => rules::renew(token, ttl.span().max(Millis::new(1).unwrap())),
            Self::Released => rules::release(token),
        }
    }
}

/// The orders of the items in which those of one key come one after the other.
fn orders(items: &[(Key, Change)]) -> impl Iterator<Item = Vec<usize>> {
    let mut open = vec![Vec::new()];
    std::iter::from_fn(move || {
        while let Some(order) = open.pop() {
            if order.len() == items.len() {
                return Some(order);
            }
            for next in (0..items.len()).rev().filter(|next| !order.contains(next)) {
                let waits = |before: usize| items[before].0 == items[next].0;
                if !(0..next).any(|before| waits(before) && !order.contains(&before)) {
                    open.push([order.as_slice(), &[next]].concat());
                }
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_tracker_core::rules;

    #[test]
    fn only_items_of_one_key_have_an_order() {
        let key = |id: u8| Key::new("shop", "product", id).expect("a key");
        let items = [key(1), key(2), key(1)].map(|key| (key, rules::updated()));
        let orders: Vec<_> = orders(&items).collect();
        assert_eq!(orders, [[0, 1, 2], [0, 2, 1], [1, 0, 2]]);
    }
}
