//! What is done to records on one connection, within whatever transaction it is in.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};
use sync_tracker_core::{
    Applied, Change, EntityRef, EntityType, ExternalId, Guard, Imported, Key, Outcome, Refusal,
    Removal, Renamed, Result, Source, SyncRecord, Timestamp, first_found,
};

use crate::error::{before_commit, corrupt};
use crate::row::{self, COLUMNS, decoding, to_json};
use crate::session::Session;
use crate::statements;

/// The record of a key.
pub(crate) async fn get(on: &mut SqliteConnection, key: &Key) -> Result<Option<SyncRecord>> {
    let row = query(statements::GET)
        .bind(key.source.as_str())
        .bind(key.entity.entity_type.as_str())
        .bind(key.entity.entity_id.as_str())
        .fetch_optional(on)
        .await
        .map_err(before_commit)?;
    row.as_ref().map(row::record).transpose()
}

/// The records of many keys, in their order.
pub(crate) async fn get_many(
    on: &mut SqliteConnection,
    keys: &[Key],
) -> Result<Vec<Option<SyncRecord>>> {
    let parts: Vec<[&str; 3]> = keys
        .iter()
        .map(|Key { source, entity }| {
            [source.as_str(), entity.entity_type.as_str(), entity.entity_id.as_str()]
        })
        .collect();
    let rows = query(statements::GET_MANY).bind(to_json(&parts)?).fetch_all(on).await;
    let mut records = vec![None; keys.len()];
    for row in rows.map_err(before_commit)? {
        *place(&mut records, &row)? = Some(row::record(&row)?);
    }
    Ok(records)
}

/// What the position after the columns of a record points at.
fn place<'a, T>(items: &'a mut [T], row: &SqliteRow) -> Result<&'a mut T> {
    let at: i64 = row.try_get(COLUMNS).map_err(before_commit)?;
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    items.get_mut(at).ok_or_else(|| corrupt("a row of nothing that was asked for"))
}

/// The record that each of many external ids leads to, in their order.
pub(crate) async fn by_external_ids(
    on: &mut SqliteConnection,
    source: &Source,
    entity_type: &EntityType,
    ids: &[ExternalId],
) -> Result<Vec<Option<SyncRecord>>> {
    let rows = query(statements::CARRIERS)
        .bind(source.as_str())
        .bind(entity_type.as_str())
        .bind(texts(ids)?)
        .fetch_all(on)
        .await
        .map_err(before_commit)?;
    let mut carriers: Vec<Vec<SyncRecord>> = vec![Vec::new(); ids.len()];
    for row in rows {
        place(&mut carriers, &row)?.push(row::record(&row)?);
    }
    Ok(carriers.iter().map(|carriers| first_found(carriers).cloned()).collect())
}

fn texts<'a>(ids: impl IntoIterator<Item = &'a ExternalId>) -> Result<String> {
    to_json(&ids.into_iter().collect::<Vec<_>>())
}

/// Applies a change.
pub(crate) async fn apply(
    session: &mut Session<'_>,
    key: &Key,
    change: &Change,
    now: Timestamp,
) -> Result<Outcome> {
    let before = session.get(key).await?;
    apply_to(session, key, before.as_ref(), change, now).await
}

/// Applies a change to the record of the key, which was read in the same transaction.
pub(crate) async fn apply_to(
    session: &mut Session<'_>,
    key: &Key,
    before: Option<&SyncRecord>,
    change: &Change,
    now: Timestamp,
) -> Result<Outcome> {
    let outcome = settle(session, key, |holder| change.settle(key, before, now, holder)).await?;
    if let Outcome::Applied(Applied { record, replayed: false, .. }) = &outcome {
        session.store(before, record).await?;
    }
    Ok(outcome)
}

