//! The store.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::Value;
use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, Discrepancy, Durability, EntityRef, EntityType, Error,
    ExternalId, Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause, PauseReason,
    PauseRequest, Removal, Result, Source, Statistics, StoreClock, SyncRecord, SyncStore,
    Timestamp,
};

use crate::answer;
use crate::error::{Effect, STORE, unexpected};
use crate::keys::{PAUSE_FIELD, Prefix, entity_of, field};
use crate::packed::{Item, Reader};
use crate::row;
use crate::scripts::Scripts;
use crate::server::{Call, Server};

/// A store on a Redis server or cluster, with an inbox and checkpoints besides the records. Clones
/// share its connections.
///
/// A change of one record is one script, which is atomic. What is kept of one source is in one hash
/// slot; what concerns several sources is one call for each.
///
/// Of a call that is dropped, the server carries out what it was sent.
#[derive(Clone, Debug)]
pub struct RedisStore {
    pub(crate) server: Arc<Server>,
    pub(crate) scripts: Arc<Scripts>,
    pub(crate) prefix: Prefix,
    /// The sources that are known to be in the set of sources.
    pub(crate) registered: Arc<Mutex<HashSet<(Source, bool)>>>,
    pub(crate) clock: StoreClock,
}

/// How many records one script reads by their ids.
const READ_AT_ONCE: usize = 100;
/// How many external ids one script looks up: two reads each.
const FOUND_AT_ONCE: usize = 100;

/// Names what was asked in an error.
fn named(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.in_operation(operation).in_store(STORE)
}

impl RedisStore {
    /// The explicit clock as an argument, or nothing for the server's.
    pub(crate) fn clock(&self) -> Vec<u8> {
        let now = self.clock.explicit_now();
        now.map_or_else(Vec::new, |now| now.as_millis().to_string().into())
    }

    /// Puts a source into the set of sources before its first record. On a cluster that is another
    /// server, so it is no part of the change.
    pub(crate) async fn register(&self, key: &Key) -> Result<()> {
        let reserved = key.entity.entity_type.is_reserved();
        let known = (key.source.clone(), reserved);
        if self.registered.lock().unwrap_or_else(PoisonError::into_inner).contains(&known) {
            return Ok(());
        }
        let mut add = redis::cmd("ZADD");
        add.arg(self.prefix.sources(reserved)).arg(0).arg(key.source.as_str());
        self.server.send(&add, Effect::Write).await?;
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(known);
        Ok(())
    }

    /// After a failover the set of sources may have lost what was put into it.
    fn after(&self, failed: Error) -> Error {
        if failed.is_retryable() {
            self.registered.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        failed
    }

    /// Sources in order, from one on: with records of applications, or reserved ones.
    pub(crate) async fn registered_sources(
        &self,
        reserved: bool,
        from: Option<&Source>,
    ) -> Result<Vec<Source>> {
        let from = from.map_or_else(|| "-".into(), |source| format!("[{source}"));
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.prefix.sources(reserved)).arg(from).arg("+").arg("BYLEX");
        let members = answer::list(self.server.send(&range, Effect::None).await?)?;
        members.into_iter().map(|member| Source::new(answer::text(member)?)).collect()
    }

    /// Calls a script on the keys of a source.
    pub(crate) async fn on_source(
        &self,
        source: &Source,
        script: &crate::scripts::Script,
        args: &[Vec<u8>],
        effect: Effect,
    ) -> Result<Value> {
        let keys = self.prefix.of(source).all();
        self.server.call(Call { script, keys: &keys, args, effect }).await
    }

    /// The records of entities of one source, in their order.
    pub(crate) async fn read_many(
        &self,
        source: &Source,
        entities: &[&EntityRef],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut read = redis::cmd("HMGET");
        read.arg(self.prefix.of(source).records());
        entities.iter().for_each(|entity| {
            read.arg(field(entity));
        });
        let values = answer::list(self.server.send(&read, Effect::None).await?)?;
        if values.len() != entities.len() {
            return Err(unexpected());
        }
        let records = values.into_iter().zip(entities).map(|(value, entity)| {
            let bytes = answer::bytes(value)?;
            bytes.map(|bytes| row::decode(&entity.in_source(source), &bytes)).transpose()
        });
        records.collect()
    }

    /// Places of keys, those of one source together.
    fn by_source(keys: &[Key]) -> Vec<(&Source, Vec<usize>)> {
        let mut places: Vec<usize> = (0..keys.len()).collect();
        places.sort_by_key(|place| keys.get(*place).map(|key| &key.source));
        let mut groups: Vec<(&Source, Vec<usize>)> = Vec::new();
        for place in places {
            let Some(key) = keys.get(place) else { continue };
            match groups.last_mut() {
                Some((source, group)) if **source == key.source && group.len() < READ_AT_ONCE => {
                    group.push(place);
                }
                _ => groups.push((&key.source, vec![place])),
            }
        }
        groups
    }

    async fn find_many(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut found = Vec::with_capacity(ids.len());
        while let Some(rest @ [_, ..]) = ids.get(found.len()..) {
            let first = self.find_first_of(source, entity_type, rest).await?;
            if first.is_empty() {
                return Err(unexpected());
            }
            found.extend(first);
        }
        Ok(found)
    }

    /// What so many of them lead to as one script reads, one at least.
    async fn find_first_of(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut args: Vec<Vec<u8>> = vec![entity_type.as_str().into()];
        args.extend(ids.iter().map(|id| id.as_str().into()));
        let found = self.on_source(source, &self.scripts.find, &args, Effect::None).await?;
        let records = answer::list(found)?.into_iter().map(|found| {
            let [entity_id, record] = answer::exactly(found)?;
            let (Some(entity_id), Some(record)) =
                (answer::bytes(entity_id)?, answer::bytes(record)?)
            else {
                return Ok(None);
            };
            let entity_id = String::from_utf8(entity_id).map_err(|_| answer::not_text())?;
            let entity = EntityRef::new(entity_type.clone(), entity_id)?;
            row::decode(&entity.in_source(source), &record).map(Some)
        });
        records.collect()
    }
}

