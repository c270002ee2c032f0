//! One change: to the server and back.

use std::collections::HashMap;

use mongodb::bson::{RawDocument, doc};
use mongodb::options::ReturnDocument;
use sync_tracker_core::{
    Applied, Change, ChangeId, EntityRef, EntityType, ExternalId, Guard, Imported, Key, Outcome,
    Refused, Removal, Result, Source, SyncRecord, Timestamp,
};

use crate::answer::{timed, with_time, written};
use crate::compose::{Composed, Write, compose, condition};
use crate::document::{decode, encode};
use crate::error::{Duplicate, Effect, contended, duplicate};
use crate::expression::Now;
use crate::server::Failed;
use crate::store::MongoStore;
use crate::value;

/// How often a call tries again after others came between.
const TRIES: u32 = 64;

/// Who holds the external ids of these records.
pub(crate) fn holders_among(records: &[SyncRecord]) -> HashMap<ExternalId, EntityRef> {
    let holding = records.iter().filter(|record| record.holds_external_ids());
    let held = holding.flat_map(|record| record.external_ids().map(|id| (id, &record.key.entity)));
    held.map(|(id, entity)| (id.clone(), entity.clone())).collect()
}

impl MongoStore {
    pub(crate) async fn apply_one(&self, key: &Key, change: &Change) -> Result<Outcome> {
        for _ in 0..TRIES {
            if let Some(outcome) = self.try_apply(key, change).await? {
                return Ok(outcome);
            }
        }
        Err(contended())
    }

    /// Nothing if another call came between.
    async fn try_apply(&self, key: &Key, change: &Change) -> Result<Option<Outcome>> {
        let write = Write { call: ChangeId::random(), in_batch: false };
        let Composed { pipeline, may_create } = compose(change, write, self.now_of_call());
        let (records, id) = (self.records.clone(), value::key(key));
        let update = async move {
            records
                .find_one_and_update(doc! { "_id": id }, pipeline)
                .upsert(may_create)
                .return_document(ReturnDocument::After)
                .projection(with_time())
                .await
        };
        match self.run(Effect::Write, update).await {
            Ok(answer) => self.outcome(key, change, write, answer.as_deref()).map(Some),
            Err(Failed::Refused(cause)) if duplicate(&cause).is_some() => match duplicate(&cause) {
                Some(Duplicate::ExternalId) => self.refused_for_ids(key, change).await,
                Some(Duplicate::Key) | None => Ok(None),
            },
            Err(failed) => Err(failed.into_error(Effect::Write)),
        }
    }

    pub(crate) fn outcome(
        &self,
        key: &Key,
        change: &Change,
        write: Write,
        answer: Option<&RawDocument>,
    ) -> Result<Outcome> {
        let Some(answer) = answer else {
            let reason = change.explain(key, None, Timestamp::MIN);
            return Ok(Outcome::Refused(Refused { reason, record: None }));
        };
        let (now, document) = written(answer)?;
        let record = decode(document)?;
        if document.get_i64("last_call").ok() == Some(value::change_id(write.call)) {
            let arm = Some(record.last_arm);
            return Ok(Outcome::Applied(Applied { record, arm, replayed: false }));
        }
        if record.recent_changes.contains(change.id()) {
            return Ok(Outcome::Applied(change.replayed(record)));
        }
        let now = self.clock.explicit_now().unwrap_or(now);
        let reason = change.explain(key, Some(&record), now);
        Ok(Outcome::Refused(Refused { reason, record: Some(record) }))
    }

    /// Finds out who holds the external id that a unique index refused. Nothing if nobody does any
    /// more, or if the record was written since.
    async fn refused_for_ids(&self, key: &Key, change: &Change) -> Result<Option<Outcome>> {
        let (now, record) = self.read_with_time(key).await?;
        let mut wanted = Vec::new();
        let free = change.settle(key, record.as_ref(), now, |id| {
            wanted.push(id.clone());
            None
        });
        if !matches!(free, Outcome::Applied(Applied { replayed: false, .. })) {
            return Ok(None);
        }
        let holders = self.holders(&key.source, &key.entity.entity_type, &wanted).await?;
        let settled = change.settle(key, record.as_ref(), now, |id| holders.get(id).cloned());
        Ok(Some(settled).filter(|outcome| !outcome.is_applied()))
    }

