//! Claiming due records.

use std::future::IntoFuture;
use std::time::{Duration, Instant};

use super::{Call, Push, Tracker};
use crate::claim::ClaimRequest;
use crate::error::{Error, Result};
use crate::events::Transition;
use crate::ids::ClaimId;
use crate::key::Source;
use crate::record::SyncRecord;
use crate::time::Millis;

impl Tracker {
    /// Claims due records of the source, to be pushed by the caller and nobody else.
    ///
    /// See [`SyncStore::claim`](crate::SyncStore::claim).
    pub fn claim(&self, source: impl TryInto<Source, Error: Into<Error>>) -> ClaimDue {
        ClaimDue {
            tracker: self.clone(),
            source: source.try_into().map_err(Into::into),
            claim_id: Ok(ClaimId::random()),
            limit: 1,
            lease: ClaimDue::DEFAULT_LEASE,
        }
    }
}

/// What a claim of the tracker got.
///
/// Fewer pushes than asked for do not mean that nothing else is due: claim again until it
/// [is empty](Self::is_empty).
#[derive(Debug)]
pub struct ClaimedPushes {
    /// What to push, the one due longest first. Each is leased to this claim.
    pub pushes: Vec<Push>,
    /// Records that had been attempted too often and are dead letters now.
    pub dead_lettered: Vec<SyncRecord>,
}

impl ClaimedPushes {
    /// Whether the claim found nothing that was due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pushes.is_empty() && self.dead_lettered.is_empty()
    }
}

/// A claim to be made: by default of one record, for 60 seconds.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct ClaimDue {
    tracker: Tracker,
    source: Result<Source>,
    claim_id: Result<ClaimId>,
    limit: usize,
    lease: Duration,
}

impl ClaimDue {
    /// How long a lease runs unless it was said otherwise.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(60);

    /// Claims up to this many records: 1 to 1,000. Claim no more than are started at once, since
    /// every lease runs from now on.
    pub fn limit(self, records: usize) -> Self {
        Self { limit: records, ..self }
    }

    /// Leases each for this long, 1 ms to 3,650 days: longer than a push takes.
    pub fn lease(self, ttl: Duration) -> Self {
        Self { lease: ttl, ..self }
    }

    /// Names the worker, so that leases tell who holds them: 1 to 128 bytes.
    pub fn worker(self, label: impl AsRef<str>) -> Self {
        Self { claim_id: ClaimId::labelled(label), ..self }
    }

    /// Makes the claim under this id. A call with the id of an earlier claim gets the leases that
    /// the earlier one was granted, as far as they still run, before it takes more.
    pub fn id(self, claim_id: ClaimId) -> Self {
        Self { claim_id: Ok(claim_id), ..self }
    }

    async fn run(self) -> Result<ClaimedPushes> {
        let Self { tracker, source, claim_id, limit, lease } = self;
        let ttl = Millis::try_from(lease)?;
        let attempts = tracker.settings.schedule.max_attempts();
        let request = ClaimRequest::new(source?, claim_id?, limit, ttl, attempts)?;
        let sent = Instant::now();
        let claimed = tracker.store.claim(&request).await?;
        for record in &claimed.leased {
            tracker.events.tell(|| Transition::Claimed.of(record));
        }
        for record in &claimed.dead_lettered {
            tracker.events.tell(|| Transition::DeadLettered.of(record));
        }
        let push = |record| Push::new(tracker.clone(), record, sent + ttl.to_duration());
        Ok(ClaimedPushes {
            pushes: claimed.leased.into_iter().map(push).collect(),
            dead_lettered: claimed.dead_lettered,
        })
    }
}

impl IntoFuture for ClaimDue {
    type Output = Result<ClaimedPushes>;
    type IntoFuture = Call<'static, ClaimedPushes>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
