//! Answers of scripts, taken apart.

use redis::Value;
use sync_tracker_core::{Error, ErrorKind, Result, Timestamp};

use crate::error::{error, unexpected};

/// The values of a list.
pub(crate) fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(unexpected()),
    }
}

/// The values of a list that has so many.
pub(crate) fn exactly<const N: usize>(value: Value) -> Result<[Value; N]> {
    list(value)?.try_into().map_err(|_| unexpected())
}

/// Bytes, or nothing.
pub(crate) fn bytes(value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        _ => Err(unexpected()),
    }
}

pub(crate) fn present(value: Value) -> Result<Vec<u8>> {
    bytes(value)?.ok_or_else(unexpected)
}

pub(crate) fn text(value: Value) -> Result<String> {
    String::from_utf8(present(value)?).map_err(|_| not_text())
}

/// A name that is stored.
pub(crate) fn not_text() -> Error {
    error(ErrorKind::Corrupt, "a name is not text")
}

pub(crate) fn number(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(unexpected()),
    }
}

pub(crate) fn count(value: &Value) -> Result<u64> {
    u64::try_from(number(value)?).map_err(|_| unexpected())
}

pub(crate) fn instant(value: &Value) -> Result<Timestamp> {
    Timestamp::from_millis(number(value)?)
        .map_err(|cause| error(ErrorKind::Corrupt, "an instant is out of range").caused_by(cause))
}
