//! A record as it is stored: one packed string, which scripts take apart and put together.

use sync_tracker_core::{
    ChangeId, Conflict, Error, ErrorKind, ExternalId, Failure, Fingerprint, Held, Incarnation, Key,
    Lease, RecentChanges, Result, Revision, SyncRecord, Timestamp, Token, Version,
};

use crate::error::STORE;
use crate::packed::{Item, Reader, Writer};
use crate::value::{
    conflict_kind, failure_class, held_kind, metadata, read_conflict_kind, read_failure_class,
    read_held_kind, read_metadata, read_remote_version, remote_version, whole,
};

/// The first value of each record: which values follow.
const FORMAT: i64 = 1;

/// The values of a record in their order, after the format.
pub(crate) const FIELDS: [&str; 35] = [
    "external_id",
    "aliases",
    "incarnation",
    "revision",
    "synced_revision",
    "pending_since",
    "created_at",
    "updated_at",
    "deleted_at",
    "synced_at",
    "remote_version",
    "remote_seen",
    "remote_deleted_at",
    "sighted_at",
    "base",
    "echoes",
    "attempts",
    "in_doubt",
    "held_kind",
    "held_since",
    "failure_class",
    "failure_code",
    "failure_message",
    "failure_first_at",
    "failure_last_at",
    "retry_at",
    "token",
    "lease_claim",
    "lease_until",
    "conflict_kind",
    "conflict_since",
    "metadata",
    "version",
    "recent_changes",
    "last_arm",
];

/// Where a field is in the table of a script: after what `pcall` says, and the format.
pub(crate) fn place(field: &str) -> Option<usize> {
    FIELDS.iter().position(|name| *name == field).map(|index| index + 3)
}

/// Writes a record, without its key.
pub(crate) fn encode(record: &SyncRecord) -> Vec<u8> {
    let SyncRecord {
        key: _,
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
        metadata: free,
        version,
        recent_changes,
        last_arm,
    } = record;
    let mut to = Writer::default();
    to.number(FORMAT);
    text(&mut to, external_id.as_ref().map(ExternalId::as_str));
    texts(&mut to, aliases.iter().map(ExternalId::as_str));
    to.number(whole(incarnation.get()));
    to.number(whole(revision.get()));
    to.number(whole(synced_revision.get()));
    instant(&mut to, *pending_since);
    instant(&mut to, Some(*created_at));
    instant(&mut to, *updated_at);
    instant(&mut to, *deleted_at);
    instant(&mut to, *synced_at);
    bytes(&mut to, accepted.as_ref().map(remote_version).as_deref());
    bytes(&mut to, remote_seen.as_ref().map(remote_version).as_deref());
    instant(&mut to, *remote_deleted_at);
    instant(&mut to, *sighted_at);
    text(&mut to, base.as_ref().map(Fingerprint::as_str));
    texts(&mut to, echoes.iter().map(Fingerprint::as_str));
    to.number((*attempts).into());
    to.truth(*in_doubt);
    number(&mut to, held.map(|held| held_kind(held.kind)));
    instant(&mut to, held.map(|held| held.since));
    let failure = failure.as_ref();
    number(&mut to, failure.map(|failure| failure_class(failure.class)));
    text(&mut to, failure.and_then(|failure| failure.code.as_deref()));
    text(&mut to, failure.map(|failure| &*failure.message));
    instant(&mut to, failure.map(|failure| failure.first_at));
    instant(&mut to, failure.map(|failure| failure.last_at));
    instant(&mut to, *retry_at);
    to.number(whole(token.get()));
    let lease = lease.as_ref();
    text(&mut to, lease.map(|lease| lease.claim_id.to_string()).as_deref());
    instant(&mut to, lease.map(|lease| lease.until));
    number(&mut to, conflict.map(|conflict| conflict_kind(conflict.kind)));
    instant(&mut to, conflict.map(|conflict| conflict.since));
    bytes(&mut to, Some(&*metadata(free)).filter(|bytes| !bytes.is_empty()));
    to.number(whole(version.get()));
    let ids: Vec<_> = recent_changes.iter().flat_map(|id| id.to_bits().to_be_bytes()).collect();
    to.bytes(&ids);
    to.number((*last_arm).into());
    to.into_bytes()
}

