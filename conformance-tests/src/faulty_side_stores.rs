//! An inbox and checkpoints that fail.

use sync_tracker_core::{
    BeginInbox, Begun, ChangeId, Checkpoint, CheckpointStore, InboxStore, JsonValue, Millis,
    Result, SaveCheckpoint, Saved, Settled, Source, StreamName, Ticket, Timestamp,
};

use crate::FaultyStore;

#[async_trait::async_trait]
impl<S: InboxStore> InboxStore for FaultyStore<S> {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        self.call(self.inner().begin(request)).await
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        self.call(self.inner().complete(ticket, outcome, remember_for)).await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        self.call(self.inner().abandon(ticket)).await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        self.call(self.inner().forget_expired(source, grace)).await
    }
}

#[async_trait::async_trait]
impl<S: CheckpointStore> CheckpointStore for FaultyStore<S> {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        self.call(self.inner().load(source, stream)).await
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        self.call(self.inner().save(request)).await
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        self.call(self.inner().reset(source, stream, id)).await
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        self.call(self.inner().checkpoints(source)).await
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        self.call(self.inner().horizon(source)).await
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        self.call(self.inner().raise_horizon(source, to)).await
    }
}
