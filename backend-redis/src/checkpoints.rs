//! The checkpoints.

use async_trait::async_trait;
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointEntry, CheckpointStore, Error, PurgeHorizon, Result,
    SaveCheckpoint, Saved, Source, StreamName, Timestamp,
};

use crate::answer;
use crate::entries::{Place, decode};
use crate::error::{Effect, STORE};
use crate::store::RedisStore;

/// Where the purge horizon is among the streams, of which none has such a name.
const HORIZON: &[u8] = b"\x01horizon";

fn named(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.in_operation(operation).in_store(STORE)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CheckpointStore for RedisStore {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        let entry = self.streams(source, stream.as_str().as_bytes(), "checkpoint load").await?;
        let entry: Option<CheckpointEntry> = entry.as_deref().map(decode).transpose()?;
        Ok(entry.unwrap_or_default().checkpoint().clone())
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        let key = self.prefix.of(&request.source).checkpoints();
        let place = Place { key: &key, field: request.stream.as_str().as_bytes() };
        let save = |entry: Option<&_>, now| CheckpointEntry::save(entry, request, now);
        self.step(place, save).await.map_err(named("checkpoint save"))
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        let key = self.prefix.of(source).checkpoints();
        let place = Place { key: &key, field: stream.as_str().as_bytes() };
        let reset = |entry: Option<&_>, _| CheckpointEntry::reset(entry, id);
        self.step(place, reset).await.map_err(named("checkpoint reset"))
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        let mut all = redis::cmd("HGETALL");
        all.arg(self.prefix.of(source).checkpoints());
        let answer = self.server.send(&all, Effect::None).await.map_err(named("checkpoints"))?;
        let mut values = answer::list(answer)?.into_iter();
        let mut found = Vec::new();
        while let (Some(stream), Some(entry)) = (values.next(), values.next()) {
            let (stream, entry) = (answer::present(stream)?, answer::present(entry)?);
            if stream != HORIZON {
                let name = String::from_utf8(stream).map_err(|_| answer::not_text())?;
                let entry: CheckpointEntry = decode(&entry)?;
                found.push((StreamName::new(name)?, entry.checkpoint().clone()));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        let horizon = self.streams(source, HORIZON, "purge horizon").await?;
        let horizon: Option<PurgeHorizon> = horizon.as_deref().map(decode).transpose()?;
        Ok(horizon.map(PurgeHorizon::instant))
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        let key = self.prefix.of(source).checkpoints();
        let place = Place { key: &key, field: HORIZON };
        let raise = |horizon: Option<&_>, _| PurgeHorizon::raise(horizon, to);
        self.step(place, raise).await.map_err(named("raise purge horizon"))
    }
}

impl RedisStore {
    /// What is kept under a name among the streams of a source.
    async fn streams(
        &self,
        source: &Source,
        name: &[u8],
        operation: &'static str,
    ) -> Result<Option<Vec<u8>>> {
        let mut read = redis::cmd("HGET");
        read.arg(self.prefix.of(source).checkpoints()).arg(name);
        let value = self.server.send(&read, Effect::None).await;
        value.and_then(answer::bytes).map_err(named(operation))
    }
}
