//! The ledger and everybody around it: what may happen, and what has to hold afterwards.

use std::time::Duration;

use sync_tracker_core::rules::{self, Completion, MarkSynced, RetrySchedule, Success};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, ExternalId, FailureNote, Key, Ledger, Millis, Operation,
    Outcome, Refusal, Revision, Source, Status, SyncRecord, Timestamp, Token,
};

use crate::oracle::Oracle;

/// What passes before each step: longer than a failed push waits.
const TICK_MILLIS: u64 = 10;
const RETRY_AFTER: Duration = Duration::from_millis(5);
/// Longer than a whole sequence takes.
const LEASE_MILLIS: u64 = 1_000;
/// After so many a record is a dead letter, so that this and putting back are met as well.
const MAX_ATTEMPTS: u32 = 2;

/// One thing that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The entity is updated locally.
    Change,
    /// A worker claims.
    Begin,
    /// The worker reports the success of its last lease.
    Synced,
    /// Somebody asserts that the current state is in the remote.
    MarkSynced,
    /// The worker reports that its last lease failed for now.
    Fail,
    /// The entity is deleted locally.
    Delete,
    /// The entity is restored locally.
    Restore,
    /// The time of every lease runs out.
    Expire,
    /// The holder of the lease before the last one reports success.
    Late,
}

/// Every step; the first seven do without leases that run out.
pub(crate) const STEPS: [Step; 9] = [
    Step::Change,
    Step::Begin,
    Step::Synced,
    Step::MarkSynced,
    Step::Fail,
    Step::Delete,
    Step::Restore,
    Step::Expire,
    Step::Late,
];

/// What a worker remembers of a lease.
#[derive(Clone, Copy, Debug)]
struct Grant {
    token: Token,
    revision: Revision,
    operation: Operation,
}

/// The ledger and everybody around it, at the end of one sequence.
#[derive(Clone)]
pub(crate) struct World {
    ledger: Ledger,
    now: Timestamp,
    last_grant: Option<Grant>,
    grant_before: Option<Grant>,
    oracle: Oracle,
}

/// The changes and claims of one place in a sequence. What stands at different places has
/// different ids.
pub(crate) struct Place {
    updated: Change,
    mark_synced: Change,
    deleted: Change,
    restored: Change,
    claim: ClaimRequest,
}

/// What all sequences have in common.
pub(crate) struct Setting {
    key: Key,
    /// The external id that a success reports, if the remote gives any.
    external_id: Option<ExternalId>,
    schedule: RetrySchedule,
    tick: Millis,
    lease: Millis,
    pub(crate) steps: &'static [Step],
    pub(crate) places: Vec<Place>,
}

impl Setting {
    pub(crate) fn new(
        external_id: Option<ExternalId>,
        steps: &'static [Step],
        depth: usize,
    ) -> Self {
        let [tick, lease] = [TICK_MILLIS, LEASE_MILLIS].map(|span| Millis::new(span).unwrap());
        let source = Source::new("shop").unwrap();
        let claim = || ClaimRequest::new(source.clone(), ClaimId::random(), 1, lease, MAX_ATTEMPTS);
        let place = |_| Place {
            updated: rules::updated(),
            mark_synced: MarkSynced::default().change(),
            deleted: rules::deleted(),
            restored: rules::restored(),
            claim: claim().unwrap(),
        };
        Self {
            key: Key::new("shop", "product", 1).unwrap(),
            external_id,
            schedule: RetrySchedule::steps([RETRY_AFTER]).unwrap(),
            tick,
            lease,
            steps,
            places: (0..depth).map(place).collect(),
        }
    }

    fn success(&self) -> Success {
        Success { external_id: self.external_id.clone(), ..Success::default() }
    }

    fn completion(&self, grant: Grant) -> Change {
        let Grant { token, revision, operation } = grant;
        let success = self.success();
        Completion { token, operation, revision, seen: None, success }.change()
    }

    fn failure(&self, grant: Grant) -> Change {
        rules::fail(grant.token, &FailureNote::transient("busy"), &self.schedule, None)
    }
}

impl World {
    /// Where nothing is tracked.
    pub(crate) fn untracked() -> Self {
        Self {
            ledger: Ledger::default(),
            now: Timestamp::from_millis(1_000_000).unwrap(),
            last_grant: None,
            grant_before: None,
            oracle: Oracle::new(),
        }
    }

    /// Where the entity is in step.
    pub(crate) fn synced(setting: &Setting) -> Self {
        let mut world = Self::untracked();
        let change = MarkSynced { success: setting.success() }.change();
        assert!(world.ledger.apply(&setting.key, &change, world.now).is_applied());
        world.oracle.asserted();
        world
    }

    fn record(&self, setting: &Setting) -> Option<&SyncRecord> {
        self.ledger.get(&setting.key)
    }

