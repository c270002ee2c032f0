//! The store.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Counts, Cursor, Discrepancy, Durability, EntityRef, EntityType,
    Error, ErrorKind, ExternalId, Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause,
    PauseReason, PauseRequest, Removal, Renamed, Result, Source, Statistics, StoreClock, Survival,
    SyncRecord, SyncStore, Timestamp,
};

use crate::apply::keyed;
use crate::connections::Connections;
use crate::error::{Effect, Failed, STORE};
use crate::row;
use crate::statements::Statements;
use crate::value;

/// A store in a PostgreSQL database, with an inbox and checkpoints besides the records. Clones
/// share its connections.
///
/// A change of one record is one statement, which is atomic by itself. A call that the server
/// gives up for another one (a deadlock, a serialization failure) is sent again, at most
/// three times.
///
/// Of a call that is dropped, the server carries out what it was sent. The connection is used again
/// once that is done.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pub(crate) connections: Connections,
    pub(crate) statements: Arc<Statements>,
    pub(crate) clock: StoreClock,
}

/// How often a call is made that the server gives up for another one.
pub(crate) const TRIES: u32 = 4;

impl PostgresStore {
    /// The explicit clock, or null for the server's.
    pub(crate) fn clock(&self) -> Option<i64> {
        self.clock.explicit_now().map(value::millis)
    }
}

/// Names what was asked in an error.
pub(crate) fn named(operation: &'static str) -> impl Fn(Failed) -> Error {
    move |failed| failed.error.in_operation(operation).in_store(STORE)
}

/// Reads one column of an answer that is no record.
pub(crate) fn column<'r, T>(row: &'r PgRow, at: usize) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(at).map_err(|cause| {
        let message = "a column of an answer does not decode";
        Error::new(ErrorKind::Corrupt, message).in_store(STORE).caused_by(cause)
    })
}

pub(crate) fn instant(millis: i64) -> Result<Timestamp> {
    Timestamp::from_millis(millis).map_err(|cause| {
        Error::new(ErrorKind::Corrupt, "an instant is out of range")
            .in_store(STORE)
            .caused_by(cause)
    })
}

/// Puts what was found at the places that the answer names, from 1.
fn placed(rows: &[PgRow], places: usize) -> Result<Vec<Option<SyncRecord>>> {
    let mut found = vec![None; places];
    for row in rows {
        let place = column::<i64>(row, 0)?.checked_sub(1);
        if let Some(place) = place.and_then(|place| usize::try_from(place).ok())
            && let Some(free) = found.get_mut(place)
        {
            *free = Some(row::record(row, 1)?);
        }
    }
    Ok(found)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SyncStore for PostgresStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let mut failure = None;
        for _ in 0..TRIES {
            match self.apply_once(key, change).await {
                Err(failed) if failed.again => failure = Some(failed),
                other => return other.map_err(|failed| named("apply")(failed).for_key(key)),
            }
        }
        Err(failure.map_or_else(crowded, Into::into).in_operation("apply").for_key(key))
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        let query = keyed(self.statements.get.query(), key);
        let rows = self.connections.fetch(query, Effect::None).await;
        let rows = rows.map_err(|failed| named("get")(failed).for_key(key))?;
        rows.first().map(|row| row::record(row, 0)).transpose()
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        let query = self.statements.by_external_id.query();
        let query = query.bind(source.as_str()).bind(entity_type.as_str()).bind(id.as_str());
        let rows = self.connections.fetch(query, Effect::None).await;
        let rows = rows.map_err(named("by external id"))?;
        rows.first().map(|row| row::record(row, 0)).transpose()
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        self.page(filter, after, size).await.map_err(named("list"))
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.import(record).await.map_err(|error| error.in_operation("put").for_key(&record.key))
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let mut failure = None;
        for _ in 0..TRIES {
            match self.remove_if(key, guard).await {
                Err(failed) if failed.again => failure = Some(failed),
                other => return other.map_err(|failed| named("remove")(failed).for_key(key)),
            }
        }
        Err(failure.map_or_else(crowded, Into::into).in_operation("remove").for_key(key))
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        self.move_record(from, to).await.map_err(|error| error.in_operation("rename").for_key(from))
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        self.apply_batch(items).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        let sources: Vec<_> = keys.iter().map(|key| key.source.as_str()).collect();
        let types: Vec<_> = keys.iter().map(|key| key.entity.entity_type.as_str()).collect();
        let ids: Vec<_> = keys.iter().map(|key| key.entity.entity_id.as_str()).collect();
        let query = self.statements.get_many.query().bind(sources).bind(types).bind(ids);
        let rows = self.connections.fetch(query, Effect::None).await.map_err(named("get many"))?;
        placed(&rows, keys.len())
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let texts: Vec<_> = ids.iter().map(ExternalId::as_str).collect();
        let query = self.statements.by_external_ids.query();
        let query = query.bind(source.as_str()).bind(entity_type.as_str()).bind(texts);
        let rows = self.connections.fetch(query, Effect::None).await;
        placed(&rows.map_err(named("by external id"))?, ids.len())
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        let mut failure = None;
        for _ in 0..TRIES {
            match self.claim_once(request).await {
                Err(failed) if failed.again => failure = Some(failed),
                other => return other.map_err(named("claim")),
            }
        }
        Err(failure.map_or_else(crowded, Into::into).in_operation("claim"))
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        let PauseRequest { span, reason } = request;
        let query = self.statements.pause.query();
        let query = query
            .bind(self.clock())
            .bind(source.as_str())
            .bind(span.map(|span| value::whole(span.get())))
            .bind(value::millis(Timestamp::MAX))
            .bind(reason.as_str());
        self.connections.fetch(query, Effect::Write).await.map(drop).map_err(named("pause"))
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        let query = self.statements.resume.query().bind(source.as_str());
        self.connections.fetch(query, Effect::Write).await.map(drop).map_err(named("resume"))
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        let query = self.statements.paused.query().bind(self.clock()).bind(source.as_str());
        let rows = self.connections.fetch(query, Effect::None).await.map_err(named("paused"))?;
        let Some(row) = rows.first() else { return Ok(None) };
        let until: Option<i64> = column(row, 1)?;
        Ok(Some(Pause {
            since: instant(column(row, 0)?)?,
            until: until.map(instant).transpose()?,
            reason: PauseReason::new(column::<&str>(row, 2)?),
        }))
    }

    async fn now(&self) -> Result<Timestamp> {
        if let Some(now) = self.clock.explicit_now() {
            return Ok(now);
        }
        let query = self.statements.now.query().bind(self.clock());
        let rows = self.connections.fetch(query, Effect::None).await.map_err(named("now"))?;
        instant(column(first(&rows)?, 0)?)
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        let query = self.statements.statistics.query().bind(self.clock()).bind(source.as_str());
        let rows = self.connections.fetch(query, Effect::None).await;
        statistics(&rows.map_err(named("statistics"))?)
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        let query = self.statements.sources.query();
        let rows = self.connections.fetch(query, Effect::None).await.map_err(named("sources"))?;
        rows.iter().map(|row| Source::new(column::<&str>(row, 0)?)).collect()
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        let EntityRef { entity_type, entity_id } = entity;
        let query = self.statements.records_of.query();
        let query = query.bind(entity_type.as_str()).bind(entity_id.as_str());
        let rows =
            self.connections.fetch(query, Effect::None).await.map_err(named("records of"))?;
        rows.iter().map(|row| row::record(row, 0)).collect()
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        let mut found = sync_tracker_core::verify(self).await?;
        found.extend(self.orphans().await?);
        Ok(found)
    }

    async fn durability(&self) -> Result<Durability> {
        let rows = self.connections.fetch(self.statements.durability.query(), Effect::None).await;
        let rows = rows.map_err(named("durability"))?;
        let row = first(&rows)?;
        let (sound, waits, copied) = (column(row, 0)?, column(row, 1)?, column(row, 2)?);
        let kept = |kept| if kept { Survival::Kept } else { Survival::MayBeLost };
        Ok(Durability {
            process_crash: kept(waits),
            power_loss: kept(sound && waits),
            failover: kept(copied),
        })
    }
}