/// Applies many changes, in their order.
pub(crate) async fn apply_many(
    session: &mut Session<'_>,
    items: &[(Key, Change)],
    now: Timestamp,
) -> Result<Vec<Outcome>> {
    let keys: Vec<Key> = items.iter().map(|(key, _)| key.clone()).collect();
    session.preload(&keys).await?;
    let mut outcomes = Vec::with_capacity(items.len());
    for (key, change) in items {
        outcomes.push(apply(session, key, change, now).await?);
    }
    Ok(outcomes)
}

/// Takes a decision that asks who holds external ids: first to hear which ones, and if there are
/// any, again with the answers.
async fn settle<T>(
    session: &mut Session<'_>,
    key: &Key,
    decide: impl Fn(&mut dyn FnMut(&ExternalId) -> Option<EntityRef>) -> T,
) -> Result<T> {
    let mut asked = Vec::new();
    let decision = decide(&mut |id| {
        asked.push(id.clone());
        None
    });
    if asked.is_empty() {
        return Ok(decision);
    }
    let rows = query(statements::HOLDERS)
        .bind(key.source.as_str())
        .bind(key.entity.entity_type.as_str())
        .bind(texts(&asked)?)
        .fetch_all(session.beside())
        .await
        .map_err(before_commit)?;
    if rows.is_empty() {
        return Ok(decision);
    }
    let mut holders: HashMap<String, EntityRef> = HashMap::new();
    for row in rows {
        let id = row.try_get(0).map_err(before_commit)?;
        let entity_id: &str = row.try_get(1).map_err(before_commit)?;
        let entity_id = entity_id.try_into().map_err(decoding)?;
        let entity_type = key.entity.entity_type.clone();
        holders.insert(id, EntityRef { entity_type, entity_id });
    }
    Ok(decide(&mut |id| holders.get(id.as_str()).cloned()))
}

/// Stores a whole record.
pub(crate) async fn put(session: &mut Session<'_>, record: &SyncRecord) -> Result<Imported> {
    let before = session.get(&record.key).await?;
    let decide = |holder: &mut dyn FnMut(&ExternalId) -> Option<EntityRef>| {
        record.taken_external_id(before.as_ref(), holder)
    };
    if let Some(refusal) = settle(session, &record.key, decide).await? {
        return Ok(Imported::Refused(refusal));
    }
    session.store(before.as_ref(), record).await?;
    Ok(Imported::Stored)
}

/// Removes a record if the guard holds.
pub(crate) async fn remove(
    session: &mut Session<'_>,
    key: &Key,
    guard: &Guard,
    now: Timestamp,
) -> Result<Removal> {
    let Some(record) = session.get(key).await? else {
        return Ok(Removal::Absent);
    };
    if let Some(refusal) = guard.refusal(Some(&record), now) {
        return Ok(Removal::Refused(refusal));
    }
    session.delete(&record).await?;
    Ok(Removal::Removed)
}

/// Moves a record to another key.
pub(crate) async fn rename(
    session: &mut Session<'_>,
    from: &Key,
    to: &Key,
    now: Timestamp,
) -> Result<Renamed> {
    let Some(record) = session.get(from).await? else {
        return Ok(Renamed::Absent);
    };
    if from == to {
        return Ok(Renamed::Moved);
    }
    if let Some(refusal) = record.rename_refusal(now) {
        return Ok(Renamed::Refused(refusal));
    }
    if session.get(to).await?.is_some() {
        return Ok(Renamed::Refused(Refusal::AlreadyExists));
    }
    let moved = record.renamed(to);
    // Within the same source and type its ids are its own already.
    let same = to.source == from.source && to.entity.entity_type == from.entity.entity_type;
    let before = same.then_some(&record);
    let decide = |holder: &mut dyn FnMut(&ExternalId) -> Option<EntityRef>| {
        moved.taken_external_id(before, holder)
    };
    if let Some(refusal) = settle(session, to, decide).await? {
        return Ok(Renamed::Refused(refusal));
    }
    session.delete(&record).await?;
    session.store(None, &moved).await?;
    Ok(Renamed::Moved)
}
