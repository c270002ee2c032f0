//! What a transaction knows of records, and is going to write: each statement is a trip to the
//! driver's thread, so many records share one.

use std::collections::{BTreeSet, HashMap};

use sqlx::{SqliteConnection, query};
use sync_tracker_core::{ExternalId, Key, Result, SyncRecord};

use crate::error::before_commit;
use crate::records;
use crate::row::{self, to_json};
use crate::statements;

/// A transaction that may write. Nobody else writes until its end, so what was read of a record is
/// true until it is written here. What is changed is in the database after [`flush`](Self::flush).
pub(crate) struct Session<'c> {
    on: &'c mut SqliteConnection,
    known: HashMap<Key, Option<SyncRecord>>,
    changed: BTreeSet<Key>,
}

impl<'c> Session<'c> {
    pub(crate) fn new(on: &'c mut SqliteConnection) -> Self {
        Self { on, known: HashMap::new(), changed: BTreeSet::new() }
    }

    /// The connection, for statements that look at records or write them: all is written by now.
    pub(crate) async fn flushed(&mut self) -> Result<&mut SqliteConnection> {
        self.flush().await?;
        Ok(self.on)
    }

    /// The connection, for statements on other tables than that of records.
    pub(crate) fn beside(&mut self) -> &mut SqliteConnection {
        self.on
    }

    /// Reads many records at once, which are asked for later.
    pub(crate) async fn preload(&mut self, keys: &[Key]) -> Result<()> {
        let mut unknown: Vec<Key> =
            keys.iter().filter(|key| !self.known.contains_key(*key)).cloned().collect();
        unknown.sort_unstable();
        unknown.dedup();
        let records = records::get_many(self.on, &unknown).await?;
        self.known.extend(unknown.into_iter().zip(records));
        Ok(())
    }

    /// The record of a key.
    pub(crate) async fn get(&mut self, key: &Key) -> Result<Option<SyncRecord>> {
        if let Some(known) = self.known.get(key) {
            return Ok(known.clone());
        }
        let record = records::get(self.on, key).await?;
        self.known.insert(key.clone(), record.clone());
        Ok(record)
    }

    /// Writes a record in place of the one before, and who carries its external ids.
    pub(crate) async fn store(
        &mut self,
        before: Option<&SyncRecord>,
        next: &SyncRecord,
    ) -> Result<()> {
        if before.is_none_or(|before| carried(before) != carried(next)) {
            if let Some(before) = before {
                self.write_external_ids(statements::RELEASE_EXTERNAL_IDS, before).await?;
            }
            self.write_external_ids(statements::KEEP_EXTERNAL_IDS, next).await?;
        }
        self.known.insert(next.key.clone(), Some(next.clone()));
        self.changed.insert(next.key.clone());
        Ok(())
    }

    /// Deletes a record.
    pub(crate) async fn delete(&mut self, record: &SyncRecord) -> Result<()> {
        self.write_external_ids(statements::RELEASE_EXTERNAL_IDS, record).await?;
        self.known.insert(record.key.clone(), None);
        self.changed.insert(record.key.clone());
        Ok(())
    }

    /// Writes what was changed, in the order of keys.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let Self { on, known, changed } = self;
        let mut stored = Vec::with_capacity(changed.len());
        for key in std::mem::take(changed) {
            match known.get(&key) {
                Some(Some(record)) => stored.push(record),
                _ => delete(on, &key).await?,
            }
        }
        let (many, rest) = stored.as_chunks::<{ statements::MANY }>();
        for records in many {
            write(on, &statements::STORE_MANY, records).await?;
        }
        for record in rest {
            write(on, statements::STORE_RECORD, std::slice::from_ref(record)).await?;
        }
        Ok(())
    }

    async fn write_external_ids(
        &mut self,
        statement: &'static str,
        record: &SyncRecord,
    ) -> Result<()> {
        let ids: Vec<_> = record.external_ids().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let Key { source, entity } = &record.key;
        let entity_id = entity.entity_id.as_str();
        let released = if record.holds_external_ids() { "" } else { entity_id };
        query(statement)
            .bind(source.as_str())
            .bind(entity.entity_type.as_str())
            .bind(entity_id)
            .bind(released)
            .bind(to_json(&ids)?)
            .execute(&mut *self.on)
            .await
            .map_err(before_commit)?;
        Ok(())
    }
}

/// What there is of a record in the table of external ids.
fn carried(record: &SyncRecord) -> (bool, Vec<&ExternalId>) {
    (record.holds_external_ids(), record.external_ids().collect())
}

async fn write(
    on: &mut SqliteConnection,
    statement: &'static str,
    records: &[&SyncRecord],
) -> Result<()> {
    let mut statement = query(statement);
    for record in records {
        statement = row::bind(statement, record)?;
    }
    statement.execute(on).await.map_err(before_commit)?;
    Ok(())
}

async fn delete(on: &mut SqliteConnection, Key { source, entity }: &Key) -> Result<()> {
    let statement = query(statements::DELETE_RECORD)
        .bind(source.as_str())
        .bind(entity.entity_type.as_str())
        .bind(entity.entity_id.as_str());
    statement.execute(on).await.map_err(before_commit)?;
    Ok(())
}
