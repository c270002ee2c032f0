//! The checkpoints, in records of a reserved type.

use async_trait::async_trait;
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointStore, Result, SaveCheckpoint, Saved, Source, StreamName,
    Timestamp,
};

use crate::store::MongoStore;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CheckpointStore for MongoStore {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        self.over_records().load(source, stream).await
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        self.over_records().save(request).await
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        self.over_records().reset(source, stream, id).await
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        self.over_records().checkpoints(source).await
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        self.over_records().horizon(source).await
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        self.over_records().raise_horizon(source, to).await
    }
}
