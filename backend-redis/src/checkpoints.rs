//! The checkpoints: a packed entry for each stream in a hash of its source, and the purge horizon
//! among them.

use async_trait::async_trait;
use redis::Value;
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointStore, Error, Generation, Result, SaveCheckpoint, Saved,
    Source, StreamName, Timestamp, Version,
};

use crate::answer;
use crate::entries::{call_id, corrupt, json};
use crate::error::{Effect, STORE};
use crate::packed::{Item, Reader};
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
        entry.map_or_else(|| Ok(Checkpoint::default()), |entry| decode(&entry))
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        self.save_checkpoint(request).await.map_err(named("checkpoint save"))
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        let key = self.prefix.of(source).checkpoints();
        let args = [stream.as_str().into(), call_id(id)];
        let answer = self.on_key(&key, &self.scripts.checkpoint_reset, &args).await;
        let checkpoint = answer.and_then(answer::exactly).and_then(checkpoint);
        checkpoint.map_err(named("checkpoint reset"))
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
                found.push((StreamName::new(name)?, decode(&entry)?));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        let horizon = self.streams(source, HORIZON, "purge horizon").await?;
        horizon.as_deref().map(instant).transpose()
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        let key = self.prefix.of(source).checkpoints();
        let args = [HORIZON.into(), to.as_millis().to_string().into()];
        let answer = self.on_key(&key, &self.scripts.horizon_raise, &args).await;
        answer.and_then(|there| answer::instant(&there)).map_err(named("raise purge horizon"))
    }
}

impl RedisStore {
    async fn save_checkpoint(&self, request: &SaveCheckpoint) -> Result<Saved> {
        let SaveCheckpoint { source, stream, value, version, generation, id } = request;
        let key = self.prefix.of(source).checkpoints();
        let args = [
            self.clock(),
            stream.as_str().into(),
            call_id(*id),
            version.get().to_string().into(),
            generation.get().to_string().into(),
            value.as_value().to_string().into(),
        ];
        let answer = self.on_key(&key, &self.scripts.checkpoint_save, &args).await?;
        let [is_saved, version, generation, saved_at, value] = answer::exactly(answer)?;
        let there = checkpoint([version, generation, saved_at, value])?;
        Ok(if is_saved == Value::Int(1) { Saved::Done(there) } else { Saved::Stale(there) })
    }

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

/// What a script answers of a checkpoint.
fn checkpoint([version, generation, saved_at, value]: [Value; 4]) -> Result<Checkpoint> {
    let saved_at = match saved_at {
        Value::Nil => None,
        instant => Some(answer::instant(&instant)?),
    };
    Ok(Checkpoint {
        value: answer::bytes(value)?.as_deref().map(json).transpose()?,
        version: Version::new(answer::count(&version)?)?,
        generation: Generation::new(answer::count(&generation)?)?,
        saved_at,
    })
}

/// Reads an entry as scripts write it.
fn decode(entry: &[u8]) -> Result<Checkpoint> {
    let mut reader = Reader::new(entry);
    let mut next = || reader.next().ok_or_else(corrupt);
    let (version, generation) = (number(next()?)?, number(next()?)?);
    let (_saved_by, _reset_by) = (next()?, next()?);
    let saved_at = match next()? {
        Item::Nothing => None,
        item => Some(Timestamp::from_millis(number(item)?).map_err(|_| corrupt())?),
    };
    let value = match next()? {
        Item::Nothing => None,
        Item::Bytes(value) => Some(json(value)?),
        _ => return Err(corrupt()),
    };
    Ok(Checkpoint {
        value,
        version: Version::new(version.unsigned_abs())?,
        generation: Generation::new(generation.unsigned_abs())?,
        saved_at,
    })
}

fn instant(entry: &[u8]) -> Result<Timestamp> {
    let mut reader = Reader::new(entry);
    let millis = number(reader.next().ok_or_else(corrupt)?)?;
    if !reader.is_at_end() {
        return Err(corrupt());
    }
    Timestamp::from_millis(millis).map_err(|_| corrupt())
}

fn number(item: Item<'_>) -> Result<i64> {
    match item {
        Item::Number(number) => Ok(number),
        _ => Err(corrupt()),
    }
}