impl PostgresStore {
    /// Ids that no record has, and records whose ids are not kept.
    async fn orphans(&self) -> Result<Vec<Discrepancy>> {
        let query = self.statements.orphans.query();
        let rows = self.connections.fetch(query, Effect::None).await.map_err(named("verify"))?;
        let discrepancy = |row: &PgRow| {
            let key: Result<Key> =
                Key::new(column::<&str>(row, 0)?, column::<&str>(row, 1)?, column::<&str>(row, 2)?);
            let id: &str = column(row, 3)?;
            let held = if column(row, 4)? { "held" } else { "remembered" };
            let problem = if column(row, 5)? {
                format!("external id {id} is {held} for it, and the record does not have it so")
            } else {
                format!("external id {id} is not {held} for it, as the record has it")
            };
            Ok(Discrepancy { key: Some(key?), problem })
        };
        rows.iter().map(discrepancy).collect()
    }
}

/// Others came between each time.
pub(crate) fn crowded() -> Error {
    Error::new(ErrorKind::Unavailable, "others kept writing the same record").in_store(STORE)
}

pub(crate) fn first(rows: &[PgRow]) -> Result<&PgRow> {
    rows.first()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "an answer has no row").in_store(STORE))
}

fn statistics(rows: &[PgRow]) -> Result<Statistics> {
    let mut counted = Vec::new();
    let mut statistics = None;
    for row in rows {
        match column::<Option<&str>>(row, 0)? {
            Some(entity_type) => {
                let count: i64 = column(row, 2)?;
                counted.push((
                    EntityType::new(entity_type)?,
                    value::read_status(column(row, 1)?)?,
                    u64::try_from(count).unwrap_or_default(),
                ));
            }
            None => {
                let due: i64 = column(row, 4)?;
                let at = |at| column::<Option<i64>>(row, at)?.map(instant).transpose();
                statistics = Some(Statistics {
                    now: instant(column(row, 3)?)?,
                    counts: Counts::default(),
                    due_now: u64::try_from(due).unwrap_or_default(),
                    next_due: at(5)?,
                    oldest_pending: at(6)?,
                });
            }
        }
    }
    let counts = counted.into_iter().collect();
    let statistics = statistics
        .ok_or_else(|| Error::new(ErrorKind::Internal, "an answer has no row").in_store(STORE))?;
    Ok(Statistics { counts, ..statistics })
}
