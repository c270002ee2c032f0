//! What is known of the remote side: its order stamps and its content.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::text::text_type;
use crate::time::Timestamp;

text_type! {
    /// A remote order stamp without an order, such as an entity tag: 1 to 512 bytes.
    OpaqueVersion, field = "remote version", max = 512
}

/// The remote's own order stamp of an object, as read from it.
///
/// Two versions of one kind are ordered, except opaque ones, which are only equal or not.
///
/// ```
/// use sync_tracker_core::{RemoteVersion, VersionOrder};
///
/// let three = RemoteVersion::Sequence(3);
/// assert_eq!(three.order(&RemoteVersion::Sequence(2)), VersionOrder::Newer);
/// let tag = RemoteVersion::opaque("\"a1\"")?;
/// assert_eq!(tag.order(&three), VersionOrder::Unordered);
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteVersion {
    /// A number that grows with every change. For stamps finer than a millisecond, such as
    /// microseconds since 1970, use this kind.
    Sequence(i64),
    /// An instant, in whole milliseconds.
    Timestamp(Timestamp),
    /// Text that tells only equal from different.
    Opaque(OpaqueVersion),
}

/// How one remote version stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersionOrder {
    /// It comes before the other.
    Older,
    /// It is the same.
    Equal,
    /// It comes after the other.
    Newer,
    /// There is no telling: other kinds, or opaque and different.
    Unordered,
}

impl RemoteVersion {
    /// An opaque version, from text of 1 to 512 bytes without control characters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) otherwise.
    pub fn opaque(text: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self::Opaque(OpaqueVersion::new(text)?))
    }

    /// How `self` stands to `other`.
    #[must_use]
    pub fn order(&self, other: &Self) -> VersionOrder {
        let ordering = match (self, other) {
            (Self::Sequence(a), Self::Sequence(b)) => a.cmp(b),
            (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(b),
            (Self::Opaque(a), Self::Opaque(b)) if a == b => Ordering::Equal,
            _ => return VersionOrder::Unordered,
        };
        match ordering {
            Ordering::Less => VersionOrder::Older,
            Ordering::Equal => VersionOrder::Equal,
            Ordering::Greater => VersionOrder::Newer,
        }
    }
}

impl fmt::Display for RemoteVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(number) => number.fmt(f),
            Self::Timestamp(instant) => instant.fmt(f),
            Self::Opaque(text) => text.fmt(f),
        }
    }
}

text_type! {
    /// A content hash with the tag of its algorithm: `sha256:9f86d0…`.
    ///
    /// `tag:hash`, 3 to 128 bytes, without control characters. Fingerprints with other tags are
    /// other fingerprints.
    ///
    /// ```
    /// # use sync_tracker_core::Fingerprint;
    /// assert!(Fingerprint::new("sha256:9f86d081").is_ok());
    /// assert!(Fingerprint::new("9f86d081").is_err());
    /// ```
    Fingerprint, field = "fingerprint", max = 128, check = tagged
}

impl Fingerprint {
    /// What comes before the first colon: it names the algorithm.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.as_str().split_once(':').map_or("", |(tag, _)| tag)
    }
}

fn tagged(field: &'static str, text: &str) -> Result<(), Error> {
    match text.split_once(':') {
        Some((tag, hash)) if !tag.is_empty() && !hash.is_empty() => Ok(()),
        _ => Err(Error::invalid(field, "has no algorithm tag", "tag:hash")),
    }
}
