//! What the driver reports, said by what a caller can do about it: the one place that knows.

use std::time::Duration;

use mongodb::bson::Document;
use mongodb::error::{
    Error as DriverError, ErrorKind as DriverKind, NO_WRITES_PERFORMED,
    TRANSIENT_TRANSACTION_ERROR, WriteFailure,
};
use sync_tracker_core::{Error, ErrorKind, Result};

/// How errors call this store.
pub(crate) const STORE: &str = "mongodb";

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

pub(crate) fn error(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, message).in_store(STORE)
}

/// The options of the connection are wrong, or what they name cannot be found.
pub(crate) fn options(cause: &DriverError) -> Error {
    match &*cause.kind {
        // Their text might quote the password.
        DriverKind::InvalidArgument { .. } | DriverKind::InvalidTlsConfig { .. } => {
            Error::invalid("URL", "is not of a MongoDB deployment", "mongodb://host/database")
                .in_store(STORE)
        }
        _ => sent(cause, Effect::None),
    }
}

/// A command was sent, or was to be.
pub(crate) fn sent(cause: &DriverError, effect: Effect) -> Error {
    let (kind, message) = of_kind(&cause.kind, effect);
    let done_nothing = kind == ErrorKind::Unknown && cause.contains_label(NO_WRITES_PERFORMED);
    let kind = if done_nothing { ErrorKind::Unavailable } else { kind };
    error(kind, message).caused_by(cause.clone())
}

fn of_kind(cause: &DriverKind, effect: Effect) -> (ErrorKind, &'static str) {
    match cause {
        DriverKind::Command(refused) => reported(refused.code, effect),
        DriverKind::Write(WriteFailure::WriteError(refused)) => reported(refused.code, effect),
        DriverKind::Write(_) => {
            (effect.without_answer(), "written, and not known to be on the majority of servers")
        }
        DriverKind::Io(_) => (effect.without_answer(), "the connection broke"),
        DriverKind::ServerSelection { .. }
        | DriverKind::ConnectionPoolCleared { .. }
        | DriverKind::DnsResolve { .. } => (ErrorKind::Unavailable, "there is no connection"),
        DriverKind::Authentication { .. } => {
            (ErrorKind::Unsupported, "the server refuses the user")
        }
        DriverKind::IncompatibleServer { .. } | DriverKind::SessionsNotSupported => {
            (ErrorKind::Unsupported, "the server is too old, or a standalone")
        }
        DriverKind::InvalidResponse { .. }
        | DriverKind::BsonDeserialization(_)
        | DriverKind::Bson(_) => (ErrorKind::Corrupt, "an answer does not decode"),
        _ => (ErrorKind::Internal, "the driver refuses a command"),
    }
}

/// NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary, and one of old.
const NO_PRIMARY: [i32; 4] = [10_107, 13_435, 13_436, 10_058];

/// Whether a server refuses a command because it is not the primary.
pub(crate) fn is_of_no_primary(cause: &DriverError) -> bool {
    matches!(&*cause.kind, DriverKind::Command(refused) if NO_PRIMARY.contains(&refused.code))
}

/// A write was perhaps sent twice, and the second server did nothing.
pub(crate) fn of_second_try(cause: &DriverError) -> Error {
    let message = "the server is not the primary, and one that was asked before may have been";
    error(ErrorKind::Unknown, message).caused_by(cause.clone())
}

/// By the code of the answer, whose text is for people.
fn reported(code: i32, effect: Effect) -> (ErrorKind, &'static str) {
    match code {
        code if NO_PRIMARY.contains(&code) => {
            (ErrorKind::Unavailable, "the server is not the primary")
        }
        // WriteConflict, LockTimeout, OutOfDiskSpace.
        112 | 24 | 14_031 => (ErrorKind::Unavailable, "the server takes no writes now"),
        // HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress, PrimarySteppedDown,
        // ExceededTimeLimit, MaxTimeMSExpired, SocketException, InterruptedAtShutdown,
        // InterruptedDueToReplStateChange.
        6 | 7 | 89 | 91 | 189 | 262 | 50 | 9_001 | 11_600 | 11_602 => {
            (effect.without_answer(), "the server was interrupted")
        }
        // Unauthorized, AuthenticationFailed.
        13 | 18 => (ErrorKind::Unsupported, "the user may not do this"),
        // IllegalOperation: a standalone numbers no writes.
        20 => (ErrorKind::Unsupported, "the server belongs to no replica set"),
        // BSONObjectTooLarge, and what updates say of it.
        10_334 | 17_419 | 17_420 => (ErrorKind::Invalid, "the record has grown too large"),
        _ => (ErrorKind::Internal, "the server refuses a command"),
    }
}

/// What a unique index says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duplicate {
    /// The key was made by another call at the same time.
    Key,
    /// Another record holds an external id.
    ExternalId,
}

const DUPLICATE_KEY: i32 = 11_000;

/// The index that refuses a write, if one does.
pub(crate) fn duplicate(cause: &DriverError) -> Option<Duplicate> {
    match &*cause.kind {
        DriverKind::Command(refused) if refused.code == DUPLICATE_KEY => {}
        _ => return None,
    }
    let answer: Document = cause.server_response()?.try_into().ok()?;
    let pattern = answer.get_document("keyPattern").ok()?;
    let is_of_ids = pattern.contains_key("known_ids");
    Some(if is_of_ids { Duplicate::ExternalId } else { Duplicate::Key })
}