fn number(to: &mut Writer, number: Option<i64>) {
    match number {
        Some(number) => to.number(number),
        None => to.nothing(),
    }
}

fn instant(to: &mut Writer, instant: Option<Timestamp>) {
    number(to, instant.map(Timestamp::as_millis));
}

fn bytes(to: &mut Writer, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => to.bytes(bytes),
        None => to.nothing(),
    }
}

fn text(to: &mut Writer, text: Option<&str>) {
    bytes(to, text.map(str::as_bytes));
}

/// None is nothing: an empty table of a script is a list and a map.
fn texts<'a>(to: &mut Writer, texts: impl ExactSizeIterator<Item = &'a str>) {
    if texts.len() == 0 {
        return to.nothing();
    }
    to.list(texts.len());
    texts.for_each(|text| to.bytes(text.as_bytes()));
}

/// Reads the record of a key.
pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Result<SyncRecord> {
    read(key, &mut Values(Reader::new(bytes))).map_err(|Malformed| corrupt().for_key(key))
}

/// A record that is none.
pub(crate) fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "a record does not decode").in_store(STORE)
}

/// A value that no field has.
struct Malformed;

impl From<Error> for Malformed {
    fn from(_: Error) -> Self {
        Self
    }
}

type Read<T> = Result<T, Malformed>;

fn read(key: &Key, from: &mut Values<'_>) -> Read<SyncRecord> {
    if from.number()? != FORMAT {
        return Err(Malformed);
    }
    let record = SyncRecord {
        key: key.clone(),
        external_id: from.text(|text| Ok(ExternalId::new(text)?))?,
        aliases: from.texts(|text| Ok(ExternalId::new(text)?))?,
        incarnation: Incarnation::new(from.counter()?)?,
        revision: Revision::new(from.counter()?)?,
        synced_revision: Revision::new(from.counter()?)?,
        pending_since: from.instant()?,
        created_at: from.instant()?.ok_or(Malformed)?,
        updated_at: from.instant()?,
        deleted_at: from.instant()?,
        synced_at: from.instant()?,
        remote_version: from.map(|bytes| read_remote_version(bytes).ok_or(Malformed))?,
        remote_seen: from.map(|bytes| read_remote_version(bytes).ok_or(Malformed))?,
        remote_deleted_at: from.instant()?,
        sighted_at: from.instant()?,
        base: from.text(|text| Ok(Fingerprint::new(text)?))?,
        echoes: from.texts(|text| Ok(Fingerprint::new(text)?))?,
        attempts: from.number()?.try_into().map_err(|_| Malformed)?,
        in_doubt: from.truth()?,
        held: match (from.optional()?, from.instant()?) {
            (None, None) => None,
            (Some(kind), Some(since)) => {
                Some(Held { kind: read_held_kind(kind).ok_or(Malformed)?, since })
            }
            _ => return Err(Malformed),
        },
        failure: failure(from)?,
        retry_at: from.instant()?,
        token: Token::new(from.counter()?)?,
        lease: match (from.text(|text| Ok(text.parse()?))?, from.instant()?) {
            (None, None) => None,
            (Some(claim_id), Some(until)) => Some(Lease { claim_id, until }),
            _ => return Err(Malformed),
        },
        conflict: match (from.optional()?, from.instant()?) {
            (None, None) => None,
            (Some(kind), Some(since)) => {
                Some(Conflict { kind: read_conflict_kind(kind).ok_or(Malformed)?, since })
            }
            _ => return Err(Malformed),
        },
        metadata: from.map(|bytes| read_metadata(bytes).ok_or(Malformed))?.unwrap_or_default(),
        version: Version::new(from.counter()?)?,
        recent_changes: from.map(recent_changes)?.ok_or(Malformed)?,
        last_arm: from.number()?.try_into().map_err(|_| Malformed)?,
    };
    if from.0.is_at_end() { Ok(record) } else { Err(Malformed) }
}

