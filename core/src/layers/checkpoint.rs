//! The layers around checkpoints.

use async_trait::async_trait;

use super::deadline::{self, Deadline};
use super::retry::{Retry, tried};
use crate::checkpoint::{Checkpoint, CheckpointStore, SaveCheckpoint, Saved, StreamName};
use crate::error::Result;
use crate::ids::ChangeId;
use crate::key::Source;
use crate::time::Timestamp;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: CheckpointStore> CheckpointStore for Deadline<S> {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        deadline::read(self.limit, "load", self.store.load(source, stream)).await
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        deadline::write(self.limit, "save", self.store.save(request)).await
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        deadline::write(self.limit, "reset", self.store.reset(source, stream, id)).await
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        deadline::read(self.limit, "checkpoints", self.store.checkpoints(source)).await
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        deadline::read(self.limit, "horizon", self.store.horizon(source)).await
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        deadline::write(self.limit, "raise_horizon", self.store.raise_horizon(source, to)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: CheckpointStore> CheckpointStore for Retry<S> {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        tried(|| self.store.load(source, stream)).await
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        tried(|| self.store.save(request)).await
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        tried(|| self.store.reset(source, stream, id)).await
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        tried(|| self.store.checkpoints(source)).await
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        tried(|| self.store.horizon(source)).await
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        tried(|| self.store.raise_horizon(source, to)).await
    }
}
