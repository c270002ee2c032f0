//! Questions about single entities.

use super::{Tracker, key_of};
use crate::entity::{IntoEntity, Trackable};
use crate::error::{Error, Result};
use crate::key::{EntityType, ExternalId, Source};
use crate::metadata::Metadata;
use crate::observation::Via;
use crate::record::SyncRecord;
use crate::status::Status;

/// A record that an external id leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The record.
    pub record: SyncRecord,
    /// How the id leads there.
    pub via: Via,
}

impl Tracker {
    /// The record of the source and entity type that this external id leads to, and how. Of a
    /// tombstone its status tells, see [`SyncRecord::is_tombstone`].
    ///
    /// # Errors
    ///
    /// As [`by_external_id`](Self::by_external_id).
    pub async fn lookup(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        entity_type: impl TryInto<EntityType, Error: Into<Error>>,
        external_id: impl TryInto<ExternalId, Error: Into<Error>>,
    ) -> Result<Option<Found>> {
        let id = external_id.try_into().map_err(Into::into)?;
        let record = self.by_external_id(source, entity_type, id.clone()).await?;
        Ok(record.and_then(|record| record.via(&id).map(|via| Found { record, via })))
    }

    /// The record of the entity in the source.
    ///
    /// # Errors
    ///
    /// As the store's [`get`](crate::SyncStore::get), or [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn record(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Option<SyncRecord>> {
        let key = key_of(entity, source);
        self.store.get(&key?).await
    }

    /// The records of the entity in all sources, ordered by source.
    ///
    /// # Errors
    ///
    /// As the store's [`records_of`](crate::SyncStore::records_of), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn records_of(&self, entity: impl IntoEntity) -> Result<Vec<SyncRecord>> {
        let entity = entity.into_entity();
        self.store.records_of(&entity?).await
    }

    /// Where the entity stands in the source; `None` if it is not tracked there.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn status(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Option<Status>> {
        let key = key_of(entity, source);
        Ok(self.store.get(&key?).await?.map(|record| record.status()))
    }

    /// Whether the **current** state of the entity is in the source.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn is_synced(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<bool> {
        let key = key_of(entity, source);
        let record = self.store.get(&key?).await?;
        Ok(record.is_some_and(|record| record.status() == Status::Synced))
    }

    /// Whether the entity, in this life of its id, was ever in step with the source.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn was_ever_synced(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<bool> {
        let key = key_of(entity, source);
        Ok(self.store.get(&key?).await?.is_some_and(|record| record.was_ever_synced()))
    }

    /// The id of the entity in the source.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn external_id(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Option<ExternalId>> {
        let key = key_of(entity, source);
        Ok(self.store.get(&key?).await?.and_then(|record| record.external_id))
    }

    /// The metadata of the entity in the source; empty if it is not tracked there.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn metadata(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Metadata> {
        let key = key_of(entity, source);
        Ok(self.store.get(&key?).await?.map(|record| record.metadata).unwrap_or_default())
    }

    /// The record of the source and entity type with this external id, as its own or as an alias.
    ///
    /// # Errors
    ///
    /// As the store's [`by_external_id`](crate::SyncStore::by_external_id), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn by_external_id(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        entity_type: impl TryInto<EntityType, Error: Into<Error>>,
        external_id: impl TryInto<ExternalId, Error: Into<Error>>,
    ) -> Result<Option<SyncRecord>> {
        let source = source.try_into().map_err(Into::into);
        let entity_type = entity_type.try_into().map_err(Into::into);
        let external_id = external_id.try_into().map_err(Into::into);
        self.store.by_external_id(&source?, &entity_type?, &external_id?).await
    }

    /// The records with these external ids, in the order of the ids.
    ///
    /// # Errors
    ///
    /// As [`by_external_id`](Self::by_external_id).
    pub async fn by_external_ids<X: TryInto<ExternalId, Error: Into<Error>>>(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        entity_type: impl TryInto<EntityType, Error: Into<Error>>,
        external_ids: impl IntoIterator<Item = X>,
    ) -> Result<Vec<Option<SyncRecord>>> {
        let source = source.try_into().map_err(Into::into);
        let entity_type = entity_type.try_into().map_err(Into::into);
        let ids = external_ids.into_iter().map(|id| id.try_into().map_err(Into::into));
        let ids = ids.collect::<Result<Vec<_>>>();
        self.store.by_external_ids(&source?, &entity_type?, &ids?).await
    }

    /// What the application calls the entity with this external id.
    ///
    /// # Errors
    ///
    /// As [`by_external_id`](Self::by_external_id), or [`Invalid`](crate::ErrorKind::Invalid) if
    /// its entity id is none of the application's.
    pub async fn find<T: Trackable>(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        external_id: impl TryInto<ExternalId, Error: Into<Error>>,
    ) -> Result<Option<T::Id>> {
        let source = source.try_into().map_err(Into::into);
        let external_id = external_id.try_into().map_err(Into::into);
        let entity_type = EntityType::new(T::ENTITY_TYPE);
        let found = self.store.by_external_id(&source?, &entity_type?, &external_id?).await?;
        found.map(|record| record.key.entity.id_of::<T>()).transpose()
    }
}
