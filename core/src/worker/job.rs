//! One push under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use uuid::Uuid;

use super::handler::Handler;
use super::tally::Tally;
use crate::change::{Outcome, Refusal};
use crate::counter::Revision;
use crate::error::Result;
use crate::events::panic_text;
use crate::failure::{FailureClass, FailureNote};
use crate::key::{EntityRef, ExternalId, Source};
use crate::push_result::{Done, Failed, PushResult};
use crate::record::SyncRecord;
use crate::remote::Fingerprint;
use crate::rules;
use crate::status::{Operation, Status};
use crate::tracker::{ChangeRecord, Push, Tracker};

/// What a handler is to push. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Job {
    record: Arc<SyncRecord>,
    tracker: Tracker,
}

impl Job {
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

    /// The id of the object in the source, if it is known.
    #[must_use]
    pub fn external_id(&self) -> Option<&ExternalId> {
        self.record.external_id.as_ref()
    }

    /// The revision that is pushed.
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

    /// Whether this content is in the remote already, so that there is nothing to push: answer
    /// [`Done`] at once.
    #[must_use]
    pub fn is_unchanged(&self, content: &Fingerprint) -> bool {
        self.operation() == Operation::Update && self.record.is_unchanged(content)
    }

    /// Expects this content to come back as an event: said before it is sent.
    ///
    /// See [`rules::expect_echo`].
    pub fn expect_echo(&self, content: &Fingerprint) -> ChangeRecord {
        let change = rules::expect_echo(Some(self.record.token), content);
        self.tracker.change_quietly(Ok(self.record.key.clone()), change)
    }
}

/// What one push needs of its worker.
#[derive(Debug)]
pub(super) struct Running<H> {
    pub(super) tracker: Tracker,
    pub(super) source: Source,
    pub(super) handler: Arc<H>,
    pub(super) tally: Arc<Tally>,
    pub(super) lease: Duration,
    pub(super) pause_when_throttled: bool,
}

/// How the wait for a handler ended.
enum Ended {
    Said(PushResult),
    Panicked(String),
    LeaseLost,
    GivenUp,
}

/// A handler in a task of its own, which ends with this.
struct Task(JoinHandle<PushResult>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<H: Handler> Running<H> {
    /// Has the handler push, keeps the lease meanwhile, and reports.
    pub(super) async fn run(&self, mut push: Push) {
        match self.wait(&mut push).await {
            Ended::Said(Ok(done)) => self.report_done(&push, done).await,
            Ended::Said(Err(failed)) => self.report_failed(&push, failed).await,
            Ended::Panicked(message) => {
                self.tally.panicked();
                let note = FailureNote::unknown(format!("the handler panicked: {message}"));
                self.report_failed(&push, note.with_code("panic").into()).await;
            }
            Ended::GivenUp => {
                let note = FailureNote::unknown("the worker stopped before the handler was done");
                self.report_failed(&push, note.with_code("shutdown").into()).await;
            }
            Ended::LeaseLost => self.tally.lease_lost(),
        }
    }

    async fn wait(&self, push: &mut Push) -> Ended {
        let record = Arc::new(push.record().clone());
        let job = Job { record, tracker: self.tracker.clone() };
        let handler = Arc::clone(&self.handler);
        let mut task = Task(tokio::spawn(async move { handler.push(job).await }));
        let mut renewals = tokio::time::interval(self.lease / 3);
        renewals.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        renewals.reset();
        loop {
            tokio::select! {
                biased;
                ended = &mut task.0 => return match ended {
                    Ok(said) => Ended::Said(said),
                    Err(cause) => match cause.try_into_panic() {
                        Ok(panic) => Ended::Panicked(panic_text(&*panic).to_owned()),
                        Err(_) => Ended::GivenUp,
                    },
                },
                () = self.tally.given_up() => return Ended::GivenUp,
                _ = renewals.tick() => {
                    if self.renew(push).await == Some(Refusal::LeaseLost) {
                        return Ended::LeaseLost;
                    }
                }
            }
        }
    }

    /// Renews the lease; the refusal, if there is one. An error is not the end: the lease may still
    /// run, and reports count even after it ran out, as long as nobody else took the record.
    async fn renew(&self, push: &mut Push) -> Option<Refusal> {
        match push.renew(self.lease).await {
            Ok(outcome) => outcome.refusal().cloned(),
            Err(error) => {
                tracing::warn!(%error, key = %push.key(), "could not renew a lease");
                self.tally.errors(1);
                None
            }
        }
    }

    async fn report_done(&self, push: &Push, done: Done) {
        let outcome = push.synced().success(done.0).await;
        if let Some(refusal) = self.reported(push, outcome, Tally::synced) {
            if refusal == Refusal::LeaseLost {
                return;
            }
            // It worked in the remote, and what it told contradicts the ledger: for a person.
            let note = FailureNote::permanent(format!("what the push told was refused: {refusal}"));
            self.report_failed(push, note.with_code("refused").into()).await;
        }
    }

    async fn report_failed(&self, push: &Push, failed: Failed) {
        let Failed { note, retry_after } = failed;
        let class = note.class();
        let mut report = push.failed(note);
        if let Some(wait) = retry_after {
            report = report.retry_after(wait);
        }
        let outcome = report.await;
        self.reported(push, outcome, Tally::failed);
        if class == FailureClass::Throttled {
            self.tally.throttled();
            if let (Some(wait), true) = (retry_after, self.pause_when_throttled) {
                self.pause(wait).await;
            }
        }
    }

    async fn pause(&self, wait: Duration) {
        let pause = self.tracker.pause(&self.source).lasting(wait).because("throttled");
        if let Err(error) = pause.await {
            tracing::warn!(%error, source = %self.source, "could not pause a throttled source");
            self.tally.errors(1);
        }
    }

    /// Counts what became of a report; the refusal, if it was refused.
    fn reported(
        &self,
        push: &Push,
        outcome: Result<Outcome>,
        count: fn(&Tally),
    ) -> Option<Refusal> {
        match outcome {
            Ok(outcome) => {
                if let Some(refusal) = outcome.refusal() {
                    tracing::warn!(key = %push.key(), %refusal, "a report was refused");
                    if *refusal == Refusal::LeaseLost {
                        self.tally.lease_lost();
                    }
                    return Some(refusal.clone());
                }
                count(&self.tally);
                if outcome.record().map(SyncRecord::status) == Some(Status::DeadLetter) {
                    self.tally.dead_lettered(1);
                }
            }
            Err(error) => {
                tracing::error!(%error, key = %push.key(), "could not report a push");
                self.tally.errors(1);
            }
        }
        None
    }
}
