//! What the sequences that are drawn meet: a fault where they never come would not be found.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sync_tracker_core::{Change, Outcome, Removal, Renamed, SyncRecord};

use super::action::{Action, Answer};
use super::generate;
use super::resolve::Course;
use crate::ground::at;

/// How often something was met.
#[derive(Debug, Default)]
struct Met(BTreeMap<String, usize>);

impl Met {
    fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    fn text(&mut self, kind: &str, text: &str) {
        self.count(format!("{kind} {}", text.split(['(', '{']).next().unwrap_or(text).trim()));
    }

    fn change(&mut self, change: &Change) {
        for arm in change.arms() {
            // Fields at the outermost level, each with the name of its operation or demand.
            for (kind, text) in
                [("demand", format!("{:#?}", arm.when)), ("op", format!("{:#?}", arm.then))]
            {
                let lines: Vec<_> = text.lines().collect();
                for (number, line) in lines.iter().enumerate() {
                    let Some(field) = line.strip_prefix("    ") else { continue };
                    if field.starts_with([' ', ')', '}']) {
                        continue;
                    }
                    let field = field.trim_end_matches([',', '(', '{', ' ']);
                    let inner = lines[(number + 1).min(lines.len() - 1)].trim();
                    let inner = inner.trim_end_matches([',', '(', '{', ' ']);
                    let detail = field.ends_with("Some") && inner.starts_with(char::is_alphabetic);
                    let detail = if detail { inner } else { "" };
                    self.count(format!("{kind} {field} {detail}").trim_end());
                }
            }
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Applied(applied) if applied.replayed => {
                self.count(format!("replayed, arm told: {}", applied.arm.is_some()));
            }
            Outcome::Applied(applied) => self.count(format!("arm {:?}", applied.arm)),
            Outcome::Refused(refused) => {
                let reason = format!("refused {:?}", refused.reason);
                let values = [" { id", " { to", " { actual"];
                let end = values.iter().find_map(|value| reason.find(value));
                self.count(&reason[..end.unwrap_or(reason.len())]);
            }
        }
    }

    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Outcomes(outcomes) => outcomes.iter().for_each(|outcome| self.outcome(outcome)),
            Answer::Claimed(claimed) => {
                self.count(format!("claimed {}", claimed.leased.len().min(3)));
                self.count(format!("dead lettered {}", claimed.dead_lettered.len().min(1)));
            }
            Answer::Imported(imported) => self.text("imported", &format!("{imported:?}")),
            Answer::Removal(Removal::Refused(_)) => self.count("removal refused"),
            Answer::Removal(removal) => self.count(format!("removal {removal:?}")),
            Answer::Renamed(Renamed::Refused(reason)) => {
                self.text("rename refused", &format!("{reason:?}"));
            }
            Answer::Renamed(renamed) => self.count(format!("renamed {renamed:?}")),
            Answer::Paused(pause) => self.count(format!("paused {}", pause.is_some())),
            Answer::Done
            | Answer::Records(_)
            | Answer::Walked(_)
            | Answer::Statistics(_)
            | Answer::Now(_) => {}
        }
    }
}

fn met() -> Met {
    let mut runner = TestRunner::deterministic();
    let mut met = Met::default();
    for _ in 0..100 {
        let steps = generate::steps(200).new_tree(&mut runner).unwrap().current();
        let mut course = Course::new(at(1_700_000_000_000));
        for step in &steps {
            for action in course.resolve(step) {
                match &action {
                    Action::Clock(instant) => course.now = *instant,
                    Action::Apply(_, change) => met.change(change),
                    _ => {}
                }
                if let Ok(answer) = course.take(&action) {
                    met.answer(&answer);
                } else {
                    met.count("invalid");
                }
            }
            for record in course.universe.keys.iter().filter_map(|key| course.ledger.get(key)) {
                met.count(format!("status {}", record.status()));
                let due = SyncRecord::due_at(record).map(|due| due.as_millis());
                if let Some(due @ -1..=1) = due.map(|due| due - course.now.as_millis()) {
                    met.count(format!("{} due at now {due:+}", record.status()));
                }
            }
        }
    }
    met
}

