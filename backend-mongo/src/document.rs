//! Records as documents.

use std::cell::Cell;

use mongodb::bson::{Document, RawArray, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use sync_tracker_core::{
    ChangeId, Conflict, EntityId, EntityRef, EntityType, Error, ErrorKind, ExternalId, Failure,
    Fingerprint, Held, Incarnation, Key, Lease, RemoteVersion, Result, Revision, Source,
    SyncRecord, Timestamp, Token, Version,
};

use crate::error::{STORE, unsendable};
use crate::value::{
    self, change_id, conflict_kind, date, failure_class, held_kind, read_conflict_kind,
    read_failure_class, read_held_kind, read_metadata, read_remote_version, remote_version, whole,
};

/// Writes a whole record, with what is derived of it.
pub(crate) fn encode(record: &SyncRecord) -> Result<RawDocumentBuf> {
    RawDocumentBuf::try_from(&fields(record)).map_err(unsendable)
}

fn fields(record: &SyncRecord) -> Document {
    let SyncRecord {
        key,
        external_id,
        aliases,
        incarnation,
        revision,
        synced_revision,
        pending_since,
        created_at,
        updated_at,
        deleted_at,
        synced_at,
        remote_version: accepted,
        remote_seen,
        remote_deleted_at,
        sighted_at,
        base,
        echoes,
        attempts,
        in_doubt,
        held,
        failure,
        retry_at,
        token,
        lease,
        conflict,
        metadata,
        version,
        recent_changes,
        last_arm,
    } = record;
    let instant = |instant: &Option<Timestamp>| instant.map(date);
    let mut document = doc! {
        "_id": value::key(key),
        "external_id": external_id.as_ref().map(ExternalId::as_str),
        "aliases": aliases.iter().map(ExternalId::as_str).collect::<Vec<_>>(),
        "incarnation": whole(incarnation.get()),
        "revision": whole(revision.get()),
        "synced_revision": whole(synced_revision.get()),
        "pending_since": instant(pending_since),
        "created_at": date(*created_at),
        "updated_at": instant(updated_at),
        "deleted_at": instant(deleted_at),
        "synced_at": instant(synced_at),
        "remote_version": accepted.as_ref().map(remote_version),
        "remote_seen": remote_seen.as_ref().map(remote_version),
        "remote_deleted_at": instant(remote_deleted_at),
        "sighted_at": instant(sighted_at),
        "base": base.as_ref().map(Fingerprint::as_str),
        "echoes": echoes.iter().map(Fingerprint::as_str).collect::<Vec<_>>(),
        "attempts": i64::from(*attempts),
        "in_doubt": *in_doubt,
        "held": held.map(|Held { kind, since }| doc! {
            "kind": held_kind(kind), "since": date(since),
        }),
        "failure": failure.as_ref().map(|Failure { class, code, message, first_at, last_at }| doc! {
            "class": failure_class(*class),
            "code": code.as_deref(),
            "message": &**message,
            "first_at": date(*first_at),
            "last_at": date(*last_at),
        }),
        "retry_at": instant(retry_at),
        "token": whole(token.get()),
        "lease": lease.as_ref().map(|Lease { claim_id, until }| doc! {
            "claim_id": claim_id.to_string(), "until": date(*until),
        }),
        "conflict": conflict.map(|Conflict { kind, since }| doc! {
            "kind": conflict_kind(kind), "since": date(since),
        }),
        "metadata": value::metadata(metadata),
        "version": whole(version.get()),
        "recent_changes": recent_changes.iter().map(change_id).collect::<Vec<_>>(),
        "last_arm": i64::from(*last_arm),
        "status": record.status().as_str(),
        "due_at": instant(&record.due_at()),
    };
    let known: Vec<_> = record.external_ids().map(ExternalId::as_str).collect();
    if !known.is_empty() {
        document.insert("known_ids", known);
        document.insert("holds_ids", record.holds_external_ids());
    }
    document
}

/// Reads a record.
pub(crate) fn decode(document: &RawDocument) -> Result<SyncRecord> {
    Fields::of(document)
        .and_then(|fields| read(&fields))
        .map_err(|Malformed| Error::new(ErrorKind::Corrupt, "a record does not decode"))
        .map_err(|error| error.in_store(STORE))
}

/// A value that no field has.
struct Malformed;

impl From<Error> for Malformed {
    fn from(_: Error) -> Self {
        Self
    }
}

type Read<T> = Result<T, Malformed>;

fn read(from: &Fields<'_>) -> Read<SyncRecord> {
    let key = from.document("_id")?.ok_or(Malformed)?;
    let ids = from.list("recent_changes")?.into_iter().map(|id| match id {
        Ok(RawBsonRef::Int64(bits)) => Ok(ChangeId::from_bits(bits.cast_unsigned())),
        _ => Err(Malformed),
    });
    Ok(SyncRecord {
        key: Key {
            source: Source::new(key.text("source")?.ok_or(Malformed)?)?,
            entity: EntityRef {
                entity_type: EntityType::new(key.text("entity_type")?.ok_or(Malformed)?)?,
                entity_id: EntityId::new(key.text("entity_id")?.ok_or(Malformed)?)?,
            },
        },
        external_id: from.text("external_id")?.map(ExternalId::new).transpose()?,
        aliases: from.texts("aliases", |text| Ok(ExternalId::new(text)?))?,
        incarnation: Incarnation::new(from.counter("incarnation")?)?,
        revision: Revision::new(from.counter("revision")?)?,
        synced_revision: Revision::new(from.counter("synced_revision")?)?,
        pending_since: from.instant("pending_since")?,
        created_at: from.instant("created_at")?.ok_or(Malformed)?,
        updated_at: from.instant("updated_at")?,
        deleted_at: from.instant("deleted_at")?,
        synced_at: from.instant("synced_at")?,
        remote_version: from.version("remote_version")?,
        remote_seen: from.version("remote_seen")?,
        remote_deleted_at: from.instant("remote_deleted_at")?,
        sighted_at: from.instant("sighted_at")?,
        base: from.text("base")?.map(Fingerprint::new).transpose()?,
        echoes: from.texts("echoes", |text| Ok(Fingerprint::new(text)?))?,
        attempts: from.number("attempts")?.try_into().map_err(|_| Malformed)?,
        in_doubt: from.truth("in_doubt")?,
        held: match from.document("held")? {
            None => None,
            Some(held) => Some(Held {
                kind: held.text("kind")?.and_then(read_held_kind).ok_or(Malformed)?,
                since: held.instant("since")?.ok_or(Malformed)?,
            }),
        },
        failure: match from.document("failure")? {
            None => None,
            Some(failure) => Some(Failure {
                class: failure.text("class")?.and_then(read_failure_class).ok_or(Malformed)?,
                code: failure.text("code")?.map(Into::into),
                message: failure.text("message")?.ok_or(Malformed)?.into(),
                first_at: failure.instant("first_at")?.ok_or(Malformed)?,
                last_at: failure.instant("last_at")?.ok_or(Malformed)?,
            }),
        },
        retry_at: from.instant("retry_at")?,
        token: Token::new(from.counter("token")?)?,
        lease: match from.document("lease")? {
            None => None,
            Some(lease) => Some(Lease {
                claim_id: lease.text("claim_id")?.ok_or(Malformed)?.parse()?,
                until: lease.instant("until")?.ok_or(Malformed)?,
            }),
        },
        conflict: match from.document("conflict")? {
            None => None,
            Some(conflict) => Some(Conflict {
                kind: conflict.text("kind")?.and_then(read_conflict_kind).ok_or(Malformed)?,
                since: conflict.instant("since")?.ok_or(Malformed)?,
            }),
        },
        metadata: read_metadata(from.list("metadata")?).ok_or(Malformed)?,
        version: Version::new(from.counter("version")?)?,
        recent_changes: ids.collect::<Read<Vec<_>>>()?.try_into()?,
        last_arm: from.number("last_arm")?.try_into().map_err(|_| Malformed)?,
    })
}

/// Reads fields of the kinds that records have. None is null.
struct Fields<'a> {
    fields: Vec<(&'a str, RawBsonRef<'a>)>,
    /// Behind the field that was read last: most are asked for in the order in which they are.
    next: Cell<usize>,
}

