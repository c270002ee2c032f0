//! How core's types are written in documents.

use mongodb::bson::{Bson, DateTime, Document, RawArray, RawBsonRef, RawDocument, doc};
use sync_tracker_core::{
    ChangeId, ConflictKind, EntityRef, FailureClass, HeldKind, Key, Metadata, OpaqueVersion,
    RemoteVersion, Timestamp,
};

/// A counter, a span or a length: all are below 2^53.
pub(crate) fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// How many are asked for.
pub(crate) fn whole_u32(number: usize) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

pub(crate) fn date(instant: Timestamp) -> DateTime {
    DateTime::from_millis(instant.as_millis())
}

/// The same bits.
pub(crate) fn change_id(id: ChangeId) -> i64 {
    id.to_bits().cast_signed()
}

/// The `_id` of a record. Documents are ordered by their fields in turn, and text by its bytes, so
/// this is the order of keys.
pub(crate) fn key(key: &Key) -> Document {
    let Key { source, entity: EntityRef { entity_type, entity_id } } = key;
    doc! {
        "source": source.as_str(),
        "entity_type": entity_type.as_str(),
        "entity_id": entity_id.as_str(),
    }
}

pub(crate) fn conflict_kind(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::EditEdit => "edit_edit",
        ConflictKind::EditDelete => "edit_delete",
        ConflictKind::DeleteEdit => "delete_edit",
        ConflictKind::CreateCreate => "create_create",
        ConflictKind::IdCollision => "id_collision",
    }
}

pub(crate) fn read_conflict_kind(name: &str) -> Option<ConflictKind> {
    Some(match name {
        "edit_edit" => ConflictKind::EditEdit,
        "edit_delete" => ConflictKind::EditDelete,
        "delete_edit" => ConflictKind::DeleteEdit,
        "create_create" => ConflictKind::CreateCreate,
        "id_collision" => ConflictKind::IdCollision,
        _ => return None,
    })
}

pub(crate) fn held_kind(kind: HeldKind) -> &'static str {
    match kind {
        HeldKind::Dead => "dead",
        HeldKind::Dismissed => "dismissed",
    }
}

pub(crate) fn read_held_kind(name: &str) -> Option<HeldKind> {
    Some(match name {
        "dead" => HeldKind::Dead,
        "dismissed" => HeldKind::Dismissed,
        _ => return None,
    })
}

pub(crate) fn failure_class(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Throttled => "throttled",
        FailureClass::Permanent => "permanent",
        FailureClass::Unknown => "unknown",
    }
}

pub(crate) fn read_failure_class(name: &str) -> Option<FailureClass> {
    Some(match name {
        "transient" => FailureClass::Transient,
        "throttled" => FailureClass::Throttled,
        "permanent" => FailureClass::Permanent,
        "unknown" => FailureClass::Unknown,
        _ => return None,
    })
}

/// The kind of a remote version, and its value, which the server orders as versions of this kind
/// are ordered.
pub(crate) fn version_parts(version: &RemoteVersion) -> (&'static str, Bson) {
    match version {
        RemoteVersion::Sequence(number) => ("sequence", Bson::Int64(*number)),
        RemoteVersion::Timestamp(instant) => ("timestamp", date(*instant).into()),
        RemoteVersion::Opaque(text) => ("opaque", text.as_str().into()),
    }
}

pub(crate) fn remote_version(version: &RemoteVersion) -> Document {
    let (kind, value) = version_parts(version);
    doc! { "kind": kind, "value": value }
}

pub(crate) fn read_remote_version(version: &RawDocument) -> Option<RemoteVersion> {
    Some(match (version.get_str("kind").ok()?, version.get("value").ok()??) {
        ("sequence", RawBsonRef::Int64(number)) => RemoteVersion::Sequence(number),
        ("timestamp", RawBsonRef::DateTime(instant)) => {
            let instant = Timestamp::from_millis(instant.timestamp_millis()).ok()?;
            RemoteVersion::Timestamp(instant)
        }
        ("opaque", RawBsonRef::String(text)) => {
            RemoteVersion::Opaque(OpaqueVersion::new(text).ok()?)
        }
        _ => return None,
    })
}

/// One entry for each top-level key, its value as JSON text: no key of a document bears every name,
/// no document nests so deep, and no number of one is so exact.
pub(crate) fn metadata(metadata: &Metadata) -> Vec<Bson> {
    let entry = |(key, value): (&str, &serde_json::Value)| {
        Bson::Document(doc! { "key": key, "json": value.to_string() })
    };
    metadata.iter().map(entry).collect()
}

pub(crate) fn read_metadata(entries: &RawArray) -> Option<Metadata> {
    let mut map = serde_json::Map::new();
    for entry in entries {
        let entry = entry.ok()?.as_document()?;
        let value = serde_json::from_str(entry.get_str("json").ok()?).ok()?;
        map.insert(entry.get_str("key").ok()?.into(), value);
    }
    Metadata::accumulated(map.into()).ok()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{RawDocumentBuf, rawdoc};

    use super::*;

    #[test]
    fn remote_versions_come_back() {
        let versions = [
            RemoteVersion::Sequence(i64::MIN),
            RemoteVersion::Sequence(i64::MAX),
            RemoteVersion::Timestamp(Timestamp::MIN),
            RemoteVersion::Timestamp(Timestamp::MAX),
            RemoteVersion::opaque("$s1").unwrap(),
        ];
        for version in versions {
            let written = RawDocumentBuf::try_from(&remote_version(&version)).unwrap();
            assert_eq!(read_remote_version(&written), Some(version));
        }
        let wrong = rawdoc! { "kind": "sequence", "value": "1" };
        assert_eq!(read_remote_version(&wrong), None);
    }

    #[test]
    fn metadata_comes_back() {
        let json = serde_json::json!({ "": {}, "$a.b": [], "é": 1e300, "n": i64::MIN, "t": "$x" });
        let kept = Metadata::new(json).unwrap();
        let written = RawDocumentBuf::try_from(&doc! { "": metadata(&kept) }).unwrap();
        assert_eq!(read_metadata(written.get_array("").unwrap()), Some(kept));
        let wrong = rawdoc! { "": [null] };
        assert_eq!(read_metadata(wrong.get_array("").unwrap()), None);
    }
}
