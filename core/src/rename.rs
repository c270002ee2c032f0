//! Moving a record to another key.

use serde_json::json;

use crate::change::{Guard, Refusal};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::ledger::{Imported, Removal};
use crate::metadata::Metadata;
use crate::record::{Held, HeldKind, SyncRecord};
use crate::store::SyncStore;
use crate::time::Timestamp;

/// What became of a record that was to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused record was not moved"]
pub enum Renamed {
    /// It has the new key.
    Moved,
    /// There was none; perhaps an earlier call had moved it.
    Absent,
    /// It was not moved: another record has the new key, a worker holds it or a create of it is in
    /// doubt, or somebody else holds its external id there.
    Refused(Refusal),
}

impl SyncRecord {
    /// Why the record must not be moved to another key now, if so: its idempotency key contains its
    /// key, and somebody may be at the object.
    #[must_use]
    pub fn rename_refusal(&self, now: Timestamp) -> Option<Refusal> {
        let at_rest = Guard { leased: Some(false), in_doubt: Some(false), ..Guard::default() };
        at_rest.refusal(Some(self), now)
    }

    /// The record under another key.
    #[must_use]
    pub fn renamed(&self, to: &Key) -> Self {
        Self { key: to.clone(), version: self.version.next(), ..self.clone() }
    }
}

/// Where a record that is being moved waits, in the metadata of a record under the new key.
const STASH: &str = "sync-tracker/renaming";

/// Moves a record in a store that can only put and remove: what [`SyncStore::rename`] does by default,
/// for stores that have a better way on some servers only.
///
/// A crash at any point loses nothing, and a repeat completes it: first everything is stashed under
/// the new key, in a dismissed record that holds no external id; then the old record goes; then the
/// stash becomes the record.
///
/// If another entity takes an external id in between, the record waits in the stash until that
/// one lets go of it.
///
/// # Errors
///
/// Those of the store's other calls, and [`ErrorKind::Unavailable`] if the record kept changing.
pub async fn rename_by_stashing<S: SyncStore + ?Sized>(
    store: &S,
    from: &Key,
    to: &Key,
) -> Result<Renamed> {
    const TRIES: usize = 8;
    for _ in 0..TRIES {
        let stashed = match store.get(to).await? {
            Some(there) if from != to => Some(read(&there)?.filter(|record| record.key == *from)),
            _ => None,
        };
        let Some(record) = store.get(from).await? else {
            return match stashed.flatten() {
                Some(record) => settle(store, &record, to).await,
                None => Ok(Renamed::Absent),
            };
        };
        if from == to {
            return Ok(Renamed::Moved);
        }
        let now = store.now().await?;
        if let Some(refusal) = record.rename_refusal(now) {
            return Ok(Renamed::Refused(refusal));
        }
        if stashed == Some(None) {
            return Ok(Renamed::Refused(Refusal::AlreadyExists));
        }
        if let Some(refusal) = taken(store, &record, to).await? {
            return Ok(Renamed::Refused(refusal));
        }
        if let Imported::Refused(refusal) = store.put(&stash(&record, to, now)?).await? {
            return Ok(Renamed::Refused(refusal));
        }
        let unchanged = Guard::unwritten_since(&record);
        if let Removal::Removed | Removal::Absent = store.remove(from, &unchanged).await? {
            return settle(store, &record, to).await;
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "the record kept changing while it was moved")
        .in_operation("rename")
        .for_key(from))
}

/// The refusal if another entity holds an external id of the record where it is to go.
async fn taken<S: SyncStore + ?Sized>(
    store: &S,
    record: &SyncRecord,
    to: &Key,
) -> Result<Option<Refusal>> {
    let Key { source, entity } = to;
    for id in record.external_ids().filter(|_| record.holds_external_ids()) {
        let found = store.by_external_id(source, &entity.entity_type, id).await?;
        let other = found.filter(|found| found.holds_external_ids() && found.key != record.key);
        if let Some(by) = other.map(|other| other.key.entity) {
            return Ok(Some(Refusal::ExternalIdTaken { id: id.clone(), by: Some(by) }));
        }
    }
    Ok(None)
}

async fn settle<S: SyncStore + ?Sized>(
    store: &S,
    record: &SyncRecord,
    to: &Key,
) -> Result<Renamed> {
    Ok(match store.put(&record.renamed(to)).await? {
        Imported::Stored => Renamed::Moved,
        Imported::Refused(refusal) => Renamed::Refused(refusal),
    })
}

fn stash(record: &SyncRecord, to: &Key, now: Timestamp) -> Result<SyncRecord> {
    let corrupt = |error| Error::new(ErrorKind::Internal, "a record is not JSON").caused_by(error);
    // As text, since metadata within metadata could be nested too deep.
    let text = serde_json::to_string(record).map_err(corrupt)?;
    Ok(SyncRecord {
        external_id: None,
        aliases: Vec::new(),
        held: Some(Held { kind: HeldKind::Dismissed, since: now }),
        metadata: Metadata::accumulated(json!({ STASH: text }))?,
        ..record.renamed(to)
    })
}

fn read(there: &SyncRecord) -> Result<Option<SyncRecord>> {
    let Some(text) = there.metadata.get(STASH).and_then(|text| text.as_str()) else {
        return Ok(None);
    };
    let corrupt = |error| {
        Error::new(ErrorKind::Corrupt, "a record that was being moved does not decode")
            .for_key(&there.key)
            .caused_by(error)
    };
    serde_json::from_str(text).map(Some).map_err(corrupt)
}