fn failure(from: &mut Values<'_>) -> Read<Option<Failure>> {
    let class = from.optional()?;
    let code = from.text(|text| Ok(text.into()))?;
    let message = from.text(|text| Ok(text.into()))?;
    let (first_at, last_at) = (from.instant()?, from.instant()?);
    match (class, message, first_at, last_at) {
        (None, None, None, None) => Ok(None),
        (Some(class), Some(message), Some(first_at), Some(last_at)) => {
            let class = read_failure_class(class).ok_or(Malformed)?;
            Ok(Some(Failure { class, code, message, first_at, last_at }))
        }
        _ => Err(Malformed),
    }
}

fn recent_changes(bytes: &[u8]) -> Read<RecentChanges> {
    let (ids, []) = bytes.as_chunks::<8>() else { return Err(Malformed) };
    let ids: Vec<_> = ids.iter().map(|id| ChangeId::from_bits(u64::from_be_bytes(*id))).collect();
    Ok(ids.try_into()?)
}

/// Reads values of the kinds that fields have.
struct Values<'a>(Reader<'a>);

impl<'a> Values<'a> {
    fn next(&mut self) -> Read<Item<'a>> {
        self.0.next().ok_or(Malformed)
    }

    fn optional(&mut self) -> Read<Option<i64>> {
        match self.next()? {
            Item::Nothing => Ok(None),
            Item::Number(number) => Ok(Some(number)),
            _ => Err(Malformed),
        }
    }

    fn number(&mut self) -> Read<i64> {
        self.optional()?.ok_or(Malformed)
    }

    fn counter(&mut self) -> Read<u64> {
        self.number()?.try_into().map_err(|_| Malformed)
    }

    fn truth(&mut self) -> Read<bool> {
        match self.next()? {
            Item::Truth(truth) => Ok(truth),
            _ => Err(Malformed),
        }
    }

    fn instant(&mut self) -> Read<Option<Timestamp>> {
        Ok(self.optional()?.map(Timestamp::from_millis).transpose()?)
    }

    fn map<T>(&mut self, read: impl FnOnce(&'a [u8]) -> Read<T>) -> Read<Option<T>> {
        match self.next()? {
            Item::Nothing => Ok(None),
            Item::Bytes(bytes) => read(bytes).map(Some),
            _ => Err(Malformed),
        }
    }

    fn text<T>(&mut self, read: impl FnOnce(&'a str) -> Read<T>) -> Read<Option<T>> {
        self.map(|bytes| read(std::str::from_utf8(bytes).map_err(|_| Malformed)?))
    }

    fn texts<T>(&mut self, read: impl Fn(&'a str) -> Read<T>) -> Read<Vec<T>> {
        match self.next()? {
            Item::Nothing => Ok(Vec::new()),
            Item::List(length) => (0..length).map(|_| self.text(&read)?.ok_or(Malformed)).collect(),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use sync_tracker_core::{Outcome, rules};

    use super::*;

    #[test]
    fn a_record_comes_back_and_nothing_else_is_one() {
        let key = Key::new("shop", "product", 1).unwrap();
        let created = rules::created().apply_to(&key, None, Timestamp::now());
        let Outcome::Applied(applied) = created else { panic!() };
        let bytes = encode(&applied.record);
        assert_eq!(decode(&key, &bytes).unwrap(), applied.record);
        for length in 0..bytes.len() {
            assert_eq!(decode(&key, &bytes[..length]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode(&key, &longer).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
