//! One change: to the server and back.

use redis::Value;
use sync_tracker_core::{
    Applied, Change, EntityId, EntityRef, ExternalId, Guard, Imported, Key, Outcome, Refusal,
    Refused, Removal, Result, Source, SyncRecord, Timestamp,
};

use crate::answer;
use crate::compose::{State, Target, removal};
use crate::error::{Effect, unexpected};
use crate::keys::SourceKeys;
use crate::row;
use crate::scripts::Prepared;
use crate::server::Call;
use crate::store::RedisStore;
use crate::value::change_id;

/// What a script answers of one key.
pub(crate) struct Answer {
    state: State,
    record: Option<SyncRecord>,
    taken: Option<(ExternalId, EntityId)>,
}

impl Answer {
    fn read(key: &Key, value: Value) -> Result<Self> {
        let mut values = answer::list(value)?.into_iter();
        let mut next = || values.next().ok_or_else(unexpected);
        let state = State::of(answer::number(&next()?)?).ok_or_else(unexpected)?;
        let record = answer::bytes(next()?)?.map(|bytes| row::decode(key, &bytes)).transpose()?;
        let taken = match state {
            State::Taken => {
                let id = ExternalId::new(answer::text(next()?)?)?;
                Some((id, EntityId::new(answer::text(next()?)?)?))
            }
            _ => None,
        };
        Ok(Self { state, record, taken })
    }

    /// The refusal that an id is held by another entity, if one is.
    fn taken(&mut self, key: &Key) -> Option<Refusal> {
        let (id, entity_id) = self.taken.take()?;
        let entity_type = key.entity.entity_type.clone();
        Some(Refusal::ExternalIdTaken { id, by: Some(EntityRef { entity_type, entity_id }) })
    }

    fn outcome(mut self, key: &Key, change: &Change, now: Timestamp) -> Result<Outcome> {
        let taken = self.taken(key);
        let Self { state, record, .. } = self;
        Ok(match (state, record) {
            (State::Applied, Some(record)) => {
                let arm = Some(record.last_arm);
                Outcome::Applied(Applied { record, arm, replayed: false })
            }
            (State::Replayed, Some(record)) => Outcome::Applied(change.replayed(record)),
            (State::Refused | State::Taken, record) => {
                let reason = taken.unwrap_or_else(|| change.explain(key, record.as_ref(), now));
                Outcome::Refused(Refused { reason, record })
            }
            _ => return Err(unexpected()),
        })
    }
}

impl RedisStore {
    /// Adds what a script takes of one change of a key.
    pub(crate) fn add_args(
        args: &mut Vec<Vec<u8>>,
        prepared: &Prepared,
        entity: &EntityRef,
        change: &Change,
    ) {
        args.push(entity.entity_type.as_str().into());
        args.push(entity.entity_id.as_str().into());
        args.push(change_id(change.id()).into());
        args.extend(prepared.params.iter().map(|param| param.of(change)));
    }

    /// Sends changes of one shape to keys of one source. The answers are in their order.
    pub(crate) async fn apply_to_source(
        &self,
        source: &Source,
        prepared: &Prepared,
        items: &[&(Key, Change)],
    ) -> Result<Vec<Result<Outcome>>> {
        let mut args = vec![self.clock()];
        for (key, change) in items {
            Self::add_args(&mut args, prepared, &key.entity, change);
        }
        let (now, answers) = self.carry(source, prepared, &args).await?;
        if answers.len() != items.len() {
            return Err(unexpected());
        }
        let outcomes = answers
            .into_iter()
            .zip(items)
            .map(|(value, (key, change))| Answer::read(key, value)?.outcome(key, change, now));
        Ok(outcomes.collect())
    }

    /// Calls a composed script, which answers the time and then of each key.
    async fn carry(
        &self,
        source: &Source,
        prepared: &Prepared,
        args: &[Vec<u8>],
    ) -> Result<(Timestamp, Vec<Value>)> {
        let keys = self.prefix.of(source).all();
        let script = &prepared.script;
        let call = Call { script, keys: &keys, args, effect: Effect::Write };
        let mut answers = answer::list(self.server.call(call).await?)?;
        if answers.is_empty() {
            return Err(unexpected());
        }
        let now = answer::instant(&answers.remove(0))?;
        Ok((now, answers))
    }

    pub(crate) async fn apply_one(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let prepared = self.scripts.of(change, Target::Keys);
        if prepared.may_create {
            self.register(key).await?;
        }
        let mut args = vec![self.clock()];
        Self::add_args(&mut args, &prepared, &key.entity, change);
        let (now, answers) = self.carry(&key.source, &prepared, &args).await?;
        let value = answers.into_iter().next().ok_or_else(unexpected)?;
        Answer::read(key, value)?.outcome(key, change, now)
    }

    pub(crate) async fn remove_if(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let change = removal(guard)?;
        let prepared = self.scripts.of(&change, Target::Removal);
        let mut args = vec![self.clock()];
        Self::add_args(&mut args, &prepared, &key.entity, &change);
        let (now, answers) = self.carry(&key.source, &prepared, &args).await?;
        let value = answers.into_iter().next().ok_or_else(unexpected)?;
        let answer = Answer::read(key, value)?;
        Ok(match (answer.state, &answer.record) {
            (State::Applied, _) => Removal::Removed,
            (State::Absent, _) => Removal::Absent,
            (State::Refused, Some(record)) => {
                let reason = guard.refusal(Some(record), now);
                Removal::Refused(reason.ok_or_else(unexpected)?)
            }
            _ => return Err(unexpected()),
        })
    }

    pub(crate) async fn import(&self, record: &SyncRecord) -> Result<Imported> {
        record.validate()?;
        let key = &record.key;
        self.register(key).await?;
        let EntityRef { entity_type, entity_id } = &key.entity;
        let keys = self.keys_of(key).all();
        let args = [entity_type.as_str().into(), entity_id.as_str().into(), row::encode(record)];
        let script = &self.scripts.put;
        let call = Call { script, keys: &keys, args: &args, effect: Effect::Write };
        let [id, by] = answer::exactly(self.server.call(call).await?)?;
        let (Some(id), Some(by)) = (answer::bytes(id)?, answer::bytes(by)?) else {
            return Ok(Imported::Stored);
        };
        let text = |bytes| String::from_utf8(bytes).map_err(|_| answer::not_text());
        let by = EntityRef::new(entity_type.clone(), text(by)?)?;
        Ok(Imported::Refused(Refusal::ExternalIdTaken {
            id: ExternalId::new(text(id)?)?,
            by: Some(by),
        }))
    }

    pub(crate) fn keys_of(&self, key: &Key) -> SourceKeys {
        self.prefix.of(&key.source)
    }
}
