//! What holds after any sequence of operations.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use sync_tracker_core::rules::{
    self, Bind, BindMode, Completion, MarkSynced, RetrySchedule, Success,
};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, ExternalId, FailureClass, FailureNote, Key, Ledger, Millis,
    Operation, Outcome, Source, Status, SyncRecord, Timestamp,
};

const KEYS: usize = 3;

/// One thing that may happen to one of the keys.
#[derive(Clone, Debug)]
enum Step {
    Created(usize),
    Updated(usize),
    Deleted(usize),
    Restored(usize),
    MarkFailed(usize, FailureClass),
    Redrive(usize),
    Dismiss(usize),
    NotThere(usize),
    MarkSynced(usize, Option<u8>),
    Bind(usize, u8),
    Rebind(usize, u8, u8),
    Claim(usize),
    /// The lease that was granted at this place, however long ago, is reported.
    Report(usize, Report),
    Advance(u64),
    /// The change that was made at this place is made again.
    Replay(usize),
}

#[derive(Clone, Debug)]
enum Report {
    Synced(Option<u8>),
    Failed(FailureClass),
    Released,
    Renewed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..KEYS;
    let id = 0..3_u8;
    let class = prop_oneof![
        Just(FailureClass::Transient),
        Just(FailureClass::Throttled),
        Just(FailureClass::Permanent),
        Just(FailureClass::Unknown),
    ];
    let report = prop_oneof![
        3 => proptest::option::of(id.clone()).prop_map(Report::Synced),
        3 => class.clone().prop_map(Report::Failed),
        1 => Just(Report::Released),
        1 => Just(Report::Renewed),
    ];
    let step = prop_oneof![
        2 => key.clone().prop_map(Step::Created),
        3 => key.clone().prop_map(Step::Updated),
        2 => key.clone().prop_map(Step::Deleted),
        1 => key.clone().prop_map(Step::Restored),
        1 => (key.clone(), class).prop_map(|(key, class)| Step::MarkFailed(key, class)),
        1 => key.clone().prop_map(Step::Redrive),
        1 => key.clone().prop_map(Step::Dismiss),
        1 => key.clone().prop_map(Step::NotThere),
        2 => (key.clone(), proptest::option::of(id.clone()))
            .prop_map(|(key, id)| Step::MarkSynced(key, id)),
        1 => (key.clone(), id.clone()).prop_map(|(key, id)| Step::Bind(key, id)),
        1 => (key, id.clone(), id).prop_map(|(key, id, old)| Step::Rebind(key, id, old)),
        5 => (1..4_usize).prop_map(Step::Claim),
        5 => (0..8_usize, report).prop_map(|(back, report)| Step::Report(back, report)),
        2 => prop_oneof![Just(1), Just(99), Just(100), Just(1_000)].prop_map(Step::Advance),
        1 => (0..20_usize).prop_map(Step::Replay),
    ];
    proptest::collection::vec(step, 1..80)
}

fn key(number: usize) -> Key {
    Key::new("shop", "product", number).unwrap()
}

fn external_id(number: u8) -> ExternalId {
    ExternalId::from(number)
}

fn success(id: Option<u8>) -> Success {
    Success { external_id: id.map(external_id), ..Success::default() }
}

fn schedule() -> RetrySchedule {
    RetrySchedule::steps([100, 1_000].map(std::time::Duration::from_millis)).unwrap()
}

struct World {
    ledger: Ledger,
    now: Timestamp,
    leases: Vec<SyncRecord>,
    made: Vec<(Key, Change)>,
}

