//! What holds for every rule, whatever it says.

use std::sync::Arc;

use sync_tracker_core::rules::{
    self, Bind, BindMode, Completion, MarkSynced, MarkSyncedTo, Success,
};
use sync_tracker_core::{
    Arm, Change, ChangeId, ClaimId, FailureNote, Incarnation, Key, LeaseOp, Operation, Outcome,
    Patch, Revision, Timestamp, Token,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::HistoryRecorder;
use crate::ground::{Ground, LEASE, external_id, product, schedule, span};

/// The changes of all rules for the record of one key that is born now, and is granted now.
struct Rules {
    key: Key,
    now: Timestamp,
}

impl Rules {
    fn id(&self, end: &str) -> sync_tracker_core::ExternalId {
        external_id(&format!("{}-{end}", self.key.entity.entity_id))
    }

    fn granted() -> Change {
        let lease = LeaseOp::Grant { claim_id: ClaimId::random(), ttl: span(LEASE) };
        Change::new([Arm { then: Patch { lease, ..Patch::default() }, ..Arm::default() }]).unwrap()
    }

    fn token(&self) -> Token {
        Token::new(u64::try_from(self.now.as_millis() * 1_000).unwrap()).unwrap()
    }

    fn marked() -> Change {
        MarkSynced::default().change()
    }

    fn marked_to(&self, revision: u64) -> Change {
        MarkSyncedTo {
            incarnation: Incarnation::new(u64::try_from(self.now.as_millis()).unwrap()).unwrap(),
            revision: Revision::new(revision).unwrap(),
            success: Success::default(),
        }
        .change()
    }

    fn completed(&self, operation: Operation, revision: u64) -> Change {
        let (token, revision) = (self.token(), Revision::new(revision).unwrap());
        let success = Success::default();
        Completion { token, operation, revision, seen: None, success }.change()
    }

    fn failed(&self, note: &FailureNote) -> Change {
        rules::fail(self.token(), note, &schedule(), None)
    }

    fn bound(&self, end: &str, mode: BindMode) -> Change {
        Bind { external_id: self.id(end), mode }.change()
    }

    /// What leads to a record on which a rule is carried out, and then the rule.
    fn each(&self) -> Vec<(&'static str, Vec<Change>, Change)> {
        let created = rules::created;
        let leased = || vec![created(), Self::granted()];
        let unknown = FailureNote::unknown("cut");
        let in_place = || BindMode::Rebind { expected: self.id("x") };
        let delete = || vec![Self::marked(), rules::deleted()];
        let deleting = || [delete(), vec![Self::granted()]].concat();
        vec![
            ("created", vec![], created()),
            ("updated", vec![created()], rules::updated()),
            ("deleted", vec![Self::marked()], rules::deleted()),
            ("restored", delete(), rules::restored()),
            ("marked", vec![created()], Self::marked()),
            ("marked to", vec![created()], self.marked_to(1)),
            ("completed", leased(), self.completed(Operation::Create, 1)),
            ("deletion completed", deleting(), self.completed(Operation::Delete, 2)),
            ("transient", leased(), self.failed(&FailureNote::transient("down"))),
            ("throttled", leased(), self.failed(&FailureNote::throttled("later"))),
            ("permanent", leased(), self.failed(&FailureNote::permanent("no"))),
            ("unknown", leased(), self.failed(&unknown)),
            ("released", leased(), rules::release(self.token())),
            ("renewed", leased(), rules::renew(self.token(), span(LEASE))),
            ("failed", vec![created()], rules::mark_failed(&unknown, &schedule(), None)),
            ("bound", vec![], self.bound("x", BindMode::Add)),
            ("linked", vec![created()], self.bound("x", BindMode::Link)),
            ("rebound", vec![self.bound("x", BindMode::Add)], self.bound("y", in_place())),
            ("redriven", vec![created(), rules::dismiss()], rules::redrive()),
            ("dismissed", vec![created()], rules::dismiss()),
            ("not there", [leased(), vec![self.failed(&unknown)]].concat(), rules::not_there()),
        ]
    }
}

pub async fn every_rule_may_be_repeated(ground: Ground) {
    let of = |key: Key| Rules { key, now: ground.now() };
    for at in 0..of(product("any")).each().len() {
        let key = product(&at.to_string());
        let (rule, before, change) = of(key.clone()).each().swap_remove(at);
        for change in before {
            ground.applied(&key, &change).await;
        }
        let once = ground.applied(&key, &change).await;
        ground.advance(1);
        let again = ground.apply(&key, &change).await;
        let Outcome::Applied(again) = again else { panic!("{rule} is refused") };
        assert!(again.replayed, "{rule}");
        assert_eq!(again.record, once, "{rule}");
        assert_eq!(ground.record(&key).await, once, "{rule}");
    }
    ground.is_sound().await;
}

pub async fn a_repeat_from_an_earlier_life_is_not_applied(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &MarkSynced::default().change()).await;
    let deleted = rules::deleted();
    ground.applied(&key, &deleted).await;
    ground.applied(&key, &MarkSynced::default().change()).await;
    let born = ground.applied(&key, &rules::restored()).await;
    let Outcome::Applied(again) = ground.apply(&key, &deleted).await else { panic!("refused") };
    assert!(again.replayed);
    assert_eq!(ground.record(&key).await, born, "the deletion of the old life");
}

pub async fn rules_at_the_same_time_have_an_order(ground: Ground) {
    const CALLERS: usize = 4;
    let history = Arc::new(HistoryRecorder::new(ground.now()));
    let of = |at: usize| Rules { key: product(&at.to_string()), now: ground.now() };
    let mut calls = 0;
    let rules = of(0).each().len();
    // Each twice, since two calls may happen to come one after the other.
    for at in 0..rules * 2 {
        let Rules { key, .. } = of(at);
        let (_, before, change) = of(at).each().swap_remove(at % rules);
        calls += before.len() + CALLERS;
        for change in before {
            assert!(history.apply(&*ground.store, &key, &change).await.unwrap().is_applied());
        }
        let barrier = Arc::new(Barrier::new(CALLERS));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let barrier = Arc::clone(&barrier);
            let change = change.clone().with_id(ChangeId::random());
            let (history, store) = (Arc::clone(&history), Arc::clone(&ground.store));
            let key = key.clone();
            callers.spawn(async move {
                barrier.wait().await;
                history.apply(&*store, &key, &change).await.is_ok()
            });
        }
        assert_eq!(callers.join_all().await, [true; CALLERS], "each call is answered");
    }
    match history.check() {
        Ok(explained) => assert_eq!(explained, calls),
        Err(unexplained) => panic!("no order of calls explains {unexplained:#?}"),
    }
    ground.is_sound().await;
}
