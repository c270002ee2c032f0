//! Bugs in claims and pauses.

use std::cmp::Ordering;

use sync_tracker_core::{
    Arm, Change, ChangeId, ClaimRequest, Claimed, Filter, Guard, Key, Millis, Outcome, Pause,
    PauseReason, PauseRequest, RecentChanges, Source, Status, SyncRecord, Timestamp, claim_order,
    rules,
};

use crate::bug::Bug;
use crate::records::Records;
use crate::stored::cut;

/// What a claim has already, and what it is to take.
pub(crate) type Chosen = (Vec<SyncRecord>, Vec<SyncRecord>);

impl Records {
    pub(crate) fn chosen(&self, request: &ClaimRequest, now: Timestamp) -> Chosen {
        let mut live = request.granted();
        if self.has(Bug::GrantsRunOut) {
            live.due = None;
        }
        let mut granted = self.claimable(&live, now);
        let mut due = self.claimable(&request.due(), now);
        if self.has(Bug::GrantsForgotten) {
            granted.clear();
        }
        if self.paused(request.source(), now).is_some() && !self.has(Bug::PauseIgnored) {
            due.clear();
            if self.has(Bug::PauseTakesLeases) {
                granted.clear();
            }
        }
        let counted = if self.has(Bug::GrantsNotCounted) { 0 } else { granted.len() };
        if !self.has(Bug::GrantsUnlimited) {
            granted.truncate(request.limit());
        }
        let room = request.limit().saturating_sub(counted);
        let selected = match self.bug {
            Some(Bug::ExpiredAmongOthers) => due.iter().take(room).collect(),
            Some(Bug::LateCopyGrants) => {
                for record in &mut due {
                    record.recent_changes = RecentChanges::default();
                }
                request.select(counted, &due)
            }
            Some(Bug::LimitIgnored) => unlimited(request).select(counted, &due),
            _ => request.select(counted, &due),
        };
        let selected = selected.into_iter().cloned().collect();
        (granted, selected)
    }

    /// The records that pass a filter of a claim, in the order of claims.
    fn claimable(&self, filter: &Filter, now: Timestamp) -> Vec<SyncRecord> {
        let taken = |record: &SyncRecord| {
            let at_the_instant = record.due_at() == Some(now) && filter.due == Some(true);
            match (self.bug, record.status()) {
                (Some(Bug::LeaseRunsOutLate), Status::InProgress)
                | (Some(Bug::RetryDueLate), Status::Failed)
                    if at_the_instant =>
                {
                    false
                }
                (Some(Bug::RetryDueEarly), Status::Failed) => filter.matches(record, soon(now)),
                (Some(Bug::ReservedClaimed), _) if record.key.entity.entity_type.is_reserved() => {
                    let own_type = Some(record.key.entity.entity_type.clone());
                    Filter { entity_type: own_type, ..filter.clone() }.matches(record, now)
                }
                (Some(Bug::ClaimsAcrossSources), _) => {
                    let begins = filter.source.as_ref().is_some_and(|source| {
                        record.key.source.as_str().starts_with(source.as_str())
                    });
                    begins && Filter { source: None, ..filter.clone() }.matches(record, now)
                }
                _ => filter.matches(record, now),
            }
        };
        let ghosts = self.ghosts.iter().filter(|_| self.has(Bug::RemovedStillClaimed));
        let queued = |key: &Key| !(self.has(Bug::ImportsNotQueued) && self.imported.contains(key));
        let records = self.by_slot.values().filter(|record| queued(&record.key));
        let records = records.chain(ghosts).filter(|record| taken(record));
        let mut found: Vec<_> = records.cloned().collect();
        found.sort_by(|a, b| self.order(a, b));
        found
    }

    fn order(&self, a: &SyncRecord, b: &SyncRecord) -> Ordering {
        let by_due = claim_order(a).cmp(&claim_order(b));
        let ran_out = |record: &SyncRecord| record.status() == Status::InProgress;
        let is_retry = |record: &SyncRecord| record.status() == Status::Failed;
        match self.bug {
            Some(Bug::ClaimedByKey) => a.key.cmp(&b.key),
            Some(Bug::ClaimedNewestFirst) => {
                a.due_at().cmp(&b.due_at()).then_with(|| b.key.cmp(&a.key))
            }
            Some(Bug::ExpiredClaimedFirst) => ran_out(b).cmp(&ran_out(a)).then(by_due),
            Some(Bug::RetriesLast) => is_retry(a).cmp(&is_retry(b)).then(by_due),
            _ => by_due,
        }
    }

    pub(crate) fn grant(
        &mut self,
        request: &ClaimRequest,
        (granted, selected): Chosen,
        now: Timestamp,
    ) -> Claimed {
        let change = self.claiming(request);
        let mut claimed = Claimed::default();
        granted.into_iter().for_each(|record| claimed.push(record));
        for candidate in selected {
            let outcome = self.apply_to(Some(&candidate), &candidate.key, &change, now);
            if let Outcome::Applied(applied) = outcome {
                claimed.push(applied.record);
            }
        }
        if self.has(Bug::DeadLettersUntold) {
            claimed.dead_lettered.clear();
        }
        claimed
    }

    fn claiming(&self, request: &ClaimRequest) -> Change {
        let change = request.change();
        let arms = change.arms().iter().cloned();
        let arms: Vec<_> = match self.bug {
            Some(Bug::AttemptsUnlimited) => {
                arms.filter(|arm| arm.when.attempts_at_least.is_none()).collect()
            }
            Some(Bug::RetryDueEarly) => {
                arms.map(|arm| Arm { when: Guard { due: None, ..arm.when }, ..arm }).collect()
            }
            _ => arms.collect(),
        };
        let afresh = self.has(Bug::LateCopyGrants);
        let id = if afresh { ChangeId::random() } else { change.id() };
        Change::new(arms).expect("at least one arm").with_id(id)
    }

    pub(crate) fn pause(&mut self, source: &Source, request: &PauseRequest, now: Timestamp) {
        let mut pause = Pause::begin(request, now);
        if self.has(Bug::PauseEndless) {
            pause.until = None;
        }
        if self.has(Bug::PauseReasonCut) {
            pause.reason = PauseReason::new(cut(pause.reason.as_str(), 255));
        }
        if self.has(Bug::PauseListed) {
            let key = Key::new(source, "pause", "pause").expect("names");
            let held = rules::created().apply_to(&key, None, now);
            held.record().cloned().into_iter().for_each(|record| self.write(record));
        }
        let lasts = self.paused(source, now).is_some();
        if !(lasts && self.has(Bug::PauseNotReplaced)) {
            self.pauses.insert(source.clone(), pause);
        }
    }

    pub(crate) fn paused(&self, source: &Source, now: Timestamp) -> Option<&Pause> {
        let pause = match self.bug {
            Some(Bug::PauseOfAll) => self.pauses.values().next(),
            _ => self.pauses.get(source),
        };
        let late = self.has(Bug::PauseEndsLate);
        pause.filter(|pause| pause.lasts(now) || late && pause.until == Some(now))
    }
}

fn soon(now: Timestamp) -> Timestamp {
    now.plus(Millis::new(1).expect("a millisecond"))
}

fn unlimited(request: &ClaimRequest) -> ClaimRequest {
    ClaimRequest::new(
        request.source().clone(),
        request.claim_id().clone(),
        ClaimRequest::MAX_LIMIT,
        request.ttl(),
        request.max_attempts(),
    )
    .expect("as valid as before")
}