impl World {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000_000).unwrap();
        Self { ledger: Ledger::default(), now, leases: Vec::new(), made: Vec::new() }
    }

    fn take(&mut self, step: &Step) {
        let (key, change) = match step {
            Step::Created(number) => (key(*number), rules::created()),
            Step::Updated(number) => (key(*number), rules::updated()),
            Step::Deleted(number) => (key(*number), rules::deleted()),
            Step::Restored(number) => (key(*number), rules::restored()),
            Step::MarkFailed(number, class) => {
                let note = FailureNote::new(*class, "why");
                (key(*number), rules::mark_failed(&note, &schedule(), None))
            }
            Step::Redrive(number) => (key(*number), rules::redrive()),
            Step::Dismiss(number) => (key(*number), rules::dismiss()),
            Step::NotThere(number) => (key(*number), rules::not_there()),
            Step::MarkSynced(number, id) => {
                (key(*number), MarkSynced { success: success(*id) }.change())
            }
            Step::Bind(number, id) => {
                let bind = Bind { external_id: external_id(*id), mode: BindMode::Add };
                (key(*number), bind.change())
            }
            Step::Rebind(number, id, old) => {
                let mode = BindMode::Rebind { expected: external_id(*old) };
                (key(*number), Bind { external_id: external_id(*id), mode }.change())
            }
            Step::Claim(limit) => return self.claim(*limit),
            Step::Report(back, report) => {
                let Some(leased) = self.leases.iter().rev().nth(*back) else {
                    return;
                };
                (leased.key.clone(), report_of(leased, report))
            }
            Step::Advance(millis) => {
                self.now = self.now.plus(Millis::new(*millis).unwrap());
                return;
            }
            Step::Replay(back) => {
                let Some((key, change)) = self.made.iter().rev().nth(*back).cloned() else {
                    return;
                };
                self.replay(&key, &change);
                return;
            }
        };
        self.make(key, change);
    }

    fn make(&mut self, key: Key, change: Change) {
        let before = self.ledger.get(&key).cloned();
        let outcome = self.ledger.apply(&key, &change, self.now);
        let after = self.ledger.get(&key).cloned();
        assert_eq!(outcome.record(), after.as_ref(), "the answer is the record as it stands");
        let version = |record: &Option<SyncRecord>| record.as_ref().map_or(0, |r| r.version.get());
        match &outcome {
            Outcome::Applied(_) => assert_eq!(version(&after), version(&before) + 1),
            Outcome::Refused(_) => assert_eq!(after, before),
        }
        self.made.push((key, change));
    }

    /// A change is not applied again while the record remembers it.
    fn replay(&mut self, key: &Key, change: &Change) {
        let before = self.ledger.get(key).cloned();
        let remembered =
            before.as_ref().is_some_and(|record| record.recent_changes.contains(change.id()));
        let outcome = self.ledger.apply(key, change, self.now);
        if remembered {
            assert_eq!(self.ledger.get(key), before.as_ref());
            assert!(matches!(outcome, Outcome::Applied(applied) if applied.replayed));
        }
    }

    fn claim(&mut self, limit: usize) {
        let source = Source::new("shop").unwrap();
        let ttl = Millis::new(100).unwrap();
        let request = ClaimRequest::new(source, ClaimId::random(), limit, ttl, 3).unwrap();
        let due: Vec<_> = (0..KEYS)
            .filter(|number| self.ledger.get(&key(*number)).is_some_and(|r| r.is_due(self.now)))
            .collect();
        let claimed = self.ledger.claim(&request, self.now);
        assert!(claimed.leased.len() + claimed.dead_lettered.len() <= limit);
        assert_eq!(claimed.is_empty(), due.is_empty(), "what is due is claimed");
        for record in &claimed.leased {
            assert!(record.attempts <= 3);
            assert_eq!(record.status(), Status::InProgress);
            assert_ne!(record.operation(), Operation::Nothing, "{record:#?}");
        }
        self.leases.extend(claimed.leased);
    }

    fn check(&self, before: &BTreeMap<Key, SyncRecord>) {
        let mut holders: BTreeMap<ExternalId, Key> = BTreeMap::new();
        for number in 0..KEYS {
            let Some(record) = self.ledger.get(&key(number)) else {
                continue;
            };
            record.validate().unwrap();
            let status = record.status();
            assert!(!(status == Status::Synced && record.is_dirty()));
            assert_eq!(status == Status::Pending, {
                let idle = record.lease.is_none() && record.retry_at.is_none();
                record.is_dirty() && idle && record.held.is_none() && record.conflict.is_none()
            });
            let dues = [Status::Pending, Status::Failed, Status::InProgress];
            assert_eq!(record.due_at().is_some(), dues.contains(&status));
            if record.holds_external_ids() {
                for id in record.external_ids() {
                    let other = holders.insert(id.clone(), record.key.clone());
                    assert_eq!(other, None, "{id} has two holders");
                }
            }
            if let Some(before) = before.get(&record.key) {
                assert!(record.revision >= before.revision);
                assert!(record.token >= before.token);
                assert!(record.incarnation >= before.incarnation);
                let same_life = record.incarnation == before.incarnation;
                assert!(!same_life || record.synced_revision >= before.synced_revision);
                assert!(!same_life || record.created_at == before.created_at);
            }
        }
    }
}

fn report_of(leased: &SyncRecord, report: &Report) -> Change {
    match report {
        Report::Synced(id) => Completion {
            token: leased.token,
            operation: leased.operation(),
            revision: leased.revision,
            seen: leased.remote_seen.clone(),
            success: success(*id),
        }
        .change(),
        Report::Failed(class) => {
            rules::fail(leased.token, &FailureNote::new(*class, "why"), &schedule(), None)
        }
        Report::Released => rules::release(leased.token),
        Report::Renewed => rules::renew(leased.token, Millis::new(100).unwrap()),
    }
}

/// 2,000 cases, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_sequence_of_operations_keeps_the_ledger_in_order(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            let before = (0..KEYS)
                .filter_map(|number| Some((key(number), world.ledger.get(&key(number))?.clone())))
                .collect();
            world.take(step);
            world.check(&before);
        }
    }
}
