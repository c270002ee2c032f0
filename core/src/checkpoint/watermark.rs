//! Checkpoints that are an ordered maximum.

use crate::error::{Error, ErrorKind, Result};
use crate::json::JsonValue;
use crate::time::{Millis, Timestamp};

mod sealed {
    pub trait Sealed {}
    impl Sealed for i64 {}
    impl Sealed for crate::time::Timestamp {}
}

/// An ordered maximum that a remote counts or stamps by: an integer, or an instant of the remote.
pub trait Watermark: sealed::Sealed + Copy + Ord + Send {
    /// How far a run looks back behind the maximum.
    type Lookback: Send;

    /// The watermark to read from, so much before this one; at most to the end of the range.
    #[must_use]
    fn looking_back(self, lookback: Self::Lookback) -> Self;

    /// The value that is stored.
    ///
    /// # Errors
    ///
    /// None in practice: an integer and an instant are within the limits of a value.
    fn to_value(self) -> Result<JsonValue>;

    /// The watermark that a stored value is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it is none of this type.
    fn of_value(value: &JsonValue) -> Result<Self>;
}

impl Watermark for i64 {
    type Lookback = u64;

    fn looking_back(self, lookback: u64) -> Self {
        self.saturating_sub_unsigned(lookback)
    }

    fn to_value(self) -> Result<JsonValue> {
        JsonValue::of(&self)
    }

    fn of_value(value: &JsonValue) -> Result<Self> {
        value.as_value().as_i64().ok_or_else(|| other("an integer"))
    }
}

impl Watermark for Timestamp {
    type Lookback = Millis;

    fn looking_back(self, lookback: Millis) -> Self {
        self.minus(lookback)
    }

    fn to_value(self) -> Result<JsonValue> {
        JsonValue::of(&self)
    }

    fn of_value(value: &JsonValue) -> Result<Self> {
        value.to().map_err(|error| other("an instant").caused_by(error))
    }
}

fn other(wanted: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the checkpoint is not {wanted}"))
}
