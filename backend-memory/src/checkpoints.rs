//! The checkpoints.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use async_trait::async_trait;
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointEntry, CheckpointStore, PurgeHorizon, Result, SaveCheckpoint,
    Saved, Source, Step, StreamName, Timestamp,
};

use crate::store::MemoryStore;

/// The checkpoints of each source, and its purge horizon.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    entries: BTreeMap<Source, BTreeMap<StreamName, CheckpointEntry>>,
    horizons: BTreeMap<Source, PurgeHorizon>,
}

impl Streams {
    fn get(&self, source: &Source, stream: &StreamName) -> Option<&CheckpointEntry> {
        self.entries.get(source)?.get(stream)
    }

    fn write<A>(
        &mut self,
        source: &Source,
        stream: &StreamName,
        step: Step<CheckpointEntry, A>,
    ) -> A {
        if let Some(entry) = step.write {
            self.entries.entry(source.clone()).or_default().insert(stream.clone(), entry);
        }
        step.answer
    }
}

impl MemoryStore {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CheckpointStore for MemoryStore {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        let streams = self.streams();
        let entry = streams.get(source, stream);
        Ok(entry.map(|entry| entry.checkpoint().clone()).unwrap_or_default())
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        let SaveCheckpoint { source, stream, .. } = request;
        let mut streams = self.streams();
        let step = CheckpointEntry::save(streams.get(source, stream), request, self.now());
        Ok(streams.write(source, stream, step))
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        let mut streams = self.streams();
        let step = CheckpointEntry::reset(streams.get(source, stream), id);
        Ok(streams.write(source, stream, step))
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        let streams = self.streams();
        let entries = streams.entries.get(source).into_iter().flatten();
        Ok(entries.map(|(stream, entry)| (stream.clone(), entry.checkpoint().clone())).collect())
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        Ok(self.streams().horizons.get(source).map(|horizon| horizon.instant()))
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        let mut streams = self.streams();
        let step = PurgeHorizon::raise(streams.horizons.get(source), to);
        if let Some(horizon) = step.write {
            streams.horizons.insert(source.clone(), horizon);
        }
        Ok(step.answer)
    }
}
