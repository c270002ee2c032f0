//! How a shop misbehaves, and how often it has.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// How often each fault happens. A request suffers one fault at most; they are looked for in the
/// order of the fields, and a request that meets one is not counted for those after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// Any request: 429 with `Retry-After`, and nothing is done.
    pub throttle: Rate,
    /// Any request: 500, and nothing is done.
    pub error: Rate,
    /// Creates and updates: 422, always for the same handles, and nothing is done. The rate is
    /// that of handles.
    pub invalid: Rate,
    /// Creates: done, but the connection is closed without an answer.
    pub lost_reply: Rate,
    /// Any request: done, but the answer comes late.
    pub slow: Rate,
    /// How long a throttled client is told to wait; sent in whole seconds, rounded up.
    pub retry_after: Duration,
    /// How late a late answer is.
    pub slow_by: Duration,
}

impl Faults {
    /// A shop that does everything it is asked at once.
    pub const NONE: Self = Self {
        throttle: Rate::NEVER,
        error: Rate::NEVER,
        invalid: Rate::NEVER,
        lost_reply: Rate::NEVER,
        slow: Rate::NEVER,
        retry_after: Duration::from_secs(1),
        slow_by: Duration::from_secs(1),
    };
}

impl Default for Faults {
    fn default() -> Self {
        Self::NONE
    }
}

/// A share of requests, from 0 to 0.9: even the worst shop does a tenth of what it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    millionths: u32,
}

/// A rate that is not a number from 0 to 0.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a rate from 0 to 0.9")]
pub struct BadRate;

impl Rate {
    /// None at all.
    pub const NEVER: Self = Self { millionths: 0 };

    /// The rate in millionths, which is how exactly it is kept.
    pub(super) fn millionths(self) -> u64 {
        self.millionths.into()
    }
}

impl TryFrom<f64> for Rate {
    type Error = BadRate;

    fn try_from(share: f64) -> Result<Self, BadRate> {
        if !(0.0..=0.9).contains(&share) {
            return Err(BadRate);
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 900,000
        let millionths = (share * 1e6).round() as u32;
        Ok(Self { millionths })
    }
}

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        text.parse::<f64>().map_err(|_| BadRate)?.try_into()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.millionths) / 1e6)
    }
}

/// How often each fault has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Requests answered with 429.
    pub throttled: u64,
    /// Requests answered with 500.
    pub errors: u64,
    /// Requests answered with 422 because of their handle.
    pub invalid: u64,
    /// Creates whose reply was thrown away.
    pub lost_replies: u64,
    /// Requests answered late.
    pub slow: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_from_0_to_0_9() {
        for (text, shown) in [("0", "0"), ("0.05", "0.05"), ("0.9", "0.9"), ("1e-6", "0.000001")] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), shown);
        }
        for text in ["", "-0.1", "0.91", "1", "NaN", "inf", "half"] {
            assert_eq!(text.parse::<Rate>(), Err(BadRate), "{text:?}");
        }
    }
}
