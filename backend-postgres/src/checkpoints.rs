//! The checkpoints.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointStore, Generation, Result, SaveCheckpoint, Saved, Source,
    StreamName, Timestamp, Version,
};

use crate::error::Effect;
use crate::inbox::json;
use crate::store::{PostgresStore, TRIES, column, crowded, first, instant, named};
use crate::value::{change_id, millis, whole};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CheckpointStore for PostgresStore {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        let query = self.statements.checkpoint_load.query();
        let query = query.bind(source.as_str()).bind(stream.as_str());
        let rows = self.connections.fetch(query, Effect::None).await.map_err(named("load"))?;
        rows.first().map_or_else(|| Ok(Checkpoint::default()), |row| checkpoint(row, 0))
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        let SaveCheckpoint { source, stream, value, version, generation, id } = request;
        let may_create = (*version, *generation) == (Version::ZERO, Generation::ZERO);
        let mut failure = None;
        for _ in 0..TRIES {
            let query = self.statements.checkpoint_save.query();
            let query = query
                .bind(self.clock())
                .bind(source.as_str())
                .bind(stream.as_str())
                .bind(change_id(*id))
                .bind(whole(version.get()))
                .bind(whole(generation.get()))
                .bind(value.as_value().to_string());
            match self.connections.fetch(query, Effect::Write).await {
                Err(failed) if failed.again => failure = Some(failed),
                Err(failed) => return Err(named("save")(failed)),
                Ok(rows) => match rows.first() {
                    Some(row) if column(row, 0)? => return Ok(Saved::Done(checkpoint(row, 1)?)),
                    Some(row) => return Ok(Saved::Stale(checkpoint(row, 1)?)),
                    None if may_create => {}
                    None => return Ok(Saved::Stale(Checkpoint::default())),
                },
            }
        }
        Err(failure.map_or_else(crowded, Into::into).in_operation("save"))
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        let mut failure = None;
        for _ in 0..TRIES {
            let query = self.statements.checkpoint_reset.query();
            let query = query.bind(source.as_str()).bind(stream.as_str()).bind(change_id(id));
            match self.connections.fetch(query, Effect::Write).await {
                Err(failed) if failed.again => failure = Some(failed),
                Err(failed) => return Err(named("reset")(failed)),
                Ok(rows) => {
                    if let Some(row) = rows.first() {
                        return checkpoint(row, 0);
                    }
                }
            }
        }
        Err(failure.map_or_else(crowded, Into::into).in_operation("reset"))
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        let query = self.statements.checkpoints.query().bind(source.as_str());
        let rows = self.connections.fetch(query, Effect::None).await;
        let rows = rows.map_err(named("checkpoints"))?;
        let read = |row| Ok((StreamName::new(column::<&str>(row, 4)?)?, checkpoint(row, 0)?));
        rows.iter().map(read).collect()
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        let query = self.statements.horizon.query().bind(source.as_str());
        let rows = self.connections.fetch(query, Effect::None).await.map_err(named("horizon"))?;
        rows.first().map(|row| instant(column(row, 0)?)).transpose()
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        let query = self.statements.raise_horizon.query().bind(source.as_str()).bind(millis(to));
        let rows = self.connections.fetch(query, Effect::Write).await;
        instant(column(first(&rows.map_err(named("raise horizon"))?)?, 0)?)
    }
}

fn checkpoint(row: &PgRow, at: usize) -> Result<Checkpoint> {
    let value: Option<&str> = column(row, at)?;
    let saved_at: Option<i64> = column(row, at + 3)?;
    Ok(Checkpoint {
        value: value.map(json).transpose()?,
        version: Version::new(column::<i64>(row, at + 1)?.unsigned_abs())?,
        generation: Generation::new(column::<i64>(row, at + 2)?.unsigned_abs())?,
        saved_at: saved_at.map(instant).transpose()?,
    })
}