const EXPECTED: &[&str] = &[
    "arm Some(0)",
    "arm Some(1)",
    "arm Some(2)",
    "arm Some(3)",
    "claimed 0",
    "claimed 1",
    "claimed 2",
    "claimed 3",
    "dead lettered 0",
    "dead lettered 1",
    "demand attempts_at_least: Some",
    "demand base_differs: Some Fingerprint",
    "demand conflict: Some false",
    "demand conflict: Some true",
    "demand deleted: Some false",
    "demand deleted: Some true",
    "demand dirty: Some false",
    "demand dirty: Some true",
    "demand due: Some false",
    "demand due: Some true",
    "demand echo: Some Fingerprint",
    "demand exists: Some false",
    "demand exists: Some true",
    "demand external_id: Some FreeOr",
    "demand external_id: Some Is",
    "demand held: Some false",
    "demand held: Some true",
    "demand in_doubt: Some false",
    "demand in_doubt: Some true",
    "demand incarnation: Some Incarnation",
    "demand known: Some false",
    "demand known: Some true",
    "demand leased: Some false",
    "demand leased: Some true",
    "demand remote: Some NewerThanAccepted",
    "demand remote: Some SeenIs",
    "demand revision: Some Revision",
    "demand synced_above: Some Revision",
    "demand token: Some Token",
    "demand version: Some Version",
    "failed due at now +0",
    "failed due at now +1",
    "failed due at now -1",
    "imported Refused",
    "imported Stored",
    "in_progress due at now +0",
    "in_progress due at now +1",
    "in_progress due at now -1",
    "invalid",
    "op aliases: Add",
    "op attempts: Charge",
    "op attempts: GiveBack",
    "op attempts: Reset",
    "op base: Clear",
    "op base: Set",
    "op conflict: Clear",
    "op conflict: Open",
    "op deleted_at: Clear",
    "op deleted_at: Now",
    "op deleted_at: NowIfNone",
    "op echoes: Clear",
    "op echoes: Push",
    "op echoes: Remove",
    "op external_id: Clear",
    "op external_id: Set",
    "op external_id: Supersede",
    "op failure: Clear",
    "op failure: Note",
    "op held: Clear",
    "op held: Dead",
    "op held: Dismissed",
    "op in_doubt: Clear",
    "op in_doubt: Set",
    "op incarnation: Next",
    "op lease: Drop",
    "op lease: Grant",
    "op lease: Renew",
    "op metadata: Merge",
    "op metadata: Replace",
    "op remote_deleted_at: Clear",
    "op remote_deleted_at: Now",
    "op remote_deleted_at: NowIfNone",
    "op remote_seen: Clear",
    "op remote_seen: Set",
    "op remote_version: Clear",
    "op remote_version: Set",
    "op retry_at: After",
    "op retry_at: Clear",
    "op retry_at: Table",
    "op revision: Next",
    "op sighted_at: Clear",
    "op sighted_at: Now",
    "op sighted_at: NowIfNone",
    "op synced_at: Clear",
    "op synced_at: Now",
    "op synced_revision: Max",
    "op synced_revision: ToRevision",
    "op updated_at: Clear",
    "op updated_at: Now",
    "op updated_at: NowIfNone",
    "pending due at now +0",
    "pending due at now +1",
    "pending due at now -1",
    "refused Absent",
    "refused AlreadyBound",
    "refused AlreadyExists",
    "refused ConflictOpen",
    "refused Deleted",
    "refused ExternalIdTaken",
    "refused LeaseLost",
    "refused NoConflict",
    "refused NotBoundTo",
    "refused NotDeleted",
    "refused NotDue",
    "refused NotHeld",
    "refused NotNewer { why: Same }",
    "refused NotNewer { why: Stale }",
    "refused NotNewer { why: Unordered }",
    "refused RemoteMoved",
    "refused RevisionMoved",
    "refused StaleIncarnation",
    "refused TooManyAliases",
    "refused Unmet { demand: AttemptsAtLeast }",
    "refused Unmet { demand: Dirty }",
    "refused Unmet { demand: Due }",
    "refused Unmet { demand: Echo }",
    "refused Unmet { demand: Held }",
    "refused Unmet { demand: InDoubt }",
    "refused Unmet { demand: Known }",
    "refused Unmet { demand: Leased }",
    "refused Unmet { demand: SyncedAbove }",
    "refused VersionMismatch",
    "removal Absent",
    "removal Removed",
    "removal refused",
    "rename refused AlreadyExists",
    "rename refused ExternalIdTaken",
    "rename refused Unmet",
    "renamed Absent",
    "renamed Moved",
    "replayed, arm told: false",
    "replayed, arm told: true",
    "status conflict",
    "status dead_letter",
    "status deleted",
    "status dismissed",
    "status failed",
    "status in_progress",
    "status pending",
    "status synced",
];

#[test]
fn every_demand_operation_and_refusal_is_met_and_every_boundary_from_both_sides() {
    let met = met();
    let missed: Vec<_> = EXPECTED.iter().filter(|what| !met.0.contains_key(**what)).collect();
    assert!(missed.is_empty(), "{missed:#?} are not among {met:#?}");
}
