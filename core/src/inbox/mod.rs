//! The inbox: each inbound message is handled once.

mod entry;
mod once;
mod store;

pub use self::entry::InboxEntry;
pub use self::once::{Handled, Inbox};
pub use self::store::InboxStore;

use serde::{Deserialize, Serialize};

use crate::counter::Token;
use crate::error::Result;
use crate::ids::ChangeId;
use crate::json::JsonValue;
use crate::key::Source;
use crate::text::text_type;
use crate::time::{Millis, Timestamp};

text_type! {
    /// What tells a message of a source from every other: the id of the *event*, not of its
    /// delivery, or a redelivery counts as another message.
    ///
    /// 1 to 255 bytes of UTF-8 without control characters, compared byte by byte.
    DedupeKey, field = "dedupe key", max = 255
}

/// A message that is about to be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginInbox {
    source: Source,
    key: DedupeKey,
    lease: Millis,
    id: ChangeId,
}

impl BeginInbox {
    /// Asks for the message `key` of `source`, leased for `lease`. `id` tells this call from
    /// others: a repeat after a lost reply carries the same one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the lease is no millisecond long.
    pub fn new(source: Source, key: DedupeKey, lease: Millis, id: ChangeId) -> Result<Self> {
        let lease = Millis::lease(lease.to_duration())?;
        Ok(Self { source, key, lease, id })
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The dedupe key.
    #[must_use]
    pub fn key(&self) -> &DedupeKey {
        &self.key
    }

    /// How long nobody else may begin the message.
    #[must_use]
    pub fn lease(&self) -> Millis {
        self.lease
    }

    /// The id of the call.
    #[must_use]
    pub fn id(&self) -> ChangeId {
        self.id
    }

    fn ticket(&self, token: Token) -> Ticket {
        Ticket { source: self.source.clone(), key: self.key.clone(), token }
    }
}

/// What became of a message that was to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "only a fresh message is to be handled"]
pub enum Begun {
    /// It is the caller's to handle: nobody did, or who began it gave it up or vanished.
    Fresh(Ticket),
    /// Somebody else is at it.
    InProgress {
        /// When others may begin it, unless it is completed or given up before.
        until: Timestamp,
    },
    /// It was handled, with this outcome.
    Done(JsonValue),
}

/// The right to complete or abandon one message. It counts until somebody else begins the message,
/// which nobody can before its lease has run out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The source.
    pub source: Source,
    /// The dedupe key.
    pub key: DedupeKey,
    /// The fencing token: every grant has a higher one.
    pub token: Token,
}

/// What became of a message that was to be completed or abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what was lost had no effect"]
pub enum Settled {
    /// It is completed, or abandoned, by this ticket.
    Done,
    /// The ticket does not count any more, and there was no effect: somebody else began the
    /// message since, it was settled the other way, or it is forgotten.
    Lost,
}