/// A command in a transaction of the caller: nothing is done before its commit.
pub(crate) fn in_transaction(cause: &DriverError) -> Error {
    let (kind, message) = if is_transient(cause) {
        (ErrorKind::Unavailable, "the transaction is over: abort it, and begin anew")
    } else if is_duplicate(cause) {
        let message = "another transaction was first, and this one is over: begin anew";
        (ErrorKind::Unavailable, message)
    } else if knows_no_transactions(cause) {
        (ErrorKind::Unsupported, "the server is a standalone, which has no transactions")
    } else if matches!(&*cause.kind, DriverKind::InvalidArgument { .. }) {
        (ErrorKind::Invalid, "the session is not one of the store's client")
    } else {
        of_kind(&cause.kind, Effect::None)
    };
    error(kind, message).caused_by(cause.clone())
}

/// Whether a unique index refuses a write, whichever.
pub(crate) fn is_duplicate(cause: &DriverError) -> bool {
    match &*cause.kind {
        DriverKind::Command(refused) => refused.code == DUPLICATE_KEY,
        DriverKind::Write(WriteFailure::WriteError(refused)) => refused.code == DUPLICATE_KEY,
        _ => false,
    }
}

/// Whether a transaction was aborted, and may be begun anew.
pub(crate) fn is_transient(cause: &DriverError) -> bool {
    cause.contains_label(TRANSIENT_TRANSACTION_ERROR)
}

/// Whether the server is a standalone.
pub(crate) fn knows_no_transactions(cause: &DriverError) -> bool {
    match &*cause.kind {
        // IllegalOperation: a standalone numbers no transactions.
        DriverKind::Command(refused) => refused.code == 20,
        DriverKind::SessionsNotSupported => true,
        _ => false,
    }
}

/// Why an index cannot be made.
pub(crate) enum Rejected {
    /// Two documents have these values.
    Duplicate(Document),
    /// Another index is in the way.
    Conflict,
}

/// Why an index cannot be made, if it is for what is there already.
pub(crate) fn rejected(cause: &DriverError) -> Option<Rejected> {
    let DriverKind::Command(refused) = &*cause.kind else { return None };
    match refused.code {
        DUPLICATE_KEY => {
            let answer = cause.server_response().map(Document::try_from);
            let held =
                answer.and_then(|answer| answer.ok()?.get_document("keyValue").cloned().ok());
            Some(Rejected::Duplicate(held.unwrap_or_default()))
        }
        // IndexOptionsConflict, IndexKeySpecsConflict.
        85 | 86 => Some(Rejected::Conflict),
        _ => None,
    }
}

/// Whether the user may not do this, or not here.
pub(crate) fn is_forbidden(cause: &DriverError) -> bool {
    matches!(&*cause.kind, DriverKind::Command(refused) if refused.code == 13)
}

/// Whether a server answered that it does not carry out a command, or not to its end.
pub(crate) fn is_refusal(cause: &DriverError) -> bool {
    matches!(&*cause.kind, DriverKind::Command(_))
}

/// Why one statement of a command was not carried out, of which the others may be.
pub(crate) fn of_item(refused: &Document) -> Result<Error> {
    let code = refused.get_i32("code").map_err(|_| unexpected())?;
    Ok(match code {
        DUPLICATE_KEY => error(ErrorKind::Unavailable, "another record has the key or an id"),
        code => {
            let (kind, message) = reported(code, Effect::Write);
            error(kind, &format!("{message} (code {code})"))
        }
    })
}

/// A command was carried out, and is not known to be on enough servers.
pub(crate) fn unacknowledged() -> Error {
    error(ErrorKind::Unknown, "written, and not known to be on the majority of servers")
}

/// A command is no document.
pub(crate) fn unsendable(cause: mongodb::bson::error::Error) -> Error {
    error(ErrorKind::Invalid, "a change does not fit into a command").caused_by(cause)
}

/// The deadline has passed.
pub(crate) fn late(limit: Duration, effect: Effect) -> Error {
    error(effect.without_answer(), &format!("no answer within {limit:?}"))
}

/// All connections were busy until the deadline had passed, and nothing was sent.
pub(crate) fn no_turn(limit: Duration) -> Error {
    error(ErrorKind::Unavailable, &format!("no connection was free within {limit:?}"))
}

/// The task of a call is gone, and with it the runtime.
pub(crate) fn gone(effect: Effect) -> Error {
    error(effect.without_answer(), "the runtime was shut down")
}

/// Others were always faster.
pub(crate) fn contended() -> Error {
    error(ErrorKind::Unavailable, "other calls wrote the same records each time")
}

/// An answer is none of a command of ours.
pub(crate) fn unexpected() -> Error {
    error(ErrorKind::Internal, "an answer is not as the command gives it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_without_answer_is_unknown_and_a_read_is_unavailable() {
        for code in [189, 11_602, 50] {
            assert_eq!(reported(code, Effect::Write).0, ErrorKind::Unknown);
            assert_eq!(reported(code, Effect::None).0, ErrorKind::Unavailable);
        }
        assert_eq!(reported(10_107, Effect::Write).0, ErrorKind::Unavailable);
        assert_eq!(reported(1, Effect::Write).0, ErrorKind::Internal);
        let broken = DriverError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(sent(&broken, Effect::Write).kind(), ErrorKind::Unknown);
        assert_eq!(sent(&broken, Effect::None).kind(), ErrorKind::Unavailable);
    }
}
