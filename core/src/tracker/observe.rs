//! What is seen in the remote.

use std::future::IntoFuture;

use serde::Serialize;

use super::{Call, Tracker};
use crate::change::{Outcome, Refusal, Refused};
use crate::counter::Revision;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Transition;
use crate::key::{EntityType, ExternalId, Source};
use crate::observation::{Freshness, Observation, RemoteState, Verdict, Via};
use crate::record::SyncRecord;
use crate::remote::{Fingerprint, RemoteVersion};
use crate::rules::{Accept, Observe};

/// What became of an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "news has to be taken over and accepted"]
pub struct Observed {
    /// What it means.
    pub verdict: Verdict,
    /// The record as it stands, if the external id leads to one.
    pub record: Option<SyncRecord>,
    /// Whether an own push was expected back and something else came. Often the remote changes what
    /// we push, such as by trimming it; then no echo is ever told from an edit.
    pub near_miss: bool,
    /// What was observed.
    pub observation: Observation,
}

impl Tracker {
    /// Tells what was seen of an object of the remote, and asks what it means: is it news?
    ///
    /// ```
    /// # use sync_tracker_core::{EntityRef, RemoteVersion, Tracker, Verdict};
    /// # use sync_tracker_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tracker = Tracker::new(MemoryStore::new());
    /// let customer = EntityRef::new("customer", "ada")?;
    /// tracker.mark_synced(&customer, "crm").external_id("SF-1").await?;
    ///
    /// let event = serde_json::json!({ "name": "Ada Lovelace" });
    /// let observed = tracker
    ///     .observe("crm", "customer", "SF-1")
    ///     .version(RemoteVersion::Sequence(7))
    ///     .content(&event)
    ///     .await?;
    /// if observed.verdict == Verdict::Newer {
    ///     // … write it to the database …
    ///     tracker.accept_remote(&observed).await?.into_result().unwrap();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// See [`Observe`] for what each verdict rests on. Repeating it is harmless.
    pub fn observe(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        entity_type: impl TryInto<EntityType, Error: Into<Error>>,
        external_id: impl TryInto<ExternalId, Error: Into<Error>>,
    ) -> ObserveRemote {
        ObserveRemote {
            tracker: self.clone(),
            source: source.try_into().map_err(Into::into),
            entity_type: entity_type.try_into().map_err(Into::into),
            external_id: external_id.try_into().map_err(Into::into),
            version: None,
            state: Ok(RemoteState::Present(None)),
            freshness: Freshness::Event,
        }
    }

    /// Tells that what was observed was taken over, **after** the local write: the content was
    /// written, or the entity deleted.
    ///
    /// See [`Accept`].
    pub fn accept_remote(&self, observed: &Observed) -> AcceptRemote {
        let revision = observed.record.as_ref().map_or(Revision::ZERO, |record| record.revision);
        AcceptRemote { tracker: self.clone(), observed: observed.clone(), revision }
    }
}

/// An observation to be made: of an object that is there, unless it was [`deleted`](Self::deleted).
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct ObserveRemote {
    tracker: Tracker,
    source: Result<Source>,
    entity_type: Result<EntityType>,
    external_id: Result<ExternalId>,
    version: Option<RemoteVersion>,
    state: Result<RemoteState>,
    freshness: Freshness,
}

