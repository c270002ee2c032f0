//! The checkpoints: one document for each, one command for each call.
//!
//! Translates `CheckpointEntry` and `PurgeHorizon` of core. What a call did follows from the document
//! as it leaves it.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document, bson, doc};
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointStore, Generation, Result, SaveCheckpoint, Saved, Source,
    StreamName, Timestamp, Version,
};

use crate::error::{Effect, unexpected};
use crate::expression::{all, cond, equal, highest, literal, or_else, plus, unequal};
use crate::inbox::{Entries, corrupt, json};
use crate::store::{MongoStore, named};
use crate::value::{change_id, date, whole};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CheckpointStore for MongoStore {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        let found = self.entry(of_stream(source, stream)).await.map_err(named("load"))?;
        found.map_or_else(|| Ok(Checkpoint::default()), |entry| checkpoint(&entry))
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        let id = of_stream(&request.source, &request.stream);
        let may_create = (request.version, request.generation) == (Version::ZERO, Generation::ZERO);
        let update = save(request, self.now_of_call().expression());
        let left = self.step(Entries::Checkpoints, id, update, may_create).await;
        let Some(left) = left.map_err(named("save"))? else {
            return Ok(Saved::Stale(Checkpoint::default()));
        };
        let there = checkpoint(&left).map_err(named("save"))?;
        let is_ours = left.get_i64("saved_by").ok() == Some(change_id(request.id));
        Ok(if is_ours { Saved::Done(there) } else { Saved::Stale(there) })
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        let of = of_stream(source, stream);
        let left = self.step(Entries::Checkpoints, of, reset(id), true).await;
        let left = left.and_then(|left| left.ok_or_else(unexpected));
        left.and_then(|left| checkpoint(&left)).map_err(named("reset"))
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        self.all_of(source).await.map_err(named("checkpoints"))
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        let found = self.entry(of_horizon(source)).await.map_err(named("horizon"))?;
        found.map(|entry| instant(&entry)).transpose().map_err(named("horizon"))
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        let higher = highest("$instant".into(), date(to).into());
        let update = vec![doc! { "$set": { "instant": higher } }];
        let left = self.step(Entries::Checkpoints, of_horizon(source), update, true).await;
        let left = left.and_then(|left| left.ok_or_else(unexpected));
        left.and_then(|left| instant(&left)).map_err(named("raise horizon"))
    }
}

impl MongoStore {
    async fn entry(&self, id: Document) -> Result<Option<Document>> {
        let checkpoints = self.checkpoints.clone();
        let read = async move { checkpoints.find_one(doc! { "_id": id }).await };
        self.run(Effect::None, read).await.map_err(|failed| failed.into_error(Effect::None))
    }

    async fn all_of(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        let from = doc! { "source": source.as_str() };
        let to = doc! { "source": source.as_str(), "stream": Bson::MaxKey };
        let filter = doc! {
            "_id": { "$gte": from, "$lt": to },
            "_id.source": source.as_str(),
            "_id.stream": { "$type": "string" },
        };
        let checkpoints = self.checkpoints.clone();
        let read = async move {
            let found = checkpoints.find(filter).sort(doc! { "_id": 1 });
            found.await?.try_collect::<Vec<Document>>().await
        };
        let found = self.run(Effect::None, read).await;
        let found = found.map_err(|failed| failed.into_error(Effect::None))?;
        let read = |entry: &Document| {
            let id = entry.get_document("_id").map_err(|_| corrupt())?;
            let stream = id.get_str("stream").map_err(|_| corrupt())?;
            Ok((StreamName::new(stream)?, checkpoint(entry)?))
        };
        found.iter().map(read).collect()
    }
}

fn of_stream(source: &Source, stream: &StreamName) -> Document {
    doc! { "source": source.as_str(), "stream": stream.as_str() }
}

/// Among the streams, of which none has such a name.
fn of_horizon(source: &Source) -> Document {
    doc! { "source": source.as_str(), "horizon": true }
}

fn there(field: &str) -> Bson {
    or_else(format!("${field}").into(), Bson::Int64(0))
}

/// Translates `CheckpointEntry::save`.
fn save(request: &SaveCheckpoint, now: Bson) -> Vec<Document> {
    let SaveCheckpoint { source: _, stream: _, value, version, generation, id } = request;
    let is_seen = all(vec![
        unequal("$saved_by".into(), Bson::Int64(change_id(*id))),
        equal(there("version"), Bson::Int64(whole(version.get()))),
        equal(there("generation"), Bson::Int64(whole(generation.get()))),
    ]);
    let saved = bson!({
        "_id": "$_id",
        "value": literal(value.as_value().to_string()),
        "version": plus(there("version"), 1),
        "generation": there("generation"),
        "saved_at": now,
        "saved_by": Bson::Int64(change_id(*id)),
        "reset_by": or_else("$reset_by".into(), Bson::Null),
    });
    vec![doc! { "$replaceWith": cond(is_seen, saved, "$$ROOT".into()) }]
}

/// Translates `CheckpointEntry::reset`.
fn reset(id: ChangeId) -> Vec<Document> {
    let id = Bson::Int64(change_id(id));
    let is_repeated = equal("$reset_by".into(), id.clone());
    let begun = bson!({
        "_id": "$_id",
        "value": Bson::Null,
        "version": plus(there("version"), 1),
        "generation": plus(there("generation"), 1),
        "saved_at": Bson::Null,
        "saved_by": Bson::Null,
        "reset_by": id,
    });
    vec![doc! { "$replaceWith": cond(is_repeated, "$$ROOT".into(), begun) }]
}

fn checkpoint(entry: &Document) -> Result<Checkpoint> {
    let counter = |name: &str| {
        let number = entry.get_i64(name).map_err(|_| corrupt())?;
        u64::try_from(number).map_err(|_| corrupt())
    };
    Ok(Checkpoint {
        value: match entry.get("value") {
            Some(Bson::String(text)) => Some(json(text)?),
            Some(Bson::Null) => None,
            _ => return Err(corrupt()),
        },
        version: Version::new(counter("version")?)?,
        generation: Generation::new(counter("generation")?)?,
        saved_at: match entry.get("saved_at") {
            Some(Bson::DateTime(at)) => Some(Timestamp::from_millis(at.timestamp_millis())?),
            Some(Bson::Null) => None,
            _ => return Err(corrupt()),
        },
    })
}

fn instant(entry: &Document) -> Result<Timestamp> {
    let instant = entry.get_datetime("instant").map_err(|_| corrupt())?;
    Timestamp::from_millis(instant.timestamp_millis())
}
