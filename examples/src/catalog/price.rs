//! Prices as exact decimal text.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

/// A price without a currency: decimal digits, never a floating-point number.
///
/// It is kept in one form, so that equal amounts are equal texts: no leading zeros, at least two
/// digits after the point, and no more than needed beyond those. `7`, `07.0` and `7.00` are all
/// `7.00`; `0.125` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Price(String);

/// Not a plain decimal: digits, and perhaps a point with more digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a price such as 1234.50")]
pub struct BadPrice;

impl Price {
    /// The price as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Price {
    type Err = BadPrice;

    fn from_str(text: &str) -> Result<Self, BadPrice> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, digits(fraction)?),
            None => (text, ""),
        };
        let whole = match digits(whole)?.trim_start_matches('0') {
            "" => "0",
            significant => significant,
        };
        let fraction = fraction.trim_end_matches('0');
        Ok(Self(format!("{whole}.{fraction:0<2}")))
    }
}

fn digits(text: &str) -> Result<&str, BadPrice> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { Ok(text) } else { Err(BadPrice) }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_amounts_have_one_form() {
        for (written, kept) in [
            ("50", "50.00"),
            ("50.0", "50.00"),
            ("0050.00", "50.00"),
            ("19.9", "19.90"),
            ("1234.50", "1234.50"),
            ("0.125", "0.125"),
            ("0.12500", "0.125"),
            ("0", "0.00"),
            ("000.000", "0.00"),
        ] {
            assert_eq!(written.parse::<Price>().unwrap().as_str(), kept, "{written}");
        }
    }

    #[test]
    fn no_digit_is_lost_however_many_there_are() {
        let long = "123456789012345678901234567890.123456789012345678901234567891";
        assert_eq!(long.parse::<Price>().unwrap().to_string(), long);
    }

    #[test]
    fn anything_but_a_plain_decimal_is_refused() {
        for text in [
            "", ".", "5.", ".5", "-1", "+1", "1,234.50", "1234,50", "1.234.50", "$5", "5 EUR",
            "1e3", "NaN", "٣", "1 000", " 1",
        ] {
            assert_eq!(text.parse::<Price>(), Err(BadPrice), "{text:?}");
        }
    }
}
