//! Claiming: who gets which due records of a source.

use crate::change::{
    Arm, AttemptsOp, Change, FlagOp, Guard, HeldOp, LeaseOp, Outcome, Patch, RetryOp,
};
use crate::error::Error;
use crate::ids::ClaimId;
use crate::key::{Key, Source};
use crate::page::Filter;
use crate::record::SyncRecord;
use crate::status::Status;
use crate::time::{Millis, Timestamp};

/// What a claim asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    source: Source,
    claim_id: ClaimId,
    limit: usize,
    ttl: Millis,
    max_attempts: u32,
}

impl ClaimRequest {
    /// The most records that one claim may take.
    pub const MAX_LIMIT: usize = 1_000;

    /// Asks for up to `limit` due records of `source`, each leased for `ttl`. A record that was
    /// attempted `max_attempts` times already becomes a dead letter instead.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) unless `limit` is 1 to 1,000, `ttl` is at
    /// least a millisecond, and `max_attempts` at least 1.
    pub fn new(
        source: Source,
        claim_id: ClaimId,
        limit: usize,
        ttl: Millis,
        max_attempts: u32,
    ) -> Result<Self, Error> {
        if !(1..=Self::MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid("claim limit", format!("is {limit}"), "1 to 1,000"));
        }
        Millis::lease(ttl.to_duration())?;
        if max_attempts == 0 {
            return Err(Error::invalid("maximum attempts", "is 0", "1 or more"));
        }
        Ok(Self { source, claim_id, limit, ttl, max_attempts })
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The id of the claim.
    #[must_use]
    pub fn claim_id(&self) -> &ClaimId {
        &self.claim_id
    }

    /// The most records to take, those of an earlier call with the same id included.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How long each lease runs.
    #[must_use]
    pub fn ttl(&self) -> Millis {
        self.ttl
    }

    /// How often a record may be attempted.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// The change that claims one record.
    ///
    /// Its arms: over the limit of attempts, by a create whose worker vanished or otherwise; a
    /// create whose worker vanished, so it is in doubt; any other due record. A create in doubt
    /// stays in doubt as a dead letter.
    #[must_use]
    pub fn change(&self) -> Change {
        let due = Guard { due: Some(true), ..Guard::default() };
        let vanished_in_create = Guard { leased: Some(true), known: Some(false), ..due.clone() };
        let over =
            |guard: &Guard| Guard { attempts_at_least: Some(self.max_attempts), ..guard.clone() };
        let dead = Patch {
            held: HeldOp::Dead,
            retry_at: RetryOp::Clear,
            lease: LeaseOp::Drop,
            ..Patch::default()
        };
        let grant = Patch {
            attempts: AttemptsOp::Charge,
            lease: LeaseOp::Grant { claim_id: self.claim_id.clone(), ttl: self.ttl },
            ..Patch::default()
        };
        let in_doubt = |patch: &Patch| Patch { in_doubt: FlagOp::Set, ..patch.clone() };
        Change::of([
            Arm { when: over(&vanished_in_create), then: in_doubt(&dead) },
            Arm { when: over(&due), then: dead },
            Arm { when: vanished_in_create, then: in_doubt(&grant) },
            Arm { when: due, then: grant },
        ])
        .with_id(self.claim_id.change_id())
    }

    /// What this claim makes of one due record: the reference that every store agrees with.
    pub fn claim_to(&self, candidate: &SyncRecord, now: Timestamp) -> Outcome {
        self.change().apply_to(&candidate.key, Some(candidate), now)
    }

    /// Which of the due records of the source the claim takes, given them oldest first: by *due
    /// at*, then by key.
    ///
    /// `granted` is how many live leases of this very claim there are already, from an earlier
    /// call whose reply was lost; they count towards the limit. A record whose lease has run out
    /// is taken alone, when it comes first: a job that kills its worker must not charge others.
    #[must_use]
    pub fn select<'a>(
        &self,
        granted: usize,
        due: impl IntoIterator<Item = &'a SyncRecord>,
    ) -> Vec<&'a SyncRecord> {
        let mut due = due
            .into_iter()
            .filter(|record| !record.recent_changes.contains(self.claim_id.change_id()))
            .peekable();
        let lease_ran_out = |record: &&SyncRecord| record.status() == Status::InProgress;
        if granted == 0
            && let Some(first) = due.next_if(lease_ran_out)
        {
            return vec![first];
        }
        let room = self.limit.saturating_sub(granted);
        due.filter(|record| !lease_ran_out(record)).take(room).collect()
    }

    /// The records that the claim may take.
    #[must_use]
    pub fn due(&self) -> Filter {
        Filter { source: Some(self.source.clone()), due: Some(true), ..Filter::default() }
    }

    /// The live leases of this very claim, granted by an earlier call whose reply was lost.
    #[must_use]
    pub fn granted(&self) -> Filter {
        Filter {
            source: Some(self.source.clone()),
            status: Some(Status::InProgress),
            claim_id: Some(self.claim_id.clone()),
            due: Some(false),
            ..Filter::default()
        }
    }
}

/// What a claim got.
///
/// Fewer leases than asked for do not mean that nothing else is due: ask again until there is
/// neither a lease nor a dead letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The records that are leased to the claim, oldest due first.
    pub leased: Vec<SyncRecord>,
    /// The records that had been attempted too often and are dead letters now.
    pub dead_lettered: Vec<SyncRecord>,
}

impl Claimed {
    /// Whether the claim found nothing that was due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leased.is_empty() && self.dead_lettered.is_empty()
    }

    /// Adds a record that the claim changed, to the kind that it became.
    pub fn push(&mut self, record: SyncRecord) {
        if record.lease.is_some() {
            self.leased.push(record);
        } else {
            self.dead_lettered.push(record);
        }
    }
}

/// The order in which due records are claimed: the one due longest first, then by key.
#[must_use]
pub fn claim_order(record: &SyncRecord) -> (Option<Timestamp>, &Key) {
    (record.due_at(), &record.key)
}
