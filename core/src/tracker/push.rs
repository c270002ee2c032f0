//! One leased record, and what its holder may do with it.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Call, ChangeRecord, MarkSynced, Tracker};
use crate::change::{Change, Outcome};
use crate::counter::{Revision, Token};
use crate::error::Result;
use crate::events::Transition;
use crate::failure::FailureNote;
use crate::ids::ChangeId;
use crate::key::{EntityRef, ExternalId, Key};
use crate::record::SyncRecord;
use crate::remote::Fingerprint;
use crate::rules;
use crate::status::Operation;
use crate::time::Millis;

/// A record that the caller alone may push, until its lease runs out.
///
/// Finish it by [`synced`](Self::synced), [`failed`](Self::failed) or [`release`](Self::release).
/// If another worker took the record since, the answer is a refusal,
/// [`LeaseLost`](crate::Refusal::LeaseLost), and nothing changes. After an error the same call may
/// be made again.
#[derive(Debug)]
#[must_use = "a push that is not finished comes back when its lease runs out"]
pub struct Push {
    tracker: Tracker,
    record: SyncRecord,
    until: Instant,
    synced: Once,
    failed: Once,
    released: Once,
}

/// A report that may be made again after an error: it is always the same change, and its event is
/// told once.
#[derive(Clone, Debug)]
pub(super) struct Once {
    id: ChangeId,
    told: Arc<AtomicBool>,
}

impl Once {
    fn new() -> Self {
        Self { id: ChangeId::random(), told: Arc::default() }
    }

    pub(super) async fn apply(
        &self,
        tracker: &Tracker,
        key: &Key,
        change: Change,
        event: Option<Transition>,
    ) -> Result<Outcome> {
        let outcome = tracker.store.apply(key, &self.identify(change)).await?;
        tracker.tell(&outcome, self.event(&outcome, event));
        Ok(outcome)
    }

    /// The change under the id that all of its repeats have.
    pub(super) fn identify(&self, change: Change) -> Change {
        change.with_id(self.id)
    }

    /// The event, if it was not told yet.
    pub(super) fn event(&self, outcome: &Outcome, event: Option<Transition>) -> Option<Transition> {
        let again = outcome.is_applied() && self.told.swap(true, Ordering::SeqCst);
        event.filter(|_| !again)
    }
}

impl Push {
    pub(super) fn new(tracker: Tracker, record: SyncRecord, until: Instant) -> Self {
        let [synced, failed, released] = std::array::from_fn(|_| Once::new());
        Self { tracker, record, until, synced, failed, released }
    }

    /// What to do in the remote.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.record.operation()
    }

    /// The entity.
    #[must_use]
    pub fn entity(&self) -> &EntityRef {
        &self.record.key.entity
    }

    /// The entity and the source.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.record.key
    }

    /// The id of the object in the source, if it is known.
    #[must_use]
    pub fn external_id(&self) -> Option<&ExternalId> {
        self.record.external_id.as_ref()
    }

    /// The revision that is pushed. A local change since leaves the record dirty.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.record.revision
    }

    /// Whether an earlier create was sent and its outcome is unknown: look before you create.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        self.record.in_doubt
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.record.attempts
    }

    /// The idempotency key to send with a create, the same for every attempt.
    #[must_use]
    pub fn idempotency_key(&self) -> Uuid {
        self.record.idempotency_key()
    }

    /// The record as it was claimed.
    #[must_use]
    pub fn record(&self) -> &SyncRecord {
        &self.record
    }

    /// How long the lease certainly still runs, measured here from before it was asked for.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Whether this content is in the remote already, so that there is nothing to push: report
    /// [`synced`](Self::synced) at once.
    #[must_use]
    pub fn is_unchanged(&self, content: &Fingerprint) -> bool {
        self.operation() == Operation::Update && self.record.is_unchanged(content)
    }

    /// Expects this content to come back as an event: said before it is sent.
    ///
    /// See [`rules::expect_echo`].
    pub fn expect_echo(&self, content: &Fingerprint) -> ChangeRecord {
        let change = rules::expect_echo(Some(self.token()), content);
        self.tracker.change_quietly(Ok(self.key().clone()), change)
    }

    fn token(&self) -> Token {
        self.record.token
    }

    /// It worked. A local change since it was claimed leaves the record dirty.
    ///
    /// See [`rules::Completion`].
    pub fn synced(&self) -> MarkSynced {
        MarkSynced::of_push(self.tracker.clone(), &self.record, self.synced.clone())
    }

    /// It failed.
    ///
    /// See [`rules::fail`].
    pub fn failed(&self, note: FailureNote) -> FailPush<'_> {
        FailPush { push: self, note, retry_after: None }
    }

    /// It was not tried: nothing was sent.
    ///
    /// See [`rules::release`].
    pub fn release(&self) -> ReleasePush<'_> {
        ReleasePush { push: self }
    }

    /// Lets the lease run for `ttl` from now, 1 ms to 3,650 days.
    ///
    /// See [`rules::renew`].
    pub fn renew(&mut self, ttl: Duration) -> RenewPush<'_> {
        RenewPush { push: self, ttl }
    }
}

/// A failure to be reported.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct FailPush<'a> {
    push: &'a Push,
    note: FailureNote,
    retry_after: Option<Duration>,
}

impl FailPush<'_> {
    /// The wait that the remote asked for: no retry is due earlier. At most 3,650 days.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    async fn run(self) -> Result<Outcome> {
        let Self { push, note, retry_after } = self;
        let retry_after = retry_after.map(Millis::try_from).transpose()?;
        let schedule = &push.tracker.settings.schedule;
        let change = rules::fail(push.token(), &note, schedule, retry_after);
        push.failed.apply(&push.tracker, push.key(), change, Some(Transition::SyncFailed)).await
    }
}

/// A push to be given back.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct ReleasePush<'a> {
    push: &'a Push,
}

/// A lease to be renewed.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct RenewPush<'a> {
    push: &'a mut Push,
    ttl: Duration,
}

impl RenewPush<'_> {
    async fn run(self) -> Result<Outcome> {
        let Self { push, ttl } = self;
        let ttl = Millis::lease(ttl)?;
        let sent = Instant::now();
        let change = rules::renew(push.token(), ttl);
        let outcome = push.tracker.apply(push.key(), &change, None).await?;
        if outcome.is_applied() {
            push.until = sent + ttl.to_duration();
        }
        Ok(outcome)
    }
}

impl<'a> IntoFuture for FailPush<'a> {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'a, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<'a> IntoFuture for ReleasePush<'a> {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'a, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        let push = self.push;
        let change = rules::release(push.token());
        let event = Some(Transition::Released);
        Box::pin(push.released.apply(&push.tracker, push.key(), change, event))
    }
}

impl<'a> IntoFuture for RenewPush<'a> {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'a, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