#[async_trait]
impl SyncStore for RedisStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let applied = self.apply_one(key, change).await;
        applied.map_err(|error| self.after(named("apply")(error)).for_key(key))
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        let mut read = redis::cmd("HGET");
        read.arg(self.keys_of(key).records()).arg(field(&key.entity));
        let value = self.server.send(&read, Effect::None).await;
        let bytes = value.and_then(answer::bytes);
        let bytes = bytes.map_err(|error| self.after(named("get")(error)).for_key(key))?;
        bytes.map(|bytes| row::decode(key, &bytes)).transpose()
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        let found = self.by_external_ids(source, entity_type, std::slice::from_ref(id)).await?;
        Ok(found.into_iter().next().flatten())
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        self.page(filter, after, size).await.map_err(named("list"))
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        let stored = self.import(record).await;
        stored.map_err(|error| self.after(named("put")(error)).for_key(&record.key))
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let removed = self.remove_if(key, guard).await;
        removed.map_err(|error| self.after(named("remove")(error)).for_key(key))
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let outcomes = self.apply_batch(items).await;
        outcomes.into_iter().map(|outcome| outcome.map_err(|error| self.after(error))).collect()
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        let groups = Self::by_source(keys);
        let reads = groups.iter().map(|(source, places)| {
            let entities: Vec<_> =
                places.iter().filter_map(|place| keys.get(*place)).map(|key| &key.entity).collect();
            async move { self.read_many(source, &entities).await }
        });
        let read = try_join_all(reads).await.map_err(named("get many"))?;
        let mut records = vec![None; keys.len()];
        for ((_, places), found) in groups.iter().zip(read) {
            for (place, record) in places.iter().zip(found) {
                if let Some(free) = records.get_mut(*place) {
                    *free = record;
                }
            }
        }
        Ok(records)
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let reads =
            ids.chunks(FOUND_AT_ONCE).map(|chunk| self.find_many(source, entity_type, chunk));
        let found = try_join_all(reads).await.map_err(named("by external id"))?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        self.claim_due(request).await.map_err(|error| self.after(named("claim")(error)))
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        let PauseRequest { span, reason } = request;
        let args = [
            self.clock(),
            span.map_or_else(Vec::new, |span| span.get().to_string().into()),
            Timestamp::MAX.as_millis().to_string().into(),
            reason.as_str().into(),
        ];
        let paused = self.on_source(source, &self.scripts.pause, &args, Effect::Write).await;
        paused.map(drop).map_err(named("pause"))
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        let mut delete = redis::cmd("HDEL");
        delete.arg(self.prefix.of(source).records()).arg(PAUSE_FIELD);
        self.server.send(&delete, Effect::Write).await.map(drop).map_err(named("resume"))
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        let args = [self.clock(), PAUSE_FIELD.into()];
        let read = self.on_source(source, &self.scripts.read, &args, Effect::None).await;
        let [now, pause] = read.and_then(answer::exactly).map_err(named("paused"))?;
        let Some(bytes) = answer::bytes(pause)? else { return Ok(None) };
        let pause = read_pause(&bytes).ok_or_else(row::corrupt)?;
        Ok(pause.lasts(answer::instant(&now)?).then_some(pause))
    }

    async fn now(&self) -> Result<Timestamp> {
        if let Some(now) = self.clock.explicit_now() {
            return Ok(now);
        }
        let time = self.server.send(&redis::cmd("TIME"), Effect::None).await;
        let [seconds, micros] = time.and_then(answer::exactly).map_err(named("now"))?;
        let number = |value| answer::text(value)?.parse::<i64>().map_err(|_| unexpected());
        Timestamp::from_millis(number(seconds)? * 1_000 + number(micros)? / 1_000)
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        self.count(source).await.map_err(named("statistics"))
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        self.registered_sources(false, None).await.map_err(named("sources"))
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        let reserved = entity.entity_type.is_reserved();
        let sources = self.registered_sources(reserved, None).await.map_err(named("records of"))?;
        let keys: Vec<_> = sources.iter().map(|source| entity.in_source(source)).collect();
        Ok(self.get_many(&keys).await?.into_iter().flatten().collect())
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        let found = self.verify_indexes().await.map_err(named("verify"))?;
        // Walks along an index that lies would end in an error.
        if found.is_empty() { sync_tracker_core::verify(self).await } else { Ok(found) }
    }

    async fn durability(&self) -> Result<Durability> {
        self.survival().await.map_err(named("durability"))
    }
}

fn read_pause(bytes: &[u8]) -> Option<Pause> {
    let mut reader = Reader::new(bytes);
    let Item::Number(since) = reader.next()? else { return None };
    let until = match reader.next()? {
        Item::Nothing => None,
        Item::Number(until) => Some(Timestamp::from_millis(until).ok()?),
        _ => return None,
    };
    let Item::Bytes(reason) = reader.next()? else { return None };
    let reason = PauseReason::new(std::str::from_utf8(reason).ok()?);
    Some(Pause { since: Timestamp::from_millis(since).ok()?, until, reason })
}

/// The record of a field of a source.
pub(crate) fn record_at(source: &Source, field: &[u8], bytes: &[u8]) -> Result<SyncRecord> {
    let entity = entity_of(field).ok_or_else(row::corrupt)?;
    row::decode(&entity.in_source(source), bytes)
}
