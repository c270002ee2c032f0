//! Many entities pushed in one go, with progress.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Tracker;
use crate::change::{MetadataOp, Outcome};
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::failure::FailureNote;
use crate::key::{EntityRef, Source};
use crate::metadata::{Metadata, MetadataMerge};
use crate::push_result::{Done, Failed, PushResult};
use crate::rules::Success;

/// A batch: the caller's own list of entities, pushed one after the other by the caller's own code.
///
/// Each item is marked as synced or as failed on its own; a failure does not stop the batch. For
/// work that is shared by several workers, or that must survive a crash, claim instead.
///
/// ```
/// # use sync_tracker_core::{Done, EntityRef, Failed, Tracker};
/// # use sync_tracker_memory::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = Tracker::new(MemoryStore::new());
/// let users = [1, 2, 3].map(|id| EntityRef::new("user", id).unwrap());
/// let report = tracker
///     .batch("crm")
///     .id("import-7")
///     .note_in_metadata()
///     .on_progress(|progress| println!("{} of {}", progress.done, progress.total))
///     .run(users, async |user| match user.entity_id.as_str() {
///         "2" => Err(Failed::permanent("no e-mail address")),
///         id => Done::new().external_id(format!("crm-{id}")).map_err(Failed::from),
///     })
///     .await?;
/// assert_eq!((report.synced, report.failed), (2, 1));
/// # Ok(())
/// # }
/// ```
#[must_use = "a batch does nothing until it is run"]
pub struct Batch {
    tracker: Tracker,
    source: Result<Source>,
    id: String,
    note_in_metadata: bool,
    on_progress: Option<OnProgress>,
}

/// Who is told how far a batch is.
type OnProgress = Box<dyn FnMut(&BatchProgress) + Send>;

impl Tracker {
    /// Prepares a batch of pushes to the source.
    pub fn batch(&self, source: impl TryInto<Source, Error: Into<Error>>) -> Batch {
        Batch {
            tracker: self.clone(),
            source: source.try_into().map_err(Into::into),
            id: Uuid::from_u128(rand::random()).to_string(),
            note_in_metadata: false,
            on_progress: None,
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tracker, source, id, note_in_metadata, on_progress } = self;
        f.debug_struct("Batch")
            .field("tracker", tracker)
            .field("source", source)
            .field("id", id)
            .field("note_in_metadata", note_in_metadata)
            .field("on_progress", &on_progress.is_some())
            .finish()
    }
}

/// How far a batch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchProgress {
    /// The id of the batch.
    pub id: String,
    /// Items that are done.
    pub done: usize,
    /// Items in all.
    pub total: usize,
    /// Items that were synced.
    pub synced: usize,
    /// Items that failed, or whose report was refused.
    pub failed: usize,
}

/// What became of a batch.
#[derive(Debug)]
pub struct BatchReport {
    /// The id of the batch.
    pub id: String,
    /// Items that were synced.
    pub synced: usize,
    /// Items that failed, or whose report was refused.
    pub failed: usize,
    /// What became of each item, in their order.
    pub items: Vec<ItemReport>,
}

/// What became of one item of a batch.
#[derive(Debug)]
pub struct ItemReport {
    /// The entity; an error if it could not be named.
    pub entity: Result<Arc<EntityRef>>,
    /// How the push failed, if it did.
    pub failure: Option<FailureNote>,
    /// What the ledger made of the report; an error if it could not be told.
    pub outcome: Result<Outcome>,
}

impl ItemReport {
    /// Whether the item was pushed, and the ledger knows.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.failure.is_none() && self.outcome.as_ref().is_ok_and(Outcome::is_applied)
    }
}

impl Batch {
    /// Names the batch. By default it has a random id.
    pub fn id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// Notes `batch_id`, and `progress` from 0 to 1, in the metadata of each item that is synced,
    /// besides what the push says.
    pub fn note_in_metadata(self) -> Self {
        Self { note_in_metadata: true, ..self }
    }