    /// Takes a step, and says whether it had an effect.
    pub(crate) fn take(&mut self, step: Step, setting: &Setting, place: &Place) -> bool {
        self.now = self.now.plus(setting.tick);
        let oracle = self.oracle;
        match step {
            Step::Change => {
                let makes_sense = !oracle.is_deleted();
                self.local_change(setting, &place.updated, makes_sense, Oracle::changed)
            }
            Step::Delete => {
                let makes_sense = oracle.is_tracked() && !oracle.is_deleted();
                self.local_change(setting, &place.deleted, makes_sense, Oracle::deleted)
            }
            Step::Restore => {
                let makes_sense = oracle.is_deleted();
                self.local_change(setting, &place.restored, makes_sense, Oracle::restored)
            }
            Step::MarkSynced => {
                let outcome = self.ledger.apply(&setting.key, &place.mark_synced, self.now);
                assert!(outcome.is_applied(), "it can always be asserted");
                self.oracle.asserted();
                true
            }
            Step::Begin => self.begin(setting, place),
            Step::Synced => self.last_grant.is_some_and(|grant| {
                self.report(setting, &setting.completion(grant), Oracle::succeeded)
            }),
            Step::Fail => self
                .last_grant
                .is_some_and(|grant| self.report(setting, &setting.failure(grant), Oracle::failed)),
            Step::Expire => {
                self.now = self.now.plus(setting.lease);
                true
            }
            Step::Late => {
                let Some(grant) = self.grant_before else { return false };
                for change in [setting.completion(grant), setting.failure(grant)] {
                    let outcome = self.ledger.apply(&setting.key, &change, self.now);
                    assert_eq!(outcome.refusal(), Some(&Refusal::LeaseLost));
                }
                false
            }
        }
    }

    /// A local change is applied if it makes sense, and puts back what was held.
    fn local_change(
        &mut self,
        setting: &Setting,
        change: &Change,
        makes_sense: bool,
        tell: fn(&mut Oracle),
    ) -> bool {
        let outcome = self.ledger.apply(&setting.key, change, self.now);
        assert_eq!(outcome.is_applied(), makes_sense, "{outcome:?}");
        if let Outcome::Applied(applied) = &outcome {
            assert_eq!(applied.record.held, None);
            tell(&mut self.oracle);
        }
        makes_sense
    }

    /// A report is applied while its lease is out, run out or not, and a stale one never is.
    fn report(&mut self, setting: &Setting, change: &Change, tell: fn(&mut Oracle)) -> bool {
        let is_leased = self.oracle.is_leased();
        let outcome = self.ledger.apply(&setting.key, change, self.now);
        assert_eq!(outcome.refusal(), (!is_leased).then_some(&Refusal::LeaseLost));
        if is_leased {
            tell(&mut self.oracle);
        }
        is_leased
    }

    fn begin(&mut self, setting: &Setting, place: &Place) -> bool {
        let before = self.record(setting);
        let was_due = before.is_some_and(|record| record.is_due(self.now));
        let is_out = before.and_then(|record| record.lease.as_ref());
        let is_out = is_out.is_some_and(|lease| self.now < lease.until);
        let claimed = self.ledger.claim(&place.claim, self.now);
        assert_eq!(!claimed.is_empty(), was_due, "what is due is claimed");
        assert!(claimed.is_empty() || !is_out, "a live lease keeps others out");
        if !claimed.dead_lettered.is_empty() {
            self.oracle.lost();
        }
        let Some(leased) = claimed.leased.first() else { return false };
        let earlier = self.last_grant.map_or(Token::ZERO, |grant| grant.token);
        assert!(leased.token > earlier, "tokens grow");
        self.oracle.granted();
        let operation = leased.operation();
        assert_ne!(operation, Operation::Nothing, "whoever is due has an operation");
        if let Some(expected) = self.oracle.operation() {
            assert_eq!(operation, expected, "{:?}", self.oracle);
        }
        let grant = Grant { token: leased.token, revision: leased.revision, operation };
        self.grant_before = self.last_grant.replace(grant);
        true
    }

    /// What holds after every step.
    pub(crate) fn check(&self, before: &Self, setting: &Setting) {
        let oracle = &self.oracle;
        let Some(record) = self.record(setting) else {
            assert!(!oracle.is_tracked());
            return;
        };
        record.validate().unwrap();
        assert_eq!(record.is_deleted(), oracle.is_deleted());
        assert_eq!(record.lease.is_some(), oracle.is_leased());
        if let Some(earlier) = before.record(setting) {
            let lives_anew = oracle.lives() > before.oracle.lives();
            assert_eq!(record.incarnation > earlier.incarnation, lives_anew, "{oracle:?}");
        }

        // A local change that no success carried for certain leaves the record dirty, and what is
        // to be pushed is due some time, unless it was attempted in vain.
        let (is_dirty, is_due) = (record.is_dirty(), record.due_at().is_some());
        assert!(is_dirty || !oracle.needs_push(), "lost: {oracle:?}");
        assert!(is_due || !is_dirty || record.attempts >= MAX_ATTEMPTS, "stuck: {oracle:?}");
        // Before a record is done with, what may still land counts too.
        let is_done = matches!(record.status(), Status::Synced | Status::Deleted);
        assert!(!is_done || oracle.is_settled(), "done too early: {oracle:?}");
        // Nothing is pushed for nothing, nor a create looked for that cannot have left anything.
        assert!(!is_dirty || !oracle.is_settled(), "dirty for nothing: {oracle:?}");
        let has_reason = is_dirty || oracle.is_leased() || oracle.has_failed();
        assert!(!is_due || has_reason && !oracle.was_never_there(), "due for nothing: {oracle:?}");
        assert!(!record.in_doubt || oracle.is_unsure(), "in doubt for nothing: {oracle:?}");
    }
}
