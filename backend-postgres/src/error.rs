//! What the driver reports, said by what a caller can do about it: the one place that knows.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sync_tracker_core::{Error, ErrorKind};

/// How errors call this store.
pub(crate) const STORE: &str = "postgres";

/// What a statement may have done, if there is no answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, or nothing that outlives the caller's transaction.
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

/// What became of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits for the next statement.
    Sound,
    /// It still works on the last one.
    Busy,
    /// It is of no more use.
    Broken,
}

/// An error, and whether the same statement may succeed if it is sent again at once.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) again: bool,
    pub(crate) fate: Fate,
    /// Whether there is a row of that key already.
    pub(crate) is_duplicate: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, again: false, fate: Fate::Sound, is_duplicate: false }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// What the server says, without the detail, which may quote rows.
#[derive(Debug)]
struct Reported {
    code: Option<String>,
    message: String,
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl StdError for Reported {}

fn error(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, message).in_store(STORE)
}

/// There is no connection, so nothing was sent.
pub(crate) fn connecting(cause: sqlx::Error) -> Error {
    match &cause {
        sqlx::Error::Database(reported) => {
            let kind = match reported.code().as_deref() {
                // Wrong password, no such role or database: it takes a person.
                Some("28000" | "28P01" | "3D000" | "42501") => ErrorKind::Unsupported,
                _ => ErrorKind::Unavailable,
            };
            error(kind, "the server refuses the connection").caused_by(reported_by(&**reported))
        }
        sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => {
            error(ErrorKind::Invalid, "the options of the connection do not fit")
        }
        _ => error(ErrorKind::Unavailable, "there is no connection").caused_by(cause),
    }
}

/// A statement was sent.
pub(crate) fn sent(cause: sqlx::Error, effect: Effect) -> Failed {
    match &cause {
        sqlx::Error::Database(reported) => reported_error(&**reported, effect),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            error(ErrorKind::Unavailable, "no connection is free").caused_by(cause).into()
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => {
            let error = error(effect.without_answer(), "the connection broke").caused_by(cause);
            Failed { error, again: false, fate: Fate::Broken, is_duplicate: false }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            error(ErrorKind::Corrupt, "an answer does not decode").caused_by(cause).into()
        }
        _ => error(ErrorKind::Internal, "the driver failed").caused_by(cause).into(),
    }
}

fn reported_by(reported: &dyn DatabaseError) -> Reported {
    let code = reported.code().map(|code| code.into_owned());
    Reported { code, message: reported.message().to_owned() }
}

fn reported_error(reported: &dyn DatabaseError, effect: Effect) -> Failed {
    let code = reported.code().unwrap_or_default();
    let (kind, message) = match &*code {
        "40001" | "40P01" => (ErrorKind::Unavailable, "the server gave way to another call"),
        "40003" => (effect.without_answer(), "the server does not know the outcome"),
        "55P03" | "57014" => (ErrorKind::Unavailable, "it took the server too long"),
        "25006" => (ErrorKind::Unavailable, "the server is read-only"),
        // A failed transaction of the caller's: it is over.
        "25P02" => (ErrorKind::Unavailable, "the transaction failed before"),
        "57P03" => (ErrorKind::Unavailable, "the server is not ready"),
        "57P01" | "57P02" | "57P05" => (effect.without_answer(), "the server ends the connection"),
        "42501" => (ErrorKind::Unsupported, "the role may not do this"),
        "42P01" | "42883" | "3F000" | "42703" => {
            (ErrorKind::Unsupported, "the schema is not that of this store")
        }
        "XX001" | "XX002" => (ErrorKind::Corrupt, "the server found its data damaged"),
        other => match other.get(..2).unwrap_or_default() {
            "08" => (effect.without_answer(), "the connection broke"),
            "53" | "58" | "57" | "25" => (ErrorKind::Unavailable, "the server cannot do it now"),
            "22" | "54" => (ErrorKind::Invalid, "the server has no room for a value"),
            "0A" => (ErrorKind::Unsupported, "the server cannot do this"),
            _ => (ErrorKind::Internal, "the server refuses a statement"),
        },
    };
    let error = error(kind, message).caused_by(reported_by(reported));
    Failed {
        error,
        again: matches!(&*code, "40001" | "40P01"),
        fate: if ends_connection(&code) { Fate::Broken } else { Fate::Sound },
        is_duplicate: code == "23505",
    }
}

fn ends_connection(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P")
}

/// The deadline has passed.
pub(crate) fn late(limit: Duration, effect: Option<Effect>) -> Error {
    let kind = effect.map_or(ErrorKind::Unavailable, Effect::without_answer);
    error(kind, &format!("no answer within {limit:?}"))
}
