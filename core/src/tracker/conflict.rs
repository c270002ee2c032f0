//! Conflicts: found, and resolved.

use std::future::IntoFuture;

use super::{Call, Tracker, key_of};
use crate::change::Outcome;
use crate::counter::Revision;
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::Transition;
use crate::key::{ExternalId, Key, Source};
use crate::record::SyncRecord;
use crate::remote::{Fingerprint, RemoteVersion};
use crate::rules::{Encounter, Resolve, Winner};

impl Tracker {
    /// Ends the conflict of the record that was read, **after** the local write that the decision
    /// needs. Refused if either side moved since it was read: observe and decide again.
    ///
    /// A [policy](crate::policy) may decide. See [`Resolve`] for what it comes to.
    pub fn resolve(&self, record: &SyncRecord, winner: Winner) -> ResolveConflict {
        ResolveConflict { tracker: self.clone(), record: record.clone(), winner, remote: None }
    }

    /// The entity, which is not known in the source yet, turned out to be there already, made by
    /// somebody else: it was found by a natural key.
    ///
    /// See [`Encounter`].
    pub fn encountered(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
        external_id: impl TryInto<ExternalId, Error: Into<Error>>,
    ) -> EncounterRemote {
        EncounterRemote {
            tracker: self.clone(),
            key: key_of(entity, source),
            external_id: external_id.try_into().map_err(Into::into),
            version: None,
            content: None,
            same_as: None,
        }
    }
}

/// A conflict to be resolved.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct ResolveConflict {
    tracker: Tracker,
    record: SyncRecord,
    winner: Winner,
    remote: Option<Fingerprint>,
}

impl ResolveConflict {
    /// The content that was in the remote when it was decided: it becomes the base.
    pub fn remote_fingerprint(self, content: Fingerprint) -> Self {
        Self { remote: Some(content), ..self }
    }

    async fn run(self) -> Result<Outcome> {
        let Self { tracker, record, winner, remote } = self;
        let change = Resolve { record: &record, winner, remote }.change();
        tracker.apply(&record.key, &change, Some(Transition::ConflictResolved)).await
    }
}

/// An object of the remote that was found to be the entity.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct EncounterRemote {
    tracker: Tracker,
    key: Result<Key>,
    external_id: Result<ExternalId>,
    version: Option<RemoteVersion>,
    content: Option<Fingerprint>,
    same_as: Option<Revision>,
}

impl EncounterRemote {
    /// The version of the object.
    pub fn version(self, version: RemoteVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// The content of the object.
    pub fn fingerprint(self, content: Fingerprint) -> Self {
        Self { content: Some(content), ..self }
    }

    /// The content of the object is that of the entity as it was when this record of it was read,
    /// so there is nothing to resolve.
    pub fn same_as(self, record: &SyncRecord) -> Self {
        Self { same_as: Some(record.revision), ..self }
    }

    async fn run(self) -> Result<Outcome> {
        let Self { tracker, key, external_id, version, content, same_as } = self;
        let event =
            if same_as.is_some() { Transition::EntitySynced } else { Transition::ConflictOpened };
        let change = Encounter { external_id: external_id?, version, content, same_as }.change();
        tracker.apply(&key?, &change, Some(event)).await
    }
}

impl IntoFuture for ResolveConflict {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'static, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl IntoFuture for EncounterRemote {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'static, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
