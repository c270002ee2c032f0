//! How core's types are written in records and arguments.

use sync_tracker_core::{
    ChangeId, ConflictKind, FailureClass, HeldKind, Metadata, OpaqueVersion, RemoteVersion, Status,
    Timestamp,
};

use crate::packed::{Item, Reader, Writer};

/// A counter or a span: all are below 2^53.
pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn change_id(id: ChangeId) -> [u8; 8] {
    id.to_bits().to_be_bytes()
}

pub(crate) fn conflict_kind(kind: ConflictKind) -> i64 {
    match kind {
        ConflictKind::EditEdit => 0,
        ConflictKind::EditDelete => 1,
        ConflictKind::DeleteEdit => 2,
        ConflictKind::CreateCreate => 3,
        ConflictKind::IdCollision => 4,
    }
}

pub(crate) fn read_conflict_kind(number: i64) -> Option<ConflictKind> {
    Some(match number {
        0 => ConflictKind::EditEdit,
        1 => ConflictKind::EditDelete,
        2 => ConflictKind::DeleteEdit,
        3 => ConflictKind::CreateCreate,
        4 => ConflictKind::IdCollision,
        _ => return None,
    })
}

pub(crate) fn held_kind(kind: HeldKind) -> i64 {
    match kind {
        HeldKind::Dead => 1,
        HeldKind::Dismissed => 2,
    }
}

pub(crate) fn read_held_kind(number: i64) -> Option<HeldKind> {
    Some(match number {
        1 => HeldKind::Dead,
        2 => HeldKind::Dismissed,
        _ => return None,
    })
}

pub(crate) fn failure_class(class: FailureClass) -> i64 {
    match class {
        FailureClass::Transient => 0,
        FailureClass::Throttled => 1,
        FailureClass::Permanent => 2,
        FailureClass::Unknown => 3,
    }
}

pub(crate) fn read_failure_class(number: i64) -> Option<FailureClass> {
    Some(match number {
        0 => FailureClass::Transient,
        1 => FailureClass::Throttled,
        2 => FailureClass::Permanent,
        3 => FailureClass::Unknown,
        _ => return None,
    })
}

/// The digit of a status, which is its place in the order of decision: scripts decide it so.
pub(crate) fn status(status: Status) -> u8 {
    match status {
        Status::Conflict => b'0',
        Status::DeadLetter => b'1',
        Status::Dismissed => b'2',
        Status::InProgress => b'3',
        Status::Failed => b'4',
        Status::Deleted => b'5',
        Status::Pending => b'6',
        Status::Synced => b'7',
    }
}

/// A letter for the kind, then what orders versions of that kind by its bytes: the distance from
/// -2^63 in eight of them, or the text itself.
pub(crate) fn remote_version(version: &RemoteVersion) -> Vec<u8> {
    match version {
        RemoteVersion::Sequence(number) => ordered(b's', *number),
        RemoteVersion::Timestamp(instant) => ordered(b't', instant.as_millis()),
        RemoteVersion::Opaque(text) => [b"o", text.as_str().as_bytes()].concat(),
    }
}

const LEAST_IS_ZERO: u64 = 1 << 63;

fn ordered(kind: u8, number: i64) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((number.cast_unsigned() ^ LEAST_IS_ZERO).to_be_bytes());
    bytes
}

pub(crate) fn read_remote_version(bytes: &[u8]) -> Option<RemoteVersion> {
    let (kind, rest) = bytes.split_first()?;
    let number = || {
        let bits = u64::from_be_bytes(rest.try_into().ok()?);
        Some((bits ^ LEAST_IS_ZERO).cast_signed())
    };
    Some(match kind {
        b's' => RemoteVersion::Sequence(number()?),
        b't' => RemoteVersion::Timestamp(Timestamp::from_millis(number()?).ok()?),
        b'o' => RemoteVersion::Opaque(OpaqueVersion::new(std::str::from_utf8(rest).ok()?).ok()?),
        _ => return None,
    })
}

/// A map of the top-level keys, each with its value as JSON text, which no script looks into. None
/// is no bytes.
pub(crate) fn metadata(metadata: &Metadata) -> Vec<u8> {
    if metadata.is_empty() {
        return Vec::new();
    }
    let mut writer = Writer::default();
    writer.map(metadata.as_map().len());
    for (key, value) in metadata.iter() {
        writer.bytes(key.as_bytes());
        writer.bytes(value.to_string().as_bytes());
    }
    writer.into_bytes()
}

pub(crate) fn read_metadata(bytes: &[u8]) -> Option<Metadata> {
    let mut map = serde_json::Map::new();
    let mut reader = Reader::new(bytes);
    let Item::Map(length) = reader.next()? else { return None };
    for _ in 0..length {
        let (Item::Bytes(key), Item::Bytes(value)) = (reader.next()?, reader.next()?) else {
            return None;
        };
        let key = std::str::from_utf8(key).ok()?;
        map.insert(key.into(), serde_json::from_slice(value).ok()?);
    }
    if !reader.is_at_end() {
        return None;
    }
    Metadata::accumulated(map.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_versions_of_one_kind_are_ordered_by_their_bytes_and_come_back() {
        let numbers = [i64::MIN, -10, -9, -1, 0, 1, 9, 10, i64::MAX];
        let written: Vec<_> =
            numbers.map(|number| remote_version(&RemoteVersion::Sequence(number))).into();
        assert!(written.is_sorted());
        for (number, written) in numbers.into_iter().zip(&written) {
            assert_eq!(read_remote_version(written), Some(RemoteVersion::Sequence(number)));
        }
        for instant in [Timestamp::MIN, Timestamp::MAX] {
            let version = RemoteVersion::Timestamp(instant);
            assert_eq!(read_remote_version(&remote_version(&version)), Some(version));
        }
        let tag = RemoteVersion::opaque("s1").unwrap();
        assert_eq!(read_remote_version(&remote_version(&tag)), Some(tag));
    }

    #[test]
    fn every_status_has_its_digit() {
        for (place, of) in (b'0'..).zip(Status::ALL) {
            assert_eq!(status(of), place);
        }
    }

    #[test]
    fn metadata_comes_back() {
        let json = serde_json::json!({ "": {}, "a": [], "é": 1e300, "n": i64::MIN, "t": "\u{1f}" });
        let kept = Metadata::new(json).unwrap();
        assert_eq!(read_metadata(&metadata(&kept)), Some(kept));
        assert!(metadata(&Metadata::default()).is_empty());
    }
}