impl<'a> Fields<'a> {
    fn of(document: &'a RawDocument) -> Read<Self> {
        let fields = document.into_iter().map(|field| {
            let (name, value) = field.map_err(|_| Malformed)?;
            Ok((name.as_str(), value))
        });
        Ok(Self { fields: fields.collect::<Read<_>>()?, next: Cell::new(0) })
    }

    fn get(&self, name: &str) -> Read<RawBsonRef<'a>> {
        let all = self.fields.iter().enumerate();
        let mut in_turn = all.clone().skip(self.next.get()).chain(all);
        let (place, (_, value)) = in_turn.find(|(_, (it, _))| *it == name).ok_or(Malformed)?;
        self.next.set(place + 1);
        Ok(*value)
    }

    fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(RawBsonRef<'a>) -> Option<T>,
    ) -> Read<Option<T>> {
        match self.get(name)? {
            RawBsonRef::Null => Ok(None),
            value => read(value).map(Some).ok_or(Malformed),
        }
    }

    fn number(&self, name: &str) -> Read<i64> {
        self.get(name)?.as_i64().ok_or(Malformed)
    }

    fn counter(&self, name: &str) -> Read<u64> {
        self.number(name)?.try_into().map_err(|_| Malformed)
    }

    fn truth(&self, name: &str) -> Read<bool> {
        self.get(name)?.as_bool().ok_or(Malformed)
    }

    fn text(&self, name: &str) -> Read<Option<&'a str>> {
        self.optional(name, RawBsonRef::as_str)
    }

    fn document(&self, name: &str) -> Read<Option<Self>> {
        let document = self.optional(name, RawBsonRef::as_document)?;
        document.map(Self::of).transpose()
    }

    fn list(&self, name: &str) -> Read<&'a RawArray> {
        self.get(name)?.as_array().ok_or(Malformed)
    }

    fn instant(&self, name: &str) -> Read<Option<Timestamp>> {
        let instant = self.optional(name, RawBsonRef::as_datetime)?;
        Ok(instant.map(|it| Timestamp::from_millis(it.timestamp_millis())).transpose()?)
    }

    fn version(&self, name: &str) -> Read<Option<RemoteVersion>> {
        self.optional(name, |value| read_remote_version(value.as_document()?))
    }

    fn texts<T>(&self, name: &str, read: impl Fn(&'a str) -> Read<T>) -> Read<Vec<T>> {
        let text = |text: Result<RawBsonRef<'a>, _>| text.ok().and_then(RawBsonRef::as_str);
        self.list(name)?.into_iter().map(|it| read(text(it).ok_or(Malformed)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::Bson;
    use sync_tracker_core::{Outcome, rules};

    use super::*;

    #[test]
    fn a_record_comes_back_and_nothing_else_is_one() {
        let key = Key::new("shop", "product", 1).unwrap();
        let created = rules::created().apply_to(&key, None, Timestamp::now());
        let Outcome::Applied(applied) = created else { panic!() };
        let document = fields(&applied.record);
        let decoded = |document: &Document| decode(&RawDocumentBuf::try_from(document).unwrap());
        assert_eq!(decoded(&document).unwrap(), applied.record);
        for derived in ["status", "due_at"] {
            assert!(document.contains_key(derived));
        }
        for field in document.keys().filter(|it| !["status", "due_at"].contains(&it.as_str())) {
            let mut wrong = document.clone();
            wrong.insert(field, Bson::MaxKey);
            assert_eq!(decoded(&wrong).unwrap_err().kind(), ErrorKind::Corrupt, "{field}");
        }
    }
}
