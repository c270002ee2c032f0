//! One change: to the server and back.

use redis::Value;
use sync_tracker_core::{
    Applied, Change, EntityId, EntityRef, ExternalId, Guard, Imported, Key, Outcome, Refusal,
    Refused, Removal, Result, Source, SyncRecord, Timestamp,
};

use crate::answer;
use crate::compose::{State, Target, removal};
use crate::error::{Effect, unexpected};
use crate::keys::{SourceKeys, field};
use crate::lua;
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
    fn read(key: &Key, [state, value]: [Value; 2]) -> Result<Self> {
        let state = State::of(answer::number(&state)?).ok_or_else(unexpected)?;
        let (record, taken) = match state {
            State::Taken => {
                let [record, id, by] = answer::exactly(value)?;
                let id = ExternalId::new(answer::text(id)?)?;
                (record, Some((id, EntityId::new(answer::text(by)?)?)))
            }
            _ => (value, None),
        };
        let record = answer::bytes(record)?.map(|bytes| row::decode(key, &bytes)).transpose()?;
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
    /// Sends changes of one shape to keys of one source. The answers are in their order; if all
    /// together are too large there are fewer, but one at least, and the others were left.
    pub(crate) async fn apply_to_source(
        &self,
        source: &Source,
        prepared: &Prepared,
        items: &[(&Key, &Change)],
    ) -> Result<Vec<Result<Outcome>>> {
        let (now, answers) = self.carry(source, prepared, items).await?;
        let outcomes = answers
            .into_iter()
            .zip(items)
            .map(|(answer, (key, change))| Answer::read(key, answer)?.outcome(key, change, now));
        Ok(outcomes.collect())
    }

    /// Calls a composed script, which answers the time and then of each key.
    async fn carry(
        &self,
        source: &Source,
        prepared: &Prepared,
        items: &[(&Key, &Change)],
    ) -> Result<(Timestamp, Vec<[Value; 2]>)> {
        let mut args = Vec::with_capacity(1 + items.len() * (2 + prepared.params.len()));
        args.push(self.clock());
        let (mut sent, mut bytes) = (0, 0);
        for (key, change) in items {
            if bytes > lua::MOST_BYTES {
                break;
            }
            let begin = args.len();
            args.push(field(&key.entity));
            args.push(change_id(change.id()).into());
            args.extend(prepared.params.iter().map(|param| param.of(change)));
            bytes += args.iter().skip(begin).map(Vec::len).sum::<usize>();
            sent += 1;
        }
        let keys = self.prefix.of(source).all();
        let call =
            Call { script: &prepared.script, keys: &keys, args: &args, effect: Effect::Write };
        let mut values = answer::list(self.server.call(call).await?)?.into_iter();
        let now = answer::instant(&values.next().ok_or_else(unexpected)?)?;
        let mut answers = Vec::with_capacity(sent);
        while let (Some(state), Some(value)) = (values.next(), values.next()) {
            answers.push([state, value]);
        }
        if (1..=sent).contains(&answers.len()) { Ok((now, answers)) } else { Err(unexpected()) }
    }

    async fn carry_one(
        &self,
        key: &Key,
        prepared: &Prepared,
        change: &Change,
    ) -> Result<(Timestamp, Answer)> {
        let (now, answers) = self.carry(&key.source, prepared, &[(key, change)]).await?;
        let answer = answers.into_iter().next().ok_or_else(unexpected)?;
        Ok((now, Answer::read(key, answer)?))
    }

    pub(crate) async fn apply_one(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let prepared = self.scripts.of(change, Target::Keys);
        if prepared.may_create {
            self.register(key).await?;
        }
        let (now, answer) = self.carry_one(key, &prepared, change).await?;
        answer.outcome(key, change, now)
    }

    pub(crate) async fn remove_if(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let change = removal(guard)?;
        let prepared = self.scripts.of(&change, Target::Removal);
        let (now, answer) = self.carry_one(key, &prepared, &change).await?;
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
        let entity_type = &key.entity.entity_type;
        let keys = self.keys_of(key).all();
        let args = [field(&key.entity), row::encode(record)];
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
