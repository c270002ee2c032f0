//! A record as it is stored: numbers in places of their own, then texts, each behind its length.
//! Scripts take it apart by one call and put it together by another.

use sync_tracker_core::{
    ChangeId, Conflict, Error, ErrorKind, ExternalId, Failure, Fingerprint, Held, Incarnation, Key,
    Lease, Metadata, RecentChanges, RemoteVersion, Result, Revision, SyncRecord, Timestamp, Token,
    Version,
};

use crate::error::STORE;
use crate::packed::{Item, Reader, Writer};
use crate::value::{
    conflict_kind, failure_class, held_kind, metadata, read_conflict_kind, read_failure_class,
    read_held_kind, read_metadata, read_remote_version, remote_version, whole,
};

/// The first byte of each record: what follows.
pub(crate) const FORMAT: u8 = 2;

/// How `struct` of the server reads a record: the format; the last arm; the version, incarnation,
/// revision, synced revision, token, and when it was created; since when it is pending, when it was
/// updated, synced and sighted; the external id and the recent changes; what most records have
/// nothing of, and what ties it to the other side, both packed or empty. The metadata is what is
/// left.
pub(crate) const LAYOUT: &str = ">BBi7i7i7i7i7i7i7i7i7i7Hc0Bc0Hc0I4c0";

/// What comes before the recent changes: so many bytes, the external id, their length.
pub(crate) const RING: &str = ">Bc71Hc0Bc0";

/// Stands for no instant, and is before them all.
pub(crate) const NONE: i64 = -(1 << 54);

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
    let mut to = vec![FORMAT, *last_arm];
    let counters = [version.get(), incarnation.get(), revision.get(), synced_revision.get()];
    counters.into_iter().chain([token.get()]).for_each(|it| fixed(&mut to, whole(it)));
    fixed(&mut to, created_at.as_millis());
    for at in [pending_since, updated_at, synced_at, sighted_at] {
        fixed(&mut to, at.map_or(NONE, Timestamp::as_millis));
    }
    let id = external_id.as_ref().map_or("", ExternalId::as_str);
    sized::<2>(&mut to, id.as_bytes());
    let ids: Vec<_> = recent_changes.iter().flat_map(|id| id.to_bits().to_be_bytes()).collect();
    sized::<1>(&mut to, &ids);

    let mut rare = Writer::default();
    rare.number((*attempts).into());
    rare.truth(*in_doubt);
    instant(&mut rare, *deleted_at);
    instant(&mut rare, *remote_deleted_at);
    number(&mut rare, held.map(|held| held_kind(held.kind)));
    instant(&mut rare, held.map(|held| held.since));
    let failure = failure.as_ref();
    number(&mut rare, failure.map(|failure| failure_class(failure.class)));
    text(&mut rare, failure.and_then(|failure| failure.code.as_deref()));
    text(&mut rare, failure.map(|failure| &*failure.message));
    instant(&mut rare, failure.map(|failure| failure.first_at));
    instant(&mut rare, failure.map(|failure| failure.last_at));
    instant(&mut rare, *retry_at);
    let lease = lease.as_ref();
    text(&mut rare, lease.map(|lease| lease.claim_id.to_string()).as_deref());
    instant(&mut rare, lease.map(|lease| lease.until));
    number(&mut rare, conflict.map(|conflict| conflict_kind(conflict.kind)));
    instant(&mut rare, conflict.map(|conflict| conflict.since));
    sized::<2>(&mut to, &rare.into_bytes());

    let mut ties = Writer::default();
    texts(&mut ties, aliases.iter().map(ExternalId::as_str));
    bytes(&mut ties, accepted.as_ref().map(remote_version).as_deref());
    bytes(&mut ties, remote_seen.as_ref().map(remote_version).as_deref());
    text(&mut ties, base.as_ref().map(Fingerprint::as_str));
    texts(&mut ties, echoes.iter().map(Fingerprint::as_str));
    sized::<4>(&mut to, &ties.into_bytes());
    to.extend(metadata(free));
    to
}

/// A number in seven bytes, which hold every counter and every instant.
fn fixed(to: &mut Vec<u8>, number: i64) {
    let [_, bytes @ ..] = number.to_be_bytes();
    to.extend(bytes);
}

/// Bytes behind their length, which takes so many bytes itself. No part of a record is longer.
fn sized<const N: usize>(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len().to_be_bytes();
    to.extend(length.iter().skip(length.len() - N));
    to.extend(bytes);
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
    read(key, &mut Parts(bytes)).map_err(|Malformed| corrupt().for_key(key))
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

/// The parts of a record, one after the other.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Read<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn fixed(&mut self) -> Read<i64> {
        let [a, b, c, d, e, f, g] = self.array()?;
        // The sign is that of the first byte.
        Ok(i64::from_be_bytes([a, b, c, d, e, f, g, 0]) >> 8)
    }

    fn counter(&mut self) -> Read<u64> {
        self.fixed()?.try_into().map_err(|_| Malformed)
    }

    fn instant(&mut self) -> Read<Option<Timestamp>> {
        match self.fixed()? {
            NONE => Ok(None),
            at => Ok(Some(Timestamp::from_millis(at)?)),
        }
    }

    fn sized(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
}

