//! What breaks a limit is refused before any store sees it, and what just keeps it is not.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::time::Duration;

use chrono::{DateTime, Utc};
use sync_tracker_core::{
    ClaimId, ClaimRequest, EntityId, EntityType, Error, ErrorKind, ExternalId, Incarnation, Millis,
    PageSize, Revision, Source, Timestamp, Token, Version,
};

fn is_refused<T: std::fmt::Debug>(made: Result<T, Error>, field: &str) {
    let error = made.expect_err("it breaks the limit");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with(&format!("invalid: {field} ")), "{error}");
}

#[test]
fn names_are_held_to_their_limits() {
    let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').map(|c| format!("a{c}b"));
    let mut wrong: Vec<_> = controls.collect();
    wrong.extend([0, 513, 1_024, 8_192, 10 << 20].map(|bytes| "x".repeat(bytes)));
    wrong.push("é".repeat(256) + "x");
    for text in &wrong {
        is_refused(Source::new(text), "source");
        is_refused(EntityType::new(text), "entity type");
        is_refused(EntityId::new(text), "entity id");
        is_refused(ExternalId::new(text), "external id");
    }
    let long = "x".repeat(256);
    is_refused(Source::new(&long), "source");
    is_refused(EntityType::new(&long), "entity type");
    is_refused(EntityId::new(&long), "entity id");
    for text in ["0", " ", "\u{a0}", "\u{feff}", "\u{ffff}", "\u{10ffff}", &long[..255]] {
        assert_eq!(Source::new(text).unwrap().as_str(), text);
        assert_eq!(EntityType::new(text).unwrap().as_str(), text);
        assert_eq!(EntityId::new(text).unwrap().as_str(), text);
        assert_eq!(ExternalId::new(text).unwrap().as_str(), text);
    }
    assert!(ExternalId::new("é".repeat(256)).is_ok());
}

#[test]
fn instants_are_floored_and_held_to_their_range() {
    let made = |text: &str| {
        let instant = DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        Timestamp::try_from(instant)
    };
    for (text, kept) in [
        ("0001-01-01T00:00:00.0009Z", "0001-01-01T00:00:00.000Z"),
        ("1582-10-10T00:00:00Z", "1582-10-10T00:00:00.000Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999Z"),
        ("1999-12-31T23:59:59.123456789Z", "1999-12-31T23:59:59.123Z"),
        ("2000-01-01T14:00:00+14:00", "2000-01-01T00:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(made(text).unwrap().to_string(), kept);
    }
    is_refused(made("0001-01-01T00:00:00+14:00"), "timestamp");
    is_refused(made("9999-12-31T23:59:59-14:00"), "timestamp");
    for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        is_refused(Timestamp::try_from(instant), "timestamp");
    }
    assert_eq!(Timestamp::MAX.plus(Millis::MAX), Timestamp::MAX);
}

#[test]
fn spans_and_limits_are_held_to_their_ranges() {
    is_refused(Millis::new(Millis::MAX.get() + 1), "duration");
    is_refused(Millis::try_from(Duration::MAX), "duration");
    is_refused(PageSize::new(0), "page size");
    is_refused(PageSize::new(1_001), "page size");
    let claim = |limit, ttl, attempts| {
        ClaimRequest::new(Source::new("shop")?, ClaimId::random(), limit, ttl, attempts)
    };
    is_refused(claim(0, Millis::MAX, 1), "claim limit");
    is_refused(claim(1_001, Millis::MAX, 1), "claim limit");
    is_refused(claim(usize::MAX, Millis::MAX, 1), "claim limit");
    is_refused(claim(1, Millis::ZERO, 1), "lease");
    is_refused(claim(1, Millis::MAX, 0), "maximum attempts");
    assert!(claim(1_000, Millis::new(1).unwrap(), u32::MAX).is_ok());
}

#[test]
fn counters_are_held_to_their_range() {
    let last = (1_u64 << 53) - 1;
    for number in [last + 1, i64::MAX.unsigned_abs(), u64::MAX] {
        is_refused(Revision::new(number), "revision");
        is_refused(Version::new(number), "version");
        is_refused(Incarnation::new(number), "incarnation");
        is_refused(Token::new(number), "token");
    }
    for number in [0, 1, last] {
        assert_eq!(Revision::new(number).unwrap().get(), number);
    }
}
