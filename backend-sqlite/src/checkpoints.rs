//! The checkpoints.

use async_trait::async_trait;
use sqlx::{Row, query};
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointEntry, CheckpointStore, PurgeHorizon, Result, SaveCheckpoint,
    Saved, Source, StreamName, Timestamp,
};

use crate::entries::Table;
use crate::error::before_commit;
use crate::row::{decoding, from_json};
use crate::session::Session;
use crate::statements;
use crate::store::SqliteStore;
use crate::writer::Write;

const CHECKPOINTS: Table =
    Table { get: statements::GET_CHECKPOINT, put: statements::PUT_CHECKPOINT };

/// The horizon of a source is the one entry of its name.
const HORIZONS: Table = Table { get: statements::GET_HORIZON, put: statements::PUT_HORIZON };

struct Save(SaveCheckpoint);

#[async_trait]
impl Write for Save {
    type Answer = Saved;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Saved> {
        let Self(request) = self;
        let name = [request.source.as_str(), request.stream.as_str()];
        CHECKPOINTS
            .step(session.beside(), name, |entry| CheckpointEntry::save(entry, request, now))
            .await
    }
}

struct Reset {
    source: Source,
    stream: StreamName,
    id: ChangeId,
}

#[async_trait]
impl Write for Reset {
    type Answer = Checkpoint;

    async fn write(&self, session: &mut Session<'_>, _: Timestamp) -> Result<Checkpoint> {
        let name = [self.source.as_str(), self.stream.as_str()];
        CHECKPOINTS
            .step(session.beside(), name, |entry| CheckpointEntry::reset(entry, self.id))
            .await
    }
}

struct RaiseHorizon {
    source: Source,
    to: Timestamp,
}

#[async_trait]
impl Write for RaiseHorizon {
    type Answer = Timestamp;

    async fn write(&self, session: &mut Session<'_>, _: Timestamp) -> Result<Timestamp> {
        let name = [self.source.as_str(), ""];
        HORIZONS.step(session.beside(), name, |horizon| PurgeHorizon::raise(horizon, self.to)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CheckpointStore for SqliteStore {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        let name = [source.as_str(), stream.as_str()];
        let mut reader = self.reader().await?;
        let entry: Result<Option<CheckpointEntry>> = CHECKPOINTS.get(&mut reader, name).await;
        Ok(reader.with(entry)?.map(|entry| entry.checkpoint().clone()).unwrap_or_default())
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        self.writer.write(Save(request.clone())).await
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        self.writer.write(Reset { source: source.clone(), stream: stream.clone(), id }).await
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        let statement = query(statements::CHECKPOINTS).bind(source.as_str());
        let mut reader = self.reader().await?;
        let rows = statement.fetch_all(&mut *reader).await.map_err(before_commit);
        let rows = reader.with(rows)?;
        let checkpoint = |row: &sqlx::sqlite::SqliteRow| {
            let stream: &str = row.try_get(0).map_err(before_commit)?;
            let entry: CheckpointEntry = from_json(row.try_get(1).map_err(before_commit)?)?;
            Ok((StreamName::new(stream).map_err(decoding)?, entry.checkpoint().clone()))
        };
        rows.iter().map(checkpoint).collect()
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        let name = [source.as_str(), ""];
        let mut reader = self.reader().await?;
        let horizon: Result<Option<PurgeHorizon>> = HORIZONS.get(&mut reader, name).await;
        Ok(reader.with(horizon)?.map(PurgeHorizon::instant))
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        self.writer.write(RaiseHorizon { source: source.clone(), to }).await
    }
}
