//! The one error type: what happened, said by what a caller can do about it.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;

use crate::key::Key;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value of the caller breaks a limit. Nothing was done; the same call fails again.
    Invalid,
    /// The store could not be reached or would not take the call. Nothing was done: call again.
    Unavailable,
    /// The call was sent and its outcome is unknown. Repeat it with the **same**
    /// [`Change`](crate::Change): a change that was applied is never applied again.
    Unknown,
    /// What the store holds does not decode to what was put there. Needs a person.
    Corrupt,
    /// The store, or the server behind it, cannot do this.
    Unsupported,
    /// A fault of this library or of the driver.
    Internal,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Unknown => "outcome unknown",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        })
    }
}

/// Why a call gave no answer.
///
/// A *refusal* (a lease that was lost, an external id that is taken) is an answer and not an
/// error: see [`Outcome`](crate::Outcome).
///
/// `Display` is one line. The driver's own error, if there is one, is the
/// [`source`](StdError::source).
///
/// ```
/// use sync_tracker_core::{ErrorKind, ExternalId};
///
/// let error = ExternalId::new("").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert!(!error.is_retryable());
/// assert_eq!(error.to_string(), "invalid: external id is empty (limit: 1 to 512 bytes)");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    store: Option<&'static str>,
    key: Option<Key>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` says what happened, in one line and without secrets.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            store: None,
            key: None,
            source: None,
        }))
    }

    /// A value that breaks a limit: which field, what is wrong with it, what the limit is.
    #[must_use]
    pub fn invalid(field: &str, problem: impl fmt::Display, limit: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Invalid, format!("{field} {problem} (limit: {limit})"))
    }

    /// Adds the operation that failed, unless it is known already.
    #[must_use]
    pub fn in_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Adds the kind of store that failed, unless it is known already.
    #[must_use]
    pub fn in_store(mut self, store: &'static str) -> Self {
        self.0.store.get_or_insert(store);
        self
    }

    /// Adds the key that the failed call was about, unless it is known already.
    #[must_use]
    pub fn for_key(mut self, key: &Key) -> Self {
        self.0.key.get_or_insert_with(|| key.clone());
        self
    }

    /// Adds the error that caused this one. It must not carry secrets.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, such as `apply`.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The kind of store that failed, such as `memory`.
    #[must_use]
    pub fn store(&self) -> Option<&'static str> {
        self.0.store
    }

    /// The key that the failed call was about.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.0.key.as_ref()
    }

    /// Whether the same call, with the same [`Change`](crate::Change), may succeed later.
    ///
    /// ```
    /// use sync_tracker_core::{Error, ErrorKind};
    ///
    /// assert!(Error::new(ErrorKind::Unknown, "reply lost").is_retryable());
    /// assert!(Error::new(ErrorKind::Unavailable, "not connected").is_retryable());
    /// assert!(!Error::new(ErrorKind::Corrupt, "no such status: 99").is_retryable());
    /// ```
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Unknown)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(f, "{}: {}", inner.kind, inner.message)?;
        match (inner.operation, inner.store) {
            (Some(operation), Some(store)) => write!(f, " [{operation} on {store}")?,
            (Some(operation), None) => write!(f, " [{operation}")?,
            (None, Some(store)) => write!(f, " [{store}")?,
            (None, None) => return Ok(()),
        }
        if let Some(key) = &inner.key {
            write!(f, ", {key}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, operation, store, key, source } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("message", message)
            .field("operation", operation)
            .field("store", store)
            .field("key", key)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
