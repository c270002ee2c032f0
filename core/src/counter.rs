//! Counters of a record, each a type of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::time::Timestamp;

/// The largest counter that every server can hold exactly: 2^53 - 1.
const MAX: u64 = (1 << 53) - 1;

macro_rules! counter {
    ($(#[$meta:meta])* $name:ident, field = $field:literal) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// The first value.
            pub const ZERO: Self = Self(0);
            /// The last value, 2^53 - 1.
            pub const MAX: Self = Self(MAX);

            /// Makes one from its number.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) above 2^53 - 1.
            pub fn new(number: u64) -> Result<Self, Error> {
                if number > MAX {
                    return Err(Error::invalid($field, format!("is {number}"), "0 to 2^53 - 1"));
                }
                Ok(Self(number))
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The value after this one. No store counts long enough to meet the end of the
            /// range: see [`SyncRecord::validate`](crate::SyncRecord::validate).
            #[must_use]
            pub(crate) fn next(self) -> Self {
                Self((self.0 + 1).min(MAX))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = Error;

            fn try_from(number: u64) -> Result<Self, Error> {
                Self::new(number)
            }
        }

        impl From<$name> for u64 {
            fn from(counter: $name) -> Self {
                counter.0
            }
        }
    };
}

counter! {
    /// Counts local changes of one record. The order of changes comes from it, never from a clock.
    Revision, field = "revision"
}

counter! {
    /// Counts the writes of one record or checkpoint: each that is applied makes it one larger.
    Version, field = "version"
}

counter! {
    /// Tells lives of one key apart: an id that is used again is a new incarnation.
    ///
    /// It is the larger of the old one plus one and the store's time at birth in milliseconds, so
    /// an id that was forgotten and is born again, in another millisecond, does not repeat an old
    /// incarnation.
    Incarnation, field = "incarnation"
}

counter! {
    /// The fencing token of a lease. Every grant has a higher one, and what a holder does
    /// counts only while its token is the record's.
    Token, field = "token"
}

counter! {
    /// Counts the resets of one checkpoint: each forces a full run.
    Generation, field = "generation"
}

impl Incarnation {
    /// The incarnation that begins now, after `self`.
    #[must_use]
    pub(crate) fn begin(self, now: Timestamp) -> Self {
        let born = u64::try_from(now.as_millis()).unwrap_or(0).min(MAX);
        Self(self.next().0.max(born))
    }
}

impl Token {
    /// The token granted now, after `self`: the store's time in microseconds if that is larger
    /// than the next number, so tokens grow even across a failover that lost writes.
    #[must_use]
    pub(crate) fn grant(self, now: Timestamp) -> Self {
        let micros = u64::try_from(now.as_millis()).unwrap_or(0).saturating_mul(1_000).min(MAX);
        Self(self.next().0.max(micros))
    }
}