impl ObserveRemote {
    /// The version of the object, or of its deletion.
    pub fn version(self, version: RemoteVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// The content of the object.
    pub fn fingerprint(self, content: Fingerprint) -> Self {
        Self { state: Ok(RemoteState::Present(Some(content))), ..self }
    }

    /// The content of the object, of which the fingerprint is taken as [`Fingerprint::of`] does.
    pub fn content(self, content: &(impl Serialize + ?Sized)) -> Self {
        let print = Fingerprint::of(content);
        Self { state: print.map(|print| RemoteState::Present(Some(print))), ..self }
    }

    /// The object is deleted.
    pub fn deleted(self) -> Self {
        Self { state: Ok(RemoteState::Deleted), ..self }
    }

    /// It was read from the remote, after the record was read as this one: so it is the truth,
    /// whatever its version says, unless the record was written since.
    pub fn read_since(self, record: &SyncRecord) -> Self {
        Self { freshness: Freshness::read_since(record), ..self }
    }

    async fn run(self) -> Result<Observed> {
        const TRIES: usize = 16;
        let Self { tracker, source, entity_type, external_id, version, state, freshness } = self;
        let (source, entity_type) = (source?, entity_type?);
        let observation =
            Observation { external_id: external_id?, version, state: state?, freshness };
        for _ in 0..TRIES {
            let id = &observation.external_id;
            let found = tracker.store.by_external_id(&source, &entity_type, id).await?;
            if let Some(observed) = tracker.observe_at(found, &observation).await? {
                tracker.inbound.add(&observed);
                return Ok(observed);
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the record kept changing while it was observed")
            .in_operation("observe"))
    }
}

impl Tracker {
    /// Observes an object whose record was found. `None` if that was not the record any more.
    async fn observe_at(
        &self,
        found: Option<SyncRecord>,
        observation: &Observation,
    ) -> Result<Option<Observed>> {
        let observed = |verdict, record| {
            Ok(Some(Observed {
                verdict,
                record,
                near_miss: false,
                observation: observation.clone(),
            }))
        };
        let Some(found) = found else { return observed(Verdict::Untracked, None) };
        if found.via(&observation.external_id) == Some(Via::Alias) {
            return observed(Verdict::Merged, Some(found));
        }
        let observe = Observe { record: &found, observation: observation.clone() };
        let reading = observation.freshness != Freshness::Event;
        if observation.freshness.is_outdated_by(&found) {
            return observed(Verdict::Unordered, Some(found));
        }
        if reading && observe.is_older_than(&found) {
            return observed(Verdict::Stale, Some(found));
        }
        let outcome = self.store.apply(&found.key, &observe.change()).await?;
        let record = outcome.record().cloned();
        let Some(verdict) = observe.verdict(&outcome) else {
            let written = [Refusal::VersionMismatch, Refusal::StaleIncarnation];
            let moved = reading && outcome.refusal().is_some_and(|it| written.contains(it));
            return if moved { observed(Verdict::Unordered, record) } else { Ok(None) };
        };
        let event = match verdict {
            Verdict::Newer | Verdict::Reappeared => Some(Transition::RemoteChanged),
            Verdict::Deleted => Some(Transition::RemoteDeleted),
            Verdict::Conflict(_) if found.conflict.is_none() => Some(Transition::ConflictOpened),
            _ => None,
        };
        self.tell(&outcome, event);
        let news = matches!(verdict, Verdict::Newer | Verdict::Conflict(_));
        let content = matches!(observation.state, RemoteState::Present(Some(_)));
        let near_miss = news && content && !found.echoes.is_empty();
        let observation = observation.clone();
        Ok(Some(Observed { verdict, record, near_miss, observation }))
    }
}

/// News to be accepted.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct AcceptRemote {
    tracker: Tracker,
    observed: Observed,
    revision: Revision,
}

impl AcceptRemote {
    /// The local revision that the write was based on, if it is another than that of the
    /// observation. What was changed after it stays to be pushed.
    pub fn based_on(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }

    async fn run(self) -> Result<Outcome> {
        let Self { tracker, observed, revision } = self;
        let Some(record) = observed.record else {
            return Ok(Outcome::Refused(Refused { reason: Refusal::Absent, record: None }));
        };
        let Observation { external_id, version, state, freshness: _ } = observed.observation;
        let incarnation = record.incarnation;
        let accept = Accept { external_id, incarnation, revision, version, state };
        tracker.apply(&record.key, &accept.change(), Some(Transition::RemoteAccepted)).await
    }
}

impl IntoFuture for ObserveRemote {
    type Output = Result<Observed>;
    type IntoFuture = Call<'static, Observed>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl IntoFuture for AcceptRemote {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'static, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
