//! What the driver reports, said by what a caller can do about it: the one place that knows.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use redis::{RedisError, ServerErrorKind};
use sync_tracker_core::{Error, ErrorKind};

/// How errors call this store.
pub(crate) const STORE: &str = "redis";

/// What a command may have done, if there is no answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// It may be carried out.
    Write,
}

impl Effect {
    fn without_answer(self) -> ErrorKind {
        match self {
            Self::None => ErrorKind::Unavailable,
            Self::Write => ErrorKind::Unknown,
        }
    }
}

/// What the server says.
#[derive(Debug)]
struct Reported {
    code: String,
    detail: String,
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.detail)
    }
}

impl StdError for Reported {}

pub(crate) fn error(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, message).in_store(STORE)
}

fn with_cause(error: Error, cause: &RedisError) -> Error {
    match cause.code() {
        Some(code) => {
            let detail = cause.detail().unwrap_or_default().to_owned();
            error.caused_by(Reported { code: code.to_owned(), detail })
        }
        None => error.caused_by(cause.clone()),
    }
}

/// There is no connection, so nothing was sent.
pub(crate) fn connecting(cause: &RedisError) -> Error {
    let (kind, message) = match (cause.kind(), cause.code()) {
        (redis::ErrorKind::AuthenticationFailed, _)
        | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
            (ErrorKind::Unsupported, "the server refuses the user")
        }
        (redis::ErrorKind::InvalidClientConfig, _) => {
            (ErrorKind::Invalid, "the options of the connection do not fit")
        }
        _ => (ErrorKind::Unavailable, "there is no connection"),
    };
    with_cause(error(kind, message), cause)
}

/// A command was sent, or was to be.
pub(crate) fn sent(cause: &RedisError, effect: Effect) -> Error {
    let (kind, message) = match cause.code() {
        Some(code) => reported(code),
        None => match cause.kind() {
            redis::ErrorKind::UnexpectedReturnType => {
                (ErrorKind::Corrupt, "an answer does not decode")
            }
            redis::ErrorKind::Client | redis::ErrorKind::InvalidClientConfig => {
                (ErrorKind::Internal, "the driver refuses a command")
            }
            _ => (effect.without_answer(), "the connection broke"),
        },
    };
    with_cause(error(kind, message), cause)
}

/// By the code of the answer, whose text is for people. A script reads and decides before it
/// writes, so whatever refuses it refuses it whole.
fn reported(code: &str) -> (ErrorKind, &'static str) {
    match code {
        "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "ASK" | "NOSCRIPT" => {
            (ErrorKind::Unavailable, "the server is not ready")
        }
        "MOVED" => (ErrorKind::Unavailable, "another server of the cluster has the key"),
        "READONLY" => (ErrorKind::Unavailable, "the server is a replica"),
        "OOM" | "MISCONF" | "NOREPLICAS" => {
            (ErrorKind::Unavailable, "the server takes no writes now")
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" => (ErrorKind::Unsupported, "the user may not do this"),
        "CROSSSLOT" => (ErrorKind::Unsupported, "the server belongs to a cluster"),
        "WRONGTYPE" => (ErrorKind::Corrupt, "a key of the store is of another type"),
        "CORRUPT" => (ErrorKind::Corrupt, "what is stored does not decode"),
        _ => (ErrorKind::Internal, "the server refuses a command"),
    }
}

/// Whether the server does not know the script.
pub(crate) fn is_unknown_script(cause: &RedisError) -> bool {
    cause.kind() == redis::ErrorKind::Server(ServerErrorKind::NoScript)
}

/// The deadline has passed.
pub(crate) fn late(limit: Duration, effect: Effect) -> Error {
    error(effect.without_answer(), &format!("no answer within {limit:?}"))
}

/// An answer is none of a script of ours.
pub(crate) fn unexpected() -> Error {
    error(ErrorKind::Internal, "an answer is not as the script gives it")
}