    /// Is told after each item how far the batch is.
    pub fn on_progress(self, tell: impl FnMut(&BatchProgress) + Send + 'static) -> Self {
        Self { on_progress: Some(Box::new(tell)), ..self }
    }

    /// Pushes each entity by `push`, and reports what it says.
    ///
    /// Dropping the future ends the batch after the item at hand, which may be pushed and not
    /// reported.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) if the source is. Everything else is said per item.
    pub async fn run<E: IntoEntity, F>(
        self,
        items: impl IntoIterator<Item = E>,
        mut push: impl FnMut(Arc<EntityRef>) -> F,
    ) -> Result<BatchReport>
    where
        F: Future<Output = PushResult>,
    {
        let Self { tracker, source, id, note_in_metadata, mut on_progress } = self;
        let source = source?;
        let entities: Vec<_> = items.into_iter().map(IntoEntity::into_entity).collect();
        let total = entities.len();
        let mut progress = BatchProgress { id, done: 0, total, synced: 0, failed: 0 };
        let mut items = Vec::with_capacity(total);
        for entity in entities {
            progress.done += 1;
            let note = note_in_metadata.then(|| progress.note());
            let item = match entity.map(Arc::new) {
                Ok(entity) => {
                    let pushed = push(Arc::clone(&entity)).await;
                    report(&tracker, entity, &source, pushed, note).await
                }
                Err(error) => {
                    let outcome = Err(Error::new(error.kind(), "the item names no entity"));
                    ItemReport { entity: Err(error), failure: None, outcome }
                }
            };
            if item.is_synced() {
                progress.synced += 1;
            } else {
                progress.failed += 1;
            }
            items.push(item);
            if let Some(tell) = &mut on_progress {
                tell(&progress);
            }
        }
        let BatchProgress { id, synced, failed, .. } = progress;
        Ok(BatchReport { id, synced, failed, items })
    }
}

impl BatchProgress {
    /// What is noted of the item at hand.
    fn note(&self) -> Value {
        #[allow(clippy::cast_precision_loss)] // a share, for people
        let share = self.done as f64 / self.total as f64;
        json!({ "batch_id": self.id, "progress": share })
    }
}

async fn report(
    tracker: &Tracker,
    entity: Arc<EntityRef>,
    source: &Source,
    pushed: PushResult,
    note: Option<Value>,
) -> ItemReport {
    let (failure, outcome) = match pushed {
        Ok(Done(success)) => match with_note(success, note) {
            Ok(success) => (None, tracker.mark_synced(&*entity, source).success(success).await),
            Err(error) => (None, Err(error)),
        },
        Err(Failed { note, retry_after }) => {
            let mut report = tracker.mark_failed(&*entity, source, note.clone());
            if let Some(wait) = retry_after {
                report = report.retry_after(wait);
            }
            (Some(note), report.await)
        }
    };
    ItemReport { entity: Ok(entity), failure, outcome }
}

/// The success, with the note in its metadata.
fn with_note(success: Success, note: Option<Value>) -> Result<Success> {
    let Some(Value::Object(note)) = note else { return Ok(success) };
    let noted = |metadata: &Metadata| {
        let mut map = metadata.as_map().clone();
        map.extend(note.clone());
        Metadata::new(Value::Object(map))
    };
    let metadata = match success.metadata {
        MetadataOp::Replace(whole) => MetadataOp::Replace(noted(&whole)?),
        MetadataOp::Merge(merge) => {
            let removed = merge.remove().to_vec();
            MetadataOp::Merge(MetadataMerge::new(noted(merge.set())?, removed)?)
        }
        MetadataOp::Keep => {
            let nothing: [&str; 0] = [];
            MetadataOp::Merge(MetadataMerge::new(noted(&Metadata::default())?, nothing)?)
        }
    };
    Ok(Success { metadata, ..success })
}
