//! Bugs on the way to the disk and back.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};
use sync_tracker_core::{ExternalId, Metadata, RemoteVersion, SyncRecord, Timestamp};

use crate::bug::Bug;

/// What comes back of a record.
pub(crate) fn stored(bug: Option<Bug>, mut record: SyncRecord) -> SyncRecord {
    let Some(bug) = bug else { return record };
    match bug {
        Bug::ArraysAsObjects => each_value(&mut record, &|value| {
            if value.as_array().is_some_and(Vec::is_empty) {
                *value = Value::Object(Map::new());
            }
        }),
        Bug::NullsDropped => each_value(&mut record, &|value| {
            if let Value::Object(map) = value {
                map.retain(|_, value| !value.is_null());
            }
        }),
        Bug::IntegersAsFloats => each_value(&mut record, &|value| {
            if let Some(integer) = value.as_i64() {
                *value = Value::Number(Number::from(through_float(integer)));
            }
        }),
        Bug::SequencesRounded => {
            let sides = [&mut record.remote_version, &mut record.remote_seen];
            for version in sides.into_iter().flatten() {
                if let RemoteVersion::Sequence(number) = version {
                    *number = through_float(*number);
                }
            }
        }
        Bug::InstantsInSeconds => {
            each_instant(&mut record, |millis| millis - millis.rem_euclid(1_000))
        }
        Bug::EarlyInstantsRoundedUp => {
            each_instant(
                &mut record,
                |millis| if millis < 0 { millis / 1_000 * 1_000 } else { millis },
            );
        }
        Bug::AttemptsInFewBits => record.attempts = record.attempts.min(i32::MAX.unsigned_abs()),
        Bug::AliasesSorted => record.aliases.sort(),
        Bug::EchoesAsSet => {
            let mut seen = BTreeSet::new();
            record.echoes.retain(|echo| seen.insert(echo.clone()));
        }
        Bug::IdsCut => {
            let ids = record.external_id.iter_mut().chain(&mut record.aliases);
            ids.for_each(|id| *id = ExternalId::new(cut(id.as_str(), 255)).expect("not empty"));
        }
        Bug::VersionsCut => {
            let sides = [&mut record.remote_version, &mut record.remote_seen];
            for version in sides.into_iter().flatten() {
                if let RemoteVersion::Opaque(text) = version {
                    *version = RemoteVersion::opaque(cut(text.as_str(), 255)).expect("not empty");
                }
            }
        }
        Bug::MessagesCut => record.failure.iter_mut().for_each(|failure| {
            failure.message = cut(&failure.message, 1_024).into();
        }),
        Bug::MetadataBounded => {
            let text = serde_json::to_string(&record.metadata).expect("JSON");
            if text.len() > Metadata::MAX_BYTES {
                record.metadata = Metadata::default();
            }
        }
        Bug::MessagesTrimmed => record.failure.iter_mut().for_each(|failure| {
            failure.message = failure.message.trim().into();
        }),
        Bug::CodesLost => record.failure.iter_mut().for_each(|failure| failure.code = None),
        _ => {}
    }
    record
}

/// At most the first `max` bytes of a text, whole characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rfind(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // that is the bug
fn through_float(integer: i64) -> i64 {
    integer as f64 as i64
}

fn each_instant(record: &mut SyncRecord, change: impl Fn(i64) -> i64) {
    let instants = [
        &mut record.pending_since,
        &mut record.updated_at,
        &mut record.deleted_at,
        &mut record.synced_at,
        &mut record.remote_deleted_at,
        &mut record.sighted_at,
        &mut record.retry_at,
    ];
    let lease = record.lease.iter_mut().map(|lease| &mut lease.until);
    let others = lease.chain([&mut record.created_at]);
    for instant in instants.into_iter().flatten().chain(others) {
        *instant = Timestamp::from_millis(change(instant.as_millis())).expect("within range");
    }
}

fn each_value(record: &mut SyncRecord, change: &impl Fn(&mut Value)) {
    let mut value = Value::Object(record.metadata.as_map().clone());
    visit(&mut value, change);
    record.metadata = Metadata::accumulated(value).expect("as valid as before");
}

fn visit(value: &mut Value, change: &impl Fn(&mut Value)) {
    change(value);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| visit(item, change)),
        _ => {}
    }
}
