//! Ids of calls, by which a repeat is told from a new one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::text;

/// Identifies one change: 64 random bits.
///
/// A repeat after a lost reply carries the same id and is not applied twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChangeId(u64);

impl ChangeId {
    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The id with these bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for ChangeId {
    type Err = Error;

    fn from_str(digits: &str) -> Result<Self, Error> {
        let lower = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if digits.len() == 16
            && digits.chars().all(lower)
            && let Ok(bits) = u64::from_str_radix(digits, 16)
        {
            return Ok(Self(bits));
        }
        Err(Error::invalid("change id", format!("is {digits:?}"), "16 hex digits"))
    }
}

impl fmt::Debug for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangeId({self})")
    }
}

/// Ids as text, for JSON: many readers of it know no integer of 64 bits.
pub(crate) mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::ChangeId;

    pub(crate) fn serialize<S: Serializer>(
        id: &Option<ChangeId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ChangeId>, D::Error> {
        let digits = Option::<String>::deserialize(deserializer)?;
        digits.map(|digits| digits.parse().map_err(de::Error::custom)).transpose()
    }
}

/// Identifies one claim: a label, which may name the worker, and 64 random bits.
///
/// Each claim has its own. A repeat after a lost reply carries the same one, and gets the leases
/// that the lost reply granted.
///
/// ```
/// use sync_tracker_core::ClaimId;
///
/// let claim = ClaimId::labelled("worker-7")?;
/// assert!(claim.to_string().starts_with("worker-7#"));
/// assert_eq!(claim, claim.to_string().parse()?);
/// assert_ne!(claim, ClaimId::labelled("worker-7")?);
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimId {
    label: Box<str>,
    change_id: ChangeId,
}

impl ClaimId {
    /// The longest label, in bytes.
    pub const MAX_LABEL_BYTES: usize = 128;

    /// A new id without a label.
    #[must_use]
    pub fn random() -> Self {
        Self { label: "".into(), change_id: ChangeId::random() }
    }

    /// A new id with a label, such as the name of the worker: 1 to 128 bytes without control
    /// characters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the label breaks a limit.
    pub fn labelled(label: impl AsRef<str>) -> Result<Self, Error> {
        let label = label.as_ref();
        text::check("claim label", label, Self::MAX_LABEL_BYTES)?;
        Ok(Self { label: label.into(), change_id: ChangeId::random() })
    }

    /// The id under which the claim changes each record. A claim that comes late a second time
    /// finds it there, and does not grant again what was finished since.
    #[must_use]
    pub fn change_id(&self) -> ChangeId {
        self.change_id
    }
}

/// `label#` and 16 hexadecimal digits.
impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.label, self.change_id)
    }
}

impl std::str::FromStr for ClaimId {
    type Err = Error;

    fn from_str(written: &str) -> Result<Self, Error> {
        let wrong = || Error::invalid("claim id", format!("is {written:?}"), "label#16 hex digits");
        let (label, digits) = written.rsplit_once('#').ok_or_else(wrong)?;
        let change_id = digits.parse().map_err(|_| wrong())?;
        if !label.is_empty() {
            text::check("claim label", label, Self::MAX_LABEL_BYTES)?;
        }
        Ok(Self { label: label.into(), change_id })
    }
}

impl TryFrom<String> for ClaimId {
    type Error = Error;

    fn try_from(written: String) -> Result<Self, Error> {
        written.parse()
    }
}

impl From<ClaimId> for String {
    fn from(claim: ClaimId) -> Self {
        claim.to_string()
    }
}
