//! One change: to the server and back.

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sync_tracker_core::{
    Applied, Change, EntityId, EntityRef, ExternalId, Key, Outcome, Refused, Result, SyncRecord,
    Timestamp,
};

use crate::compose::{State, Target};
use crate::connections::Connections;
use crate::error::{Effect, Failed};
use crate::row;
use crate::store::{PostgresStore, TRIES, column, crowded, instant};
use crate::value::change_id;

/// Where a statement is sent.
pub(crate) enum Way<'c> {
    /// A connection of the store's.
    Ours(&'c Connections),
    /// One of the caller's, maybe in a transaction, without which nothing is done.
    Theirs(&'c mut PgConnection, &'c Connections),
}

impl Way<'_> {
    pub(crate) async fn fetch(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
        effect: Effect,
    ) -> Result<Vec<PgRow>, Failed> {
        match self {
            Self::Ours(connections) => connections.fetch(query, effect).await,
            Self::Theirs(connection, connections) => {
                let answer = connections.fetch_on(connection, query).await;
                // The transaction is over: what to do again is up to the caller.
                answer.map_err(|failed| Failed { again: false, ..failed })
            }
        }
    }
}

/// A row of the answer to a change.
pub(crate) struct Answer {
    pub(crate) state: State,
    pub(crate) place: i64,
    now: i64,
    pub(crate) record: SyncRecord,
}

impl Answer {
    pub(crate) fn read(row: &PgRow) -> Result<Self> {
        let state = State::of(column(row, 0)?).ok_or_else(|| crate::value::corrupt("state"))?;
        let (place, now) = (column(row, 1)?, column(row, 2)?);
        Ok(Self { state, place, now, record: row::record(row, 3)? })
    }

    /// The store's time at which it was decided.
    pub(crate) fn at(&self) -> Result<Timestamp> {
        instant(self.now)
    }
}

impl PostgresStore {
    pub(crate) async fn apply_once(&self, key: &Key, change: &Change) -> Result<Outcome, Failed> {
        self.apply_by(&mut Way::Ours(&self.connections), key, change, Effect::Write).await
    }

    pub(crate) async fn apply_by(
        &self,
        way: &mut Way<'_>,
        key: &Key,
        change: &Change,
        effect: Effect,
    ) -> Result<Outcome, Failed> {
        let prepared = self.statements.of(change, Target::One);
        for _ in 0..TRIES {
            let mut query = keyed(prepared.text.query(), key);
            query = query.bind(change_id(change.id())).bind(self.clock());
            for param in &prepared.params {
                query = param.of(change).bind(query);
            }
            let rows = way.fetch(query, effect).await?;
            match rows.first() {
                Some(row) => {
                    return self.outcome(way, key, change, Some(Answer::read(row)?)).await;
                }
                None if prepared.may_create => {}
                None => return self.outcome(way, key, change, None).await,
            }
        }
        Err(crowded().into())
    }

    /// What an answer means for the caller.
    pub(crate) async fn outcome(
        &self,
        way: &mut Way<'_>,
        key: &Key,
        change: &Change,
        answer: Option<Answer>,
    ) -> Result<Outcome, Failed> {
        let (record, now) = match answer {
            None => (None, Timestamp::now()),
            Some(Answer { state, record, now, .. }) => match state {
                State::Applied | State::Granted => {
                    let arm = Some(record.last_arm);
                    return Ok(Outcome::Applied(Applied { record, arm, replayed: false }));
                }
                State::Replayed => return Ok(Outcome::Applied(change.replayed(record))),
                State::NotMade => (None, instant(now)?),
                State::Refused => (Some(record), instant(now)?),
            },
        };
        // Of this record alone it may be right. Then an id was taken: by whom?
        let reason = match change.apply_to(key, record.as_ref(), now) {
            Outcome::Refused(refused) => refused.reason,
            Outcome::Applied(Applied { record: next, .. }) => {
                let taken = self.taken(way, record.as_ref(), &next).await?;
                taken.unwrap_or_else(|| change.explain(key, record.as_ref(), now))
            }
        };
        Ok(Outcome::Refused(Refused { reason, record }))
    }

    /// The refusal that an id which `next` would newly hold is held by another entity, if one is.
    pub(crate) async fn taken(
        &self,
        way: &mut Way<'_>,
        before: Option<&SyncRecord>,
        next: &SyncRecord,
    ) -> Result<Option<sync_tracker_core::Refusal>, Failed> {
        let Key { source, entity } = &next.key;
        let ids: Vec<_> = next.external_ids().map(ExternalId::as_str).collect();
        let query = self.statements.holders.query();
        let query = query.bind(source.as_str()).bind(entity.entity_type.as_str()).bind(ids);
        let rows = way.fetch(query, Effect::None).await?;
        let mut holders = Vec::new();
        for row in &rows {
            let entity_id = EntityId::new(column::<&str>(row, 1)?)?;
            holders.push((ExternalId::new(column::<&str>(row, 0)?)?, entity_id));
        }
        Ok(next.taken_external_id(before, |id| {
            let (_, entity_id) = holders.iter().find(|(held, _)| held == id)?;
            let entity_type = entity.entity_type.clone();
            Some(EntityRef { entity_type, entity_id: entity_id.clone() })
        }))
    }
}

/// Binds the three parts of a key.
pub(crate) fn keyed<'q>(
    query: Query<'q, Postgres, PgArguments>,
    key: &Key,
) -> Query<'q, Postgres, PgArguments> {
    let Key { source, entity: EntityRef { entity_type, entity_id } } = key;
    query.bind(source.as_str()).bind(entity_type.as_str()).bind(entity_id.as_str())
}
