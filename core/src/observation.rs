//! What was seen of an object in the remote, and what it means.

use crate::counter::{Incarnation, Version};
use crate::key::ExternalId;
use crate::record::{ConflictKind, SyncRecord};
use crate::remote::{Fingerprint, RemoteVersion};

/// What was seen of one object in the remote: by an event, a page of a pull, or a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The id of the object.
    pub external_id: ExternalId,
    /// Its version, if the remote tells one. Deletions have versions too.
    pub version: Option<RemoteVersion>,
    /// What is there.
    pub state: RemoteState,
    /// How fresh it is.
    pub freshness: Freshness,
}

/// What is in the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteState {
    /// An object, with this content if it is known. Without content, news is only that it should be
    /// read.
    Present(Option<Fingerprint>),
    /// Nothing any more.
    Deleted,
}

/// How fresh an observation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It may be late, a duplicate, or out of order: only its version tells whether it is news.
    Event,
    /// It was read from the remote after the record was read in this state, so nothing that was
    /// observed before is newer. If the record was written since, it is refused, and has to be read
    /// again.
    ReadSince {
        /// The record's incarnation: another life of the key counts versions from the beginning.
        incarnation: Incarnation,
        /// The record's version.
        version: Version,
    },
}

impl Freshness {
    /// Of what was read from the remote after this record was read.
    #[must_use]
    pub fn read_since(record: &SyncRecord) -> Self {
        Self::ReadSince { incarnation: record.incarnation, version: record.version }
    }

    /// Whether it was read from the remote, and the record was written before it could be told.
    pub(crate) fn is_outdated_by(self, record: &SyncRecord) -> bool {
        self != Self::Event && self != Self::read_since(record)
    }
}

/// What an observation means for one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is news, and nothing was changed locally: take it over, then accept it.
    Newer,
    /// The object is gone, and nothing was changed locally: delete it, then accept that.
    Deleted,
    /// The object is there although it was deleted here: read it before you believe it. To take it
    /// over, accept it.
    Reappeared,
    /// Both sides agree: it is known already, or its content is.
    Same,
    /// It is older than what is known.
    Stale,
    /// It is our own push coming back.
    Echo,
    /// There is no telling: versions without order, or an equal version with other content. Read the
    /// object, and observe what was read.
    Unordered,
    /// Both sides changed, now or before: somebody has to resolve it.
    Conflict(ConflictKind),
    /// The external id leads to a record that has another one by now: the object was merged. Read
    /// that one.
    Merged,
    /// No record has the external id.
    Untracked,
}

impl Verdict {
    /// Whether the object has to be read before anything can be said.
    #[must_use]
    pub fn asks_to_read(self) -> bool {
        matches!(self, Self::Unordered | Self::Reappeared | Self::Merged)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Same | Self::Stale | Self::Echo)
    }
}

/// How an external id leads to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// It is the record's own.
    ExternalId,
    /// It was merged into the record's own, or superseded by it.
    Alias,
}

impl SyncRecord {
    /// How this external id leads here, if it does.
    #[must_use]
    pub fn via(&self, id: &ExternalId) -> Option<Via> {
        if self.external_id.as_ref() == Some(id) {
            Some(Via::ExternalId)
        } else {
            self.aliases.contains(id).then_some(Via::Alias)
        }
    }

    /// Whether something newer was seen in the remote, and not accepted: a push would overwrite it,
    /// unless it is made on condition of [`remote_version`](Self::remote_version).
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.remote_seen != self.remote_version
            || (self.remote_deleted_at.is_some() && !self.is_deleted())
    }

    /// Whether this content is what both sides last agreed on, and nothing is known to have changed
    /// in the remote since. A push of it can be skipped.
    #[must_use]
    pub fn is_unchanged(&self, content: &Fingerprint) -> bool {
        self.base.as_ref() == Some(content)
            && !self.has_news()
            && !self.is_deleted()
            && self.is_known()
    }
}
