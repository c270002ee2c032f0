//! Walking over records: filters, pages, cursors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ids::ClaimId;
use crate::key::{EntityType, Key, Source};
use crate::metadata::Metadata;
use crate::record::SyncRecord;
use crate::status::Status;
use crate::time::Timestamp;

/// Which records to list. The default lists all, but for those of
/// [reserved](EntityType::is_reserved) types.
///
/// Closed on purpose: a store takes it apart field by field, so that none is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this source.
    pub source: Option<Source>,
    /// Of entities of this type.
    pub entity_type: Option<EntityType>,
    /// In this status.
    pub status: Option<Status>,
    /// Due by the store's clock, or not. That a source is paused does not count here: its records
    /// are due all the same, and nobody gets them.
    pub due: Option<bool>,
    /// With a lease that was granted to this claim, run out or not.
    pub claim_id: Option<ClaimId>,
    /// With all of these top-level keys in the metadata, each with this value.
    pub metadata: Option<Metadata>,
}

impl Filter {
    /// Whether the record passes at `now`, the store's time.
    #[must_use]
    pub fn matches(&self, record: &SyncRecord, now: Timestamp) -> bool {
        let Self { source, entity_type, status, due, claim_id, metadata } = self;
        let own_type = &record.key.entity.entity_type;
        source.as_ref().is_none_or(|source| *source == record.key.source)
            && match entity_type {
                Some(of) => of == own_type,
                None => !own_type.is_reserved(),
            }
            && status.is_none_or(|status| status == record.status())
            && due.is_none_or(|due| due == record.is_due(now))
            && claim_id.as_ref().is_none_or(|claim| {
                record.lease.as_ref().is_some_and(|lease| lease.claim_id == *claim)
            })
            && metadata.as_ref().is_none_or(|metadata| record.metadata.contains(metadata))
    }
}

/// How many records a page has at most: 1 to 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageSize(usize);

impl PageSize {
    /// The largest page.
    pub const MAX: Self = Self(1_000);
    /// The smallest page.
    pub const ONE: Self = Self(1);

    /// Makes one from its number.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) unless it is 1 to 1,000.
    pub fn new(records: usize) -> Result<Self, Error> {
        if !(1..=Self::MAX.0).contains(&records) {
            return Err(Error::invalid("page size", format!("is {records}"), "1 to 1,000"));
        }
        Ok(Self(records))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

/// 100 records.
impl Default for PageSize {
    fn default() -> Self {
        Self(100)
    }
}

/// Some records, ordered by key, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records.
    pub records: Vec<SyncRecord>,
    /// Where the next page begins. `None` if no further record passed the filter.
    pub next: Option<Cursor>,
}

impl Page {
    /// Makes a page of the first `size` of `records`, which are in order.
    #[must_use]
    pub fn of(records: impl IntoIterator<Item = SyncRecord>, size: PageSize) -> Self {
        let mut records = records.into_iter();
        let page: Vec<_> = records.by_ref().take(size.get()).collect();
        let next = records.next().and_then(|_| page.last().map(|last| Cursor::after(&last.key)));
        Self { records: page, next }
    }
}

/// A position between two keys.
///
/// It rests on the key, which never changes, so a walk sees exactly once what does not change
/// while it runs, whatever else is written, even if the record before the cursor is removed.
///
/// As text it is opaque, and good for any client of the same ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor(Position);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Position {
    AfterKey(Key),
    AfterSource(Source),
}

impl Cursor {
    /// Between parts of the text form; no name holds a control character.
    const SEPARATOR: char = '\u{1f}';

    /// Right after a key.
    #[must_use]
    pub fn after(key: &Key) -> Self {
        Self(Position::AfterKey(key.clone()))
    }

    /// After every key of a source.
    #[must_use]
    pub fn after_source(source: &Source) -> Self {
        Self(Position::AfterSource(source.clone()))
    }

    /// The key that it stands after, unless it stands after a whole source.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match &self.0 {
            Position::AfterKey(key) => Some(key),
            Position::AfterSource(_) => None,
        }
    }

    /// The source of the position.
    #[must_use]
    pub fn source(&self) -> &Source {
        match &self.0 {
            Position::AfterKey(key) => &key.source,
            Position::AfterSource(source) => source,
        }
    }

    /// Whether `key` comes after it.
    #[must_use]
    pub fn precedes(&self, key: &Key) -> bool {
        match &self.0 {
            Position::AfterKey(after) => after < key,
            Position::AfterSource(source) => *source < key.source,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = Self::SEPARATOR;
        match &self.0 {
            Position::AfterSource(source) => source.fmt(f),
            Position::AfterKey(Key { source, entity }) => {
                write!(
                    f,
                    "{source}{separator}{}{separator}{}",
                    entity.entity_type, entity.entity_id
                )
            }
        }
    }
}

impl std::str::FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<_> = text.split(Self::SEPARATOR).collect();
        let position = match parts.as_slice() {
            [source] => Source::new(source).map(Position::AfterSource),
            [source, entity_type, entity_id] => {
                Key::new(*source, *entity_type, *entity_id).map(Position::AfterKey)
            }
            _ => Err(Error::invalid("cursor", "has the wrong number of parts", "1 or 3")),
        };
        position.map(Self).map_err(|error| {
            Error::invalid("cursor", "is none of this ledger", "as a page gave it").caused_by(error)
        })
    }
}

impl TryFrom<String> for Cursor {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}
