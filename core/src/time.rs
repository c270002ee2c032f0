//! Instants, spans, and the clock that a store decides by.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::Error;

/// An instant in UTC, in whole milliseconds, from year 1 to year 9999.
///
/// Finer instants are floored when one is made of them, so every store keeps the same value.
///
/// ```
/// use sync_tracker_core::Timestamp;
///
/// let instant = Timestamp::from_millis(-1)?;
/// assert_eq!(instant.to_string(), "1969-12-31T23:59:59.999Z");
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first instant of year 1.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// The last millisecond of year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Makes one from milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) outside of the years 1 to 9999.
    pub fn from_millis(millis: i64) -> Result<Self, Error> {
        if (Self::MIN.0..=Self::MAX.0).contains(&millis) {
            Ok(Self(millis))
        } else {
            let problem = format!("is {millis} ms from 1970");
            Err(Error::invalid("timestamp", problem, "years 1 to 9999"))
        }
    }

    /// This machine's time.
    #[must_use]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_millis().clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; negative before.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The same instant as a `chrono` type.
    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        // Every value within MIN..=MAX is within chrono's range.
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// The instant `span` later, or [`MAX`](Self::MAX) if that lies beyond it.
    #[must_use]
    pub fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add_unsigned(span.0).min(Self::MAX.0))
    }

    /// The instant `span` earlier, or [`MIN`](Self::MIN) if that lies before it.
    #[must_use]
    pub fn minus(self, span: Millis) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0).max(Self::MIN.0))
    }
}

impl TryFrom<DateTime<Utc>> for Timestamp {
    type Error = Error;

    fn try_from(instant: DateTime<Utc>) -> Result<Self, Error> {
        Self::from_millis(instant.timestamp_millis())
    }
}

/// RFC 3339 with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// As text: RFC 3339 with milliseconds.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = DateTime::parse_from_rfc3339(&text).map_err(de::Error::custom)?;
        Self::try_from(instant.to_utc()).map_err(de::Error::custom)
    }
}

/// A span of time in whole milliseconds, up to 3,650 days.
///
/// ```
/// use std::time::Duration;
/// use sync_tracker_core::Millis;
///
/// let span = Millis::try_from(Duration::from_secs(30))?;
/// assert_eq!(span.get(), 30_000);
/// assert!(Millis::try_from(Duration::MAX).is_err());
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(u64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span: 3,650 days.
    pub const MAX: Self = Self(3_650 * 24 * 60 * 60 * 1_000);

    /// Makes one from a number of milliseconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) above 3,650 days.
    pub fn new(millis: u64) -> Result<Self, Error> {
        if millis > Self::MAX.0 {
            return Err(Error::invalid("duration", format!("is {millis} ms"), "3,650 days"));
        }
        Ok(Self(millis))
    }

    /// A time to live of a lease: at least a millisecond.
    pub(crate) fn lease(ttl: Duration) -> Result<Self, Error> {
        let ttl = Self::try_from(ttl)?;
        if ttl == Self::ZERO {
            return Err(Error::invalid("lease", "runs less than 1 ms", "1 ms to 3,650 days"));
        }
        Ok(ttl)
    }

    /// The number of milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same span as a `Duration`.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Floors to whole milliseconds.
impl TryFrom<Duration> for Millis {
    type Error = Error;

    fn try_from(span: Duration) -> Result<Self, Error> {
        Self::new(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The clock that a store decides by: its server's own, or one that a test moves by hand.
///
/// Leases and retries run out by this clock, so the clocks of workers do not matter.
#[derive(Clone, Debug, Default)]
pub enum StoreClock {
    /// The server's clock, read in the statement that needs it. For a store without a server,
    /// this machine's.
    #[default]
    Server,
    /// A clock that stands still until it is moved.
    Manual(ManualClock),
}

impl StoreClock {
    /// The instant that replaces the server's own, if this clock is moved by hand.
    #[must_use]
    pub fn explicit_now(&self) -> Option<Timestamp> {
        match self {
            Self::Server => None,
            Self::Manual(clock) => Some(clock.now()),
        }
    }
}

/// A clock that stands still until it is moved. Clones share it.
///
/// It stays between 1970 and 2112, where fencing tokens in microseconds fit every server.
///
/// ```
/// use sync_tracker_core::{ManualClock, Millis, Timestamp};
///
/// let clock = ManualClock::new(Timestamp::from_millis(1_000)?)?;
/// let same = clock.clone();
/// clock.advance(Millis::new(5)?);
/// assert_eq!(same.now().as_millis(), 1_005);
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    const LAST_MILLIS: i64 = (1 << 52) / 1_000;

    /// A clock that shows `start`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) before 1970 or after 2112.
    pub fn new(start: Timestamp) -> Result<Self, Error> {
        let clock = Self(Arc::new(AtomicI64::new(0)));
        clock.set(start)?;
        Ok(clock)
    }

    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Makes the clock show `instant`; it may go back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) before 1970 or after 2112.
    pub fn set(&self, instant: Timestamp) -> Result<(), Error> {
        if !(0..=Self::LAST_MILLIS).contains(&instant.0) {
            let problem = format!("is {instant}");
            return Err(Error::invalid("manual clock", problem, "years 1970 to 2112"));
        }
        self.0.store(instant.0, Ordering::SeqCst);
        Ok(())
    }

    /// Moves the clock forward by `span`, at most to the end of its range.
    pub fn advance(&self, span: Millis) {
        let moved = self.now().plus(span).0.min(Self::LAST_MILLIS);
        self.0.store(moved, Ordering::SeqCst);
    }
}
