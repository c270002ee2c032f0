//! An inbox and checkpoints in a store that keeps nothing but records.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::change::{Arm, Change, Guard, HeldOp, MetadataOp, Outcome, Patch};
use crate::checkpoint::{
    Checkpoint, CheckpointEntry, CheckpointStore, PurgeHorizon, SaveCheckpoint, Saved, StreamName,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ChangeId;
use crate::inbox::{BeginInbox, Begun, DedupeKey, InboxEntry, InboxStore, Settled, Ticket};
use crate::json::JsonValue;
use crate::key::{EntityId, EntityRef, EntityType, Key, Source};
use crate::ledger::Removal;
use crate::metadata::Metadata;
use crate::page::{Filter, PageSize};
use crate::record::SyncRecord;
use crate::step::Step;
use crate::store::{SyncStore, all};
use crate::time::{Millis, Timestamp};

const INBOX_TYPE: &str = "sync-tracker/inbox";
const CHECKPOINT_TYPE: &str = "sync-tracker/checkpoint";
const HORIZON_TYPE: &str = "sync-tracker/horizon";

/// An [inbox](InboxStore) and [checkpoints](CheckpointStore) in any [`SyncStore`], for stores that
/// have none of their own.
///
/// Each entry is a record of a [reserved](EntityType::is_reserved) entity type, which is never due
/// and has the entry in its metadata. It is correct on every correct store: what an entry becomes
/// is decided here, and written by a change that demands the version that was read.
///
/// What it costs: a call that writes takes three round trips (the record, the store's time, the
/// change), two of them at once, and two more for each other call that wrote the same entry
/// meanwhile; after 64 of these it is [`Unavailable`](ErrorKind::Unavailable).
/// [`forget_expired`](InboxStore::forget_expired) reads every entry of the source.
///
/// What it lacks: a record is larger than an entry has to be, and renaming a source leaves its
/// entries behind.
///
/// ```
/// use sync_tracker_core::{Checkpoints, Inbox, OverRecords, Tracker};
/// # use sync_tracker_memory::MemoryStore as StoreOfYours;
///
/// let store = StoreOfYours::new();
/// let inbox = Inbox::new(OverRecords::new(store.clone()));
/// let checkpoints = Checkpoints::new(OverRecords::new(store.clone()));
/// let tracker = Tracker::new(store);
/// ```
#[derive(Clone, Debug)]
pub struct OverRecords<S>(S);

impl<S: SyncStore> OverRecords<S> {
    /// How often a call decides again after others wrote what it decided on.
    const TRIES: u32 = 64;

    /// An inbox and checkpoints in this store.
    pub fn new(store: S) -> Self {
        Self(store)
    }

    /// Takes a step, as often as others come between.
    async fn step<E: Serialize + DeserializeOwned, A>(
        &self,
        key: &Key,
        take: impl Fn(Option<&E>, Timestamp) -> Step<E, A> + Send,
    ) -> Result<A> {
        for _ in 0..Self::TRIES {
            let (record, now) = tokio::try_join!(self.0.get(key), self.0.now())?;
            let entry = record.as_ref().map(decode).transpose()?;
            let Step { answer, write } = take(entry.as_ref(), now);
            let Some(entry) = write else { return Ok(answer) };
            let then = Patch {
                held: HeldOp::Dismissed,
                metadata: MetadataOp::Replace(Metadata::of(&entry)?),
                ..Patch::default()
            };
            let change = Change::of([Arm { when: unchanged(record.as_ref()), then }]);
            match self.0.apply(key, &change).await? {
                Outcome::Applied(_) => return Ok(answer),
                Outcome::Refused(_) => {}
            }
        }
        let message = "others kept writing the same entry";
        Err(Error::new(ErrorKind::Unavailable, message).for_key(key))
    }

    async fn read<E: DeserializeOwned>(&self, key: &Key) -> Result<Option<E>> {
        self.0.get(key).await?.as_ref().map(decode).transpose()
    }
}

/// Demands that nobody wrote since. A key that was removed and used again has another incarnation,
/// since nothing is removed within its first millisecond.
fn unchanged(record: Option<&SyncRecord>) -> Guard {
    match record {
        None => Guard { exists: Some(false), ..Guard::default() },
        Some(SyncRecord { version, incarnation, .. }) => {
            Guard { version: Some(*version), incarnation: Some(*incarnation), ..Guard::default() }
        }
    }
}

fn decode<E: DeserializeOwned>(record: &SyncRecord) -> Result<E> {
    E::deserialize(Value::Object(record.metadata.as_map().clone())).map_err(|cause| {
        let message = "the record of an entry does not hold one";
        Error::new(ErrorKind::Corrupt, message).for_key(&record.key).caused_by(cause)
    })
}

fn key(source: &Source, entity_type: &str, id: &str) -> Result<Key> {
    let entity_type = EntityType::new(entity_type)?;
    Ok(EntityRef { entity_type, entity_id: EntityId::new(id)? }.in_source(source))
}

fn inbox_key(source: &Source, dedupe_key: &DedupeKey) -> Result<Key> {
    key(source, INBOX_TYPE, dedupe_key.as_str())
}

fn checkpoint_key(source: &Source, stream: &StreamName) -> Result<Key> {
    key(source, CHECKPOINT_TYPE, stream.as_str())
}

fn horizon_key(source: &Source) -> Result<Key> {
    key(source, HORIZON_TYPE, "purge")
}

fn of_type(source: &Source, entity_type: &str) -> Result<Filter> {
    let entity_type = Some(EntityType::new(entity_type)?);
    Ok(Filter { source: Some(source.clone()), entity_type, ..Filter::default() })
}

#[async_trait]
impl<S: SyncStore> InboxStore for OverRecords<S> {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        let key = inbox_key(request.source(), request.key())?;
        self.step(&key, |entry, now| InboxEntry::begin(entry, request, now)).await
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let key = inbox_key(&ticket.source, &ticket.key)?;
        let take = |entry: Option<&InboxEntry>, now| {
            InboxEntry::complete(entry, ticket, outcome, remember_for, now)
        };
        self.step(&key, take).await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        let key = inbox_key(&ticket.source, &ticket.key)?;
        self.step(&key, |entry, _| InboxEntry::abandon(entry, ticket)).await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        let filter = of_type(source, INBOX_TYPE)?;
        let now = self.0.now().await?;
        let (mut forgotten, mut after) = (0, None);
        loop {
            let page = self.0.list(&filter, after.as_ref(), PageSize::MAX).await?;
            for record in page.records {
                if decode::<InboxEntry>(&record)?.is_expired(grace, now) {
                    let removal = self.0.remove(&record.key, &unchanged(Some(&record))).await?;
                    forgotten += u64::from(removal == Removal::Removed);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(forgotten);
            }
        }
    }
}

#[async_trait]
impl<S: SyncStore> CheckpointStore for OverRecords<S> {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        let entry: Option<CheckpointEntry> = self.read(&checkpoint_key(source, stream)?).await?;
        Ok(entry.unwrap_or_default().checkpoint().clone())
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        let key = checkpoint_key(&request.source, &request.stream)?;
        self.step(&key, |entry, now| CheckpointEntry::save(entry, request, now)).await
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        let key = checkpoint_key(source, stream)?;
        self.step(&key, |entry, _| CheckpointEntry::reset(entry, id)).await
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        let records = all(&self.0, &of_type(source, CHECKPOINT_TYPE)?).await?;
        let checkpoints = records.iter().map(|record| {
            let stream = StreamName::new(record.key.entity.entity_id.as_str())?;
            Ok((stream, decode::<CheckpointEntry>(record)?.checkpoint().clone()))
        });
        checkpoints.collect()
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        let horizon: Option<PurgeHorizon> = self.read(&horizon_key(source)?).await?;
        Ok(horizon.map(PurgeHorizon::instant))
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        let key = horizon_key(source)?;
        self.step(&key, |horizon, _| PurgeHorizon::raise(horizon, to)).await
    }
}