    /// The entities that hold these external ids.
    async fn holders(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<HashMap<ExternalId, EntityRef>> {
        Ok(holders_among(&self.carriers(source, entity_type, ids).await?))
    }

    pub(crate) async fn import(&self, record: &SyncRecord) -> Result<Imported> {
        record.validate()?;
        for _ in 0..TRIES {
            if let Some(imported) = self.try_import(record).await? {
                return Ok(imported);
            }
        }
        Err(contended())
    }

    async fn try_import(&self, record: &SyncRecord) -> Result<Option<Imported>> {
        let (records, document) = (self.records.clone(), encode(record)?);
        let id = value::key(&record.key);
        let replace = async move {
            // A command of one document says of which index it is refused.
            let replace = records.find_one_and_replace(doc! { "_id": id }, document);
            replace.upsert(true).projection(doc! { "_id": 1 }).await
        };
        let cause = match self.run(Effect::Write, replace).await {
            Ok(_) => return Ok(Some(Imported::Stored)),
            Err(Failed::Refused(cause)) => cause,
            Err(failed) => return Err(failed.into_error(Effect::Write)),
        };
        match duplicate(&cause) {
            None => Err(Failed::Refused(cause).into_error(Effect::Write)),
            Some(Duplicate::Key) => Ok(None),
            Some(Duplicate::ExternalId) => {
                let Key { source, entity } = &record.key;
                let (_, before) = self.read_with_time(&record.key).await?;
                let ids: Vec<_> = record.external_ids().cloned().collect();
                let holders = self.holders(source, &entity.entity_type, &ids).await?;
                let taken =
                    record.taken_external_id(before.as_ref(), |id| holders.get(id).cloned());
                Ok(taken.map(Imported::Refused))
            }
        }
    }

    pub(crate) async fn remove_if(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        for _ in 0..TRIES {
            let (records, id) = (self.records.clone(), value::key(key));
            let condition = condition(guard, self.now_of_call())?;
            let delete =
                async move { records.delete_one(doc! { "_id": id, "$expr": condition }).await };
            let deleted = self.run(Effect::Write, delete).await;
            let deleted = deleted.map_err(|failed| failed.into_error(Effect::Write))?;
            if deleted.deleted_count > 0 {
                return Ok(Removal::Removed);
            }
            if let Some(removal) = self.not_removed(key, guard).await? {
                return Ok(removal);
            }
        }
        Err(contended())
    }

    /// Says why a record was not removed. Nothing if it would be by now.
    async fn not_removed(&self, key: &Key, guard: &Guard) -> Result<Option<Removal>> {
        let (now, record) = self.read_with_time(key).await?;
        Ok(match record {
            None => Some(Removal::Absent),
            Some(record) => guard.refusal(Some(&record), now).map(Removal::Refused),
        })
    }

    /// A record and the time that the store decides by; this machine's if there is none.
    async fn read_with_time(&self, key: &Key) -> Result<(Timestamp, Option<SyncRecord>)> {
        let (records, id) = (self.records.clone(), value::key(key));
        let read = async move {
            let timed = records.find_one(doc! { "_id": id }).projection(with_time());
            timed.await
        };
        let answer = self.run(Effect::None, read).await;
        let answer = answer.map_err(|failed| failed.into_error(Effect::None))?;
        self.timed_record(answer.as_deref())
    }

    /// Takes apart an answer [with time](with_time); the time is this machine's if there is no
    /// record.
    pub(crate) fn timed_record(
        &self,
        answer: Option<&RawDocument>,
    ) -> Result<(Timestamp, Option<SyncRecord>)> {
        let explicit = self.clock.explicit_now();
        let Some(answer) = answer else {
            return Ok((explicit.unwrap_or_else(Timestamp::now), None));
        };
        let (now, document) = timed(answer)?;
        Ok((explicit.unwrap_or(now), Some(decode(document)?)))
    }

    pub(crate) fn now_of_call(&self) -> Now {
        Now(self.clock.explicit_now())
    }
}
