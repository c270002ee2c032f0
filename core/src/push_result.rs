//! What the caller's code says of a push: to a worker, or to a batch.

use std::time::Duration;

use serde_json::Value;

use crate::change::MetadataOp;
use crate::error::{Error, Result};
use crate::failure::FailureNote;
use crate::key::ExternalId;
use crate::metadata::{Metadata, MetadataMerge};
use crate::remote::{Fingerprint, RemoteVersion};
use crate::rules::Success;

/// What is said of a push.
pub type PushResult = std::result::Result<Done, Failed>;

/// A push that worked, and what it tells. What is not said is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "the ledger has to be told"]
pub struct Done(pub(crate) Success);

impl Done {
    /// It worked, and there is nothing else to tell.
    pub fn new() -> Self {
        Self::default()
    }

    /// The id of the object in the source.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it is none. In a push, `?` makes a permanent
    /// failure of it.
    pub fn external_id(mut self, id: impl TryInto<ExternalId, Error: Into<Error>>) -> Result<Self> {
        self.0.external_id = Some(id.try_into().map_err(Into::into)?);
        Ok(self)
    }

    /// The version of the object after the push.
    pub fn remote_version(mut self, version: RemoteVersion) -> Self {
        self.0.remote_version = Some(version);
        self
    }

    /// The content that was pushed.
    pub fn fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.0.fingerprint = Some(fingerprint);
        self
    }

    /// Sets the top-level keys of this JSON object in the metadata.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it is none, or breaks a limit.
    pub fn merge_metadata(mut self, set: Value) -> Result<Self> {
        let nothing: [&str; 0] = [];
        let merge = MetadataMerge::new(Metadata::new(set)?, nothing)?;
        self.0.metadata = MetadataOp::Merge(merge);
        Ok(self)
    }
}

impl From<Success> for Done {
    fn from(success: Success) -> Self {
        Self(success)
    }
}

/// A push that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the ledger has to be told"]
pub struct Failed {
    pub(crate) note: FailureNote,
    pub(crate) retry_after: Option<Duration>,
}

impl Failed {
    /// It may work later.
    pub fn transient(message: impl AsRef<str>) -> Self {
        FailureNote::transient(message).into()
    }

    /// The remote asks for patience. With a time to wait, the worker pauses the source for it.
    pub fn throttled(message: impl AsRef<str>) -> Self {
        FailureNote::throttled(message).into()
    }

    /// It will not work as it is.
    pub fn permanent(message: impl AsRef<str>) -> Self {
        FailureNote::permanent(message).into()
    }

    /// The request was sent and its outcome is unknown: a timeout, a connection that broke.
    pub fn unknown(message: impl AsRef<str>) -> Self {
        FailureNote::unknown(message).into()
    }

    /// Adds a short code such as `429` or `timeout`.
    pub fn with_code(self, code: impl AsRef<str>) -> Self {
        Self { note: self.note.with_code(code), ..self }
    }

    /// The wait that the remote asked for.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl From<FailureNote> for Failed {
    fn from(note: FailureNote) -> Self {
        Self { note, retry_after: None }
    }
}

/// An error of this library, such as an external id that is too long: permanent, unless it is
/// retryable.
impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        if error.is_retryable() {
            Self::unknown(error.to_string())
        } else {
            Self::permanent(error.to_string())
        }
    }
}