fn some(bytes: &[u8]) -> Option<&[u8]> {
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

/// What is packed in a part of its own; nothing if the part is empty.
fn group<T: Default>(bytes: &[u8], read: impl Fn(&mut Values<'_>) -> Read<T>) -> Read<T> {
    if bytes.is_empty() {
        return Ok(T::default());
    }
    let mut values = Values(Reader::new(bytes));
    let group = read(&mut values)?;
    if values.0.is_at_end() { Ok(group) } else { Err(Malformed) }
}

/// What most records have nothing of.
#[derive(Default)]
struct Rare {
    attempts: u32,
    in_doubt: bool,
    deleted_at: Option<Timestamp>,
    remote_deleted_at: Option<Timestamp>,
    held: Option<Held>,
    failure: Option<Failure>,
    retry_at: Option<Timestamp>,
    lease: Option<Lease>,
    conflict: Option<Conflict>,
}

fn rare(from: &mut Values<'_>) -> Read<Rare> {
    Ok(Rare {
        attempts: from.number()?.try_into().map_err(|_| Malformed)?,
        in_doubt: from.truth()?,
        deleted_at: from.instant()?,
        remote_deleted_at: from.instant()?,
        held: match (from.optional()?, from.instant()?) {
            (None, None) => None,
            (Some(kind), Some(since)) => {
                Some(Held { kind: read_held_kind(kind).ok_or(Malformed)?, since })
            }
            _ => return Err(Malformed),
        },
        failure: failure(from)?,
        retry_at: from.instant()?,
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
    })
}

/// What ties a record to the other side, but for the external id.
#[derive(Default)]
struct Ties {
    aliases: Vec<ExternalId>,
    remote_version: Option<RemoteVersion>,
    remote_seen: Option<RemoteVersion>,
    base: Option<Fingerprint>,
    echoes: Vec<Fingerprint>,
}

fn ties(from: &mut Values<'_>) -> Read<Ties> {
    Ok(Ties {
        aliases: from.texts(|text| Ok(ExternalId::new(text)?))?,
        remote_version: from.map(|bytes| read_remote_version(bytes).ok_or(Malformed))?,
        remote_seen: from.map(|bytes| read_remote_version(bytes).ok_or(Malformed))?,
        base: from.text(|text| Ok(Fingerprint::new(text)?))?,
        echoes: from.texts(|text| Ok(Fingerprint::new(text)?))?,
    })
}

fn read(key: &Key, from: &mut Parts<'_>) -> Read<SyncRecord> {
    if from.byte()? != FORMAT {
        return Err(Malformed);
    }
    let last_arm = from.byte()?;
    let version = Version::new(from.counter()?)?;
    let incarnation = Incarnation::new(from.counter()?)?;
    let revision = Revision::new(from.counter()?)?;
    let synced_revision = Revision::new(from.counter()?)?;
    let token = Token::new(from.counter()?)?;
    let created_at = from.instant()?.ok_or(Malformed)?;
    let pending_since = from.instant()?;
    let updated_at = from.instant()?;
    let synced_at = from.instant()?;
    let sighted_at = from.instant()?;
    let length = u16::from_be_bytes(from.array()?);
    let external_id = some(from.sized(length.into())?).map(external_id).transpose()?;
    let length = from.byte()?;
    let recent_changes = recent_changes(from.sized(length.into())?)?;
    let length = u16::from_be_bytes(from.array()?);
    let Rare {
        attempts,
        in_doubt,
        deleted_at,
        remote_deleted_at,
        held,
        failure,
        retry_at,
        lease,
        conflict,
    } = group(from.sized(length.into())?, rare)?;
    let length = u32::from_be_bytes(from.array()?);
    let ties_length = usize::try_from(length).map_err(|_| Malformed)?;
    let Ties { aliases, remote_version, remote_seen, base, echoes } =
        group(from.sized(ties_length)?, ties)?;
    let metadata = match some(from.0) {
        Some(bytes) => read_metadata(bytes).ok_or(Malformed)?,
        None => Metadata::default(),
    };
    Ok(SyncRecord {
        key: key.clone(),
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
        remote_version,
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
    })
}

fn external_id(bytes: &[u8]) -> Read<ExternalId> {
    Ok(ExternalId::new(std::str::from_utf8(bytes).map_err(|_| Malformed)?)?)
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
        // What follows a record would be metadata.
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode(&key, &longer).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
