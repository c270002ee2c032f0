//! Pushing what our people changed.

use serde_json::Value;
use sync_tracker::{
    Done, ExternalId, Failed, Fingerprint, Job, Operation, PushResult, RemoteVersion, Worker,
};

use super::{SHOP, TwoWay, TwoWayError, Weakness};
use crate::client::{Remote, ShopError};

impl TwoWay {
    /// A worker that pushes what is due.
    pub fn worker(&self) -> Result<Worker<impl sync_tracker::Handler + use<>>, TwoWayError> {
        let app = self.clone();
        let push = move |job: Job| {
            let app = app.clone();
            async move { app.push(&job).await }
        };
        let [shortest, longest] = [2, 20].map(std::time::Duration::from_millis);
        let worker = Worker::new(&self.tracker, SHOP, push)?;
        Ok(worker.name("two-way-shop").concurrency(8).idle(shortest, longest).without_pausing())
    }

    async fn push(&self, job: &Job) -> PushResult {
        let ours = self.db.live(job.entity());
        let id = job.external_id().map(|id| id.as_str());
        let pushed = match (job.operation(), ours, id) {
            (Operation::Create, Some(content), _) => self.push_new(job, &content).await,
            (Operation::Update, Some(content), Some(id)) => {
                self.push_change(job, id, &content).await
            }
            (Operation::Delete, None, Some(id)) => self.push_deletion(job, id).await,
            (Operation::Delete, None, None) => self.push_deletion_in_doubt(job).await,
            (Operation::Nothing, ..) => Ok(Done::new()),
            // The row changed since the record was claimed, which has been noted.
            _ => Err(TwoWayError::Later("it changed since it was claimed")),
        };
        pushed.map_err(Failed::from)
    }

    async fn push_new(&self, job: &Job, content: &Value) -> Result<Done, TwoWayError> {
        let print = self.expect_back(job, content).await?;
        match self.client.create_once(job.idempotency_key(), content).await {
            Ok(made) => Ok(self.done(made, print)?),
            // Made by an earlier attempt whose reply was lost.
            Err(ShopError::Taken { by, same_key: true }) => {
                let id = ExternalId::new(&by)?;
                let bind = self.tracker.bind(job.entity(), SHOP, id).only_existing();
                if bind.await?.is_applied() {
                    self.tally.note(|tally| tally.adopted += 1);
                } else {
                    self.retire_if_merged(job.entity(), &by).await?;
                }
                self.look_first(job, &by).await
            }
            // Made by the shop's staff.
            Err(ShopError::Taken { by, same_key: false }) => self.look_first(job, &by).await,
            Err(problem) => Err(problem.into()),
        }
    }

    async fn push_change(&self, job: &Job, id: &str, content: &Value) -> Result<Done, TwoWayError> {
        if job.is_unchanged(&Fingerprint::of(content)?) {
            self.tally.note(|tally| tally.skipped += 1);
            return Ok(Done::new());
        }
        let print = self.expect_back(job, content).await?;
        let answer = match self.accepted(job) {
            Condition::Version(version) => self.client.update_if(id, version, content).await,
            Condition::None => self.client.update(id, content).await,
            Condition::Unknown => return self.look_first(job, id).await,
        };
        match answer {
            Ok(changed) => Ok(self.done(changed, print)?),
            Err(ShopError::Moved | ShopError::NotFound | ShopError::Merged { .. }) => {
                self.look_first(job, id).await
            }
            Err(problem) => Err(problem.into()),
        }
    }

    async fn push_deletion(&self, job: &Job, id: &str) -> Result<Done, TwoWayError> {
        let answer = match self.accepted(job) {
            Condition::Version(version) => self.client.delete_if(id, version).await,
            Condition::None => self.client.delete(id).await,
            Condition::Unknown => return self.look_first(job, id).await,
        };
        match answer {
            Ok(()) => {
                self.tally.note(|tally| tally.pushes += 1);
                Ok(Done::new())
            }
            Err(ShopError::NotFound) => Ok(Done::new()),
            Err(ShopError::Moved | ShopError::Merged { .. }) => self.look_first(job, id).await,
            Err(problem) => Err(problem.into()),
        }
    }

    /// It was deleted after a create whose reply was lost: it is there, or it never was.
    async fn push_deletion_in_doubt(&self, job: &Job) -> Result<Done, TwoWayError> {
        let row = self.db.row(job.entity());
        let sku = row.map(|row| super::database::sku(&row.content).to_owned());
        match self.client.find(&sku.unwrap_or_default()).await? {
            Some(found) => self.look_first(job, &found.id).await,
            None => {
                // A refusal means that it was found meanwhile.
                let _ = self.tracker.not_there(job.entity(), SHOP).await?;
                Err(TwoWayError::Later("the create left nothing"))
            }
        }
    }

    /// The version that was accepted here: on condition of it the push is made.
    fn accepted(&self, job: &Job) -> Condition {
        if matches!(self.weakness, Some(Weakness::BlindPushes | Weakness::NoVersions)) {
            return Condition::None;
        }
        match job.record().remote_version {
            Some(RemoteVersion::Sequence(version)) => {
                u64::try_from(version).map_or(Condition::Unknown, Condition::Version)
            }
            _ => Condition::Unknown,
        }
    }

    /// The webhook about this push may come before its reply.
    async fn expect_back(&self, job: &Job, content: &Value) -> Result<Fingerprint, TwoWayError> {
        let print = self.db.keep(content)?;
        if job.expect_echo(&print).await?.is_applied() {
            return Ok(print);
        }
        Err(TwoWayError::Later("another worker has it"))
    }

    /// The shop has something newer: it is taken in first, and the push comes again if there is
    /// anything left to push then.
    async fn look_first(&self, job: &Job, id: &str) -> Result<Done, TwoWayError> {
        self.tally.note(|tally| tally.overtaken += 1);
        self.take_in(id, None, Some(job.entity())).await?;
        Err(TwoWayError::Later("the shop had something newer"))
    }

    fn done(&self, remote: Remote, print: Fingerprint) -> Result<Done, TwoWayError> {
        self.tally.note(|tally| tally.pushes += 1);
        let done = Done::new().external_id(remote.id)?.fingerprint(print);
        Ok(match self.version(Some(remote.version)) {
            Some(version) => done.remote_version(version),
            None => done,
        })
    }
}

/// On what condition a push is made.
enum Condition {
    None,
    Version(u64),
    /// It has to be read first.
    Unknown,
}
