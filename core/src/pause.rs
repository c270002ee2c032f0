//! Sources that are paused: nobody is granted their records.

use std::fmt;

use crate::change::{Arm, Change, FailureOp, Guard, HeldOp, Patch, RetryOp};
use crate::error::Result;
use crate::failure::{FailureClass, FailureNote, printable};
use crate::key::{EntityId, EntityRef, EntityType, Key, Source};
use crate::page::{Filter, PageSize};
use crate::record::SyncRecord;
use crate::store::SyncStore;
use crate::time::{Millis, Timestamp};

/// The entity type under which a store that keeps nothing but records keeps the pauses of its
/// sources. It is [reserved](EntityType::is_reserved).
const CONTROL_TYPE: &str = "sync-tracker/source";

/// A source that is to be paused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PauseRequest {
    /// For how long from now; without end if there is none.
    pub span: Option<Millis>,
    /// Why, for people.
    pub reason: PauseReason,
}

/// Why a source is paused, for people: at most 1 KiB, what is longer is cut.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PauseReason(Box<str>);

impl PauseReason {
    /// The longest reason that is kept, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Makes one from text. Control characters other than line feed and tab become U+FFFD.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(printable(text.as_ref(), Self::MAX_BYTES))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pause of a source, run out or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Until when; without end if there is none.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: PauseReason,
}

impl Pause {
    /// The pause that begins now.
    #[must_use]
    pub fn begin(request: &PauseRequest, now: Timestamp) -> Self {
        let PauseRequest { span, reason } = request;
        Self { since: now, until: span.map(|span| now.plus(span)), reason: reason.clone() }
    }

    /// Whether it lasts at `now`: until, and not at, its end.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The key of the record that stands for the pause of a source.
fn control_key(source: &Source) -> Result<Key> {
    let entity = EntityRef {
        entity_type: EntityType::new(CONTROL_TYPE)?,
        entity_id: EntityId::new("pause")?,
    };
    Ok(entity.in_source(source))
}

/// The pause that such a record stands for.
fn read(record: &SyncRecord) -> Option<Pause> {
    let failure = record.failure.as_ref()?;
    Some(Pause {
        since: failure.last_at,
        until: record.retry_at,
        reason: PauseReason::new(&failure.message),
    })
}

/// Pauses a source of a store that keeps nothing but records.
pub(crate) async fn pause<S: SyncStore + ?Sized>(
    store: &S,
    source: &Source,
    request: &PauseRequest,
) -> Result<()> {
    let note = FailureNote::new(FailureClass::Throttled, request.reason.as_str());
    // A record with a retry is not due before it, one that is held is never due.
    let (held, retry_at) = match request.span {
        Some(span) => (HeldOp::Clear, RetryOp::After(span)),
        None => (HeldOp::Dismissed, RetryOp::Clear),
    };
    let then = Patch { held, retry_at, failure: FailureOp::Note(note), ..Patch::default() };
    let change = Change::of([Arm { then, ..Arm::default() }]);
    store.apply(&control_key(source)?, &change).await.map(drop)
}

/// Resumes a source of a store that keeps nothing but records.
pub(crate) async fn resume<S: SyncStore + ?Sized>(store: &S, source: &Source) -> Result<()> {
    store.remove(&control_key(source)?, &Guard::default()).await.map(drop)
}

/// The pause of a source, if it lasts, in a store that keeps nothing but records.
pub(crate) async fn paused<S: SyncStore + ?Sized>(
    store: &S,
    source: &Source,
) -> Result<Option<Pause>> {
    let key = control_key(source)?;
    let filter = Filter {
        source: Some(key.source),
        entity_type: Some(key.entity.entity_type),
        due: Some(false),
        ..Filter::default()
    };
    let page = store.list(&filter, None, PageSize::ONE).await?;
    Ok(page.records.first().and_then(read))
}
