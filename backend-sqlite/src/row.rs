//! Records as rows: what `columns.sql` selects and `store_record.sql` binds.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Decode, Row, Sqlite, Type};
use sync_tracker_core::{
    ChangeId, Conflict, ConflictKind, Error, Failure, FailureClass, Held, HeldKind, Incarnation,
    Key, Lease, Metadata, RecentChanges, RemoteVersion, Result, Revision, SyncRecord, Timestamp,
    Token, Version,
};

use crate::error::{before_commit, corrupt};

pub(crate) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Reads the columns of a row from left to right.
struct Columns<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl<'r> Columns<'r> {
    fn take<T: Decode<'r, Sqlite> + Type<Sqlite>>(&mut self) -> Result<T> {
        let at = self.next;
        self.next += 1;
        self.row.try_get_unchecked(at).map_err(before_commit)
    }

    fn text(&mut self) -> Result<&'r str> {
        self.take()
    }

    fn optional_text(&mut self) -> Result<Option<&'r str>> {
        self.take()
    }

    fn counter(&mut self) -> Result<u64> {
        u64::try_from(self.take::<i64>()?).map_err(|_| corrupt("a counter is negative"))
    }

    fn instant(&mut self) -> Result<Timestamp> {
        Timestamp::from_millis(self.take()?).map_err(decoding)
    }

    fn optional_instant(&mut self) -> Result<Option<Timestamp>> {
        let millis: Option<i64> = self.take()?;
        millis.map(Timestamp::from_millis).transpose().map_err(decoding)
    }

    /// JSON, or the default where there is none.
    fn json<T: DeserializeOwned + Default>(&mut self) -> Result<T> {
        self.optional_text()?.map_or_else(|| Ok(T::default()), from_json)
    }

    /// A name of `names`.
    fn optional_name<T: Copy>(&mut self, names: &[(T, &str)]) -> Result<Option<T>> {
        let Some(name) = self.optional_text()? else { return Ok(None) };
        let known = names.iter().find(|(_, known)| *known == name);
        known.map(|(value, _)| Some(*value)).ok_or_else(|| corrupt("a name is not known"))
    }
}

/// A stored value that breaks a limit.
pub(crate) fn decoding(error: Error) -> Error {
    corrupt("a stored value breaks a limit").caused_by(error)
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| corrupt("stored JSON does not decode").caused_by(error))
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(sync_tracker_core::ErrorKind::Internal, "a value is not JSON").caused_by(error)
    })
}

const HELD: &[(HeldKind, &str)] = &[(HeldKind::Dead, "dead"), (HeldKind::Dismissed, "dismissed")];

const FAILURES: &[(FailureClass, &str)] = &[
    (FailureClass::Transient, "transient"),
    (FailureClass::Throttled, "throttled"),
    (FailureClass::Permanent, "permanent"),
    (FailureClass::Unknown, "unknown"),
];

const CONFLICTS: &[(ConflictKind, &str)] = &[
    (ConflictKind::EditEdit, "edit_edit"),
    (ConflictKind::EditDelete, "edit_delete"),
    (ConflictKind::DeleteEdit, "delete_edit"),
    (ConflictKind::CreateCreate, "create_create"),
    (ConflictKind::IdCollision, "id_collision"),
];

fn name_of<T: PartialEq>(value: &T, names: &[(T, &'static str)]) -> Option<&'static str> {
    names.iter().find(|(known, _)| known == value).map(|(_, name)| *name)
}

/// How many columns `columns.sql` selects: what follows them is the caller's.
pub(crate) const COLUMNS: usize = 38;

/// Reads the record that a row begins with.
pub(crate) fn record(row: &SqliteRow) -> Result<SyncRecord> {
    let mut columns = Columns { row, next: 0 };
    let columns = &mut columns;
    let key = Key::new(columns.text()?, columns.text()?, columns.text()?).map_err(decoding)?;
    read_fields(key.clone(), columns).map_err(|error| error.for_key(&key))
}

fn read_fields(key: Key, columns: &mut Columns<'_>) -> Result<SyncRecord> {
    Ok(SyncRecord {
        key,
        external_id: columns
            .optional_text()?
            .map(TryInto::try_into)
            .transpose()
            .map_err(decoding)?,
        aliases: columns.json()?,
        incarnation: Incarnation::new(columns.counter()?).map_err(decoding)?,
        revision: Revision::new(columns.counter()?).map_err(decoding)?,
        synced_revision: Revision::new(columns.counter()?).map_err(decoding)?,
        pending_since: columns.optional_instant()?,
        created_at: columns.instant()?,
        updated_at: columns.optional_instant()?,
        deleted_at: columns.optional_instant()?,
        synced_at: columns.optional_instant()?,
        remote_version: remote_version(columns.optional_text()?)?,
        remote_seen: remote_version(columns.optional_text()?)?,
        remote_deleted_at: columns.optional_instant()?,
        sighted_at: columns.optional_instant()?,
        base: columns.optional_text()?.map(TryInto::try_into).transpose().map_err(decoding)?,
        echoes: columns.json()?,
        attempts: columns.take()?,
        in_doubt: columns.take()?,
        held: held(columns)?,
        failure: failure(columns)?,
        retry_at: columns.optional_instant()?,
        token: Token::new(columns.counter()?).map_err(decoding)?,
        lease: lease(columns)?,
        conflict: conflict(columns)?,
        metadata: columns.json()?,
        version: Version::new(columns.counter()?).map_err(decoding)?,
        recent_changes: recent_changes(columns.take()?)?,
        last_arm: columns.take()?,
    })
}

fn held(columns: &mut Columns<'_>) -> Result<Option<Held>> {
    let (kind, since) = (columns.optional_name(HELD)?, columns.optional_instant()?);
    both(kind, since).map(|held| held.map(|(kind, since)| Held { kind, since }))
}

fn failure(columns: &mut Columns<'_>) -> Result<Option<Failure>> {
    let class = columns.optional_name(FAILURES)?;
    let code = columns.optional_text()?.map(Box::from);
    let message = columns.optional_text()?.map(Box::from);
    let (first_at, last_at) = (columns.optional_instant()?, columns.optional_instant()?);
    let known = both(both(class, message)?, both(first_at, last_at)?)?;
    Ok(known.map(|((class, message), (first_at, last_at))| Failure {
        class,
        code,
        message,
        first_at,
        last_at,
    }))
}

fn lease(columns: &mut Columns<'_>) -> Result<Option<Lease>> {
    let claim_id = columns.optional_text()?.map(str::parse).transpose().map_err(decoding)?;
    let lease = both(claim_id, columns.optional_instant()?)?;
    Ok(lease.map(|(claim_id, until)| Lease { claim_id, until }))
}

fn conflict(columns: &mut Columns<'_>) -> Result<Option<Conflict>> {
    let (kind, since) = (columns.optional_name(CONFLICTS)?, columns.optional_instant()?);
    both(kind, since).map(|conflict| conflict.map(|(kind, since)| Conflict { kind, since }))
}

/// Two columns that are null together.
fn both<A, B>(one: Option<A>, other: Option<B>) -> Result<Option<(A, B)>> {
    match (one, other) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (None, None) => Ok(None),
        _ => Err(corrupt("of columns that belong together one is null")),
    }
}

fn remote_version(text: Option<&str>) -> Result<Option<RemoteVersion>> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || corrupt("a remote version does not decode");
    let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
    let number = || value.parse::<i64>().map_err(|_| wrong());
    match kind {
        "sequence" => Ok(RemoteVersion::Sequence(number()?)),
        "timestamp" => {
            Timestamp::from_millis(number()?).map(RemoteVersion::Timestamp).map_err(decoding)
        }
        "opaque" => RemoteVersion::opaque(value).map_err(decoding),
        _ => Err(wrong()),
    }
    .map(Some)
}

fn remote_version_text(version: &RemoteVersion) -> String {
    match version {
        RemoteVersion::Sequence(number) => format!("sequence:{number}"),
        RemoteVersion::Timestamp(instant) => format!("timestamp:{}", instant.as_millis()),
        RemoteVersion::Opaque(text) => format!("opaque:{text}"),
    }
}

fn recent_changes(bytes: &[u8]) -> Result<RecentChanges> {
    let (ids, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(corrupt("the recent changes are cut off"));
    }
    let ids: Vec<_> = ids.iter().map(|id| ChangeId::from_bits(u64::from_be_bytes(*id))).collect();
    ids.try_into().map_err(decoding)
}

/// Counters are 2^53 - 1 at most.
fn number(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}

fn millis(instant: Option<Timestamp>) -> Option<i64> {
    instant.map(Timestamp::as_millis)
}

/// JSON of a list; none where it is empty.
fn list<T: Serialize>(items: &[T]) -> Result<Option<String>> {
    (!items.is_empty()).then(|| to_json(&items)).transpose()
}

/// Binds a record to `store_record.sql`.
pub(crate) fn bind<'q>(statement: Statement<'q>, record: &'q SyncRecord) -> Result<Statement<'q>> {
    let SyncRecord {
        key: Key { source, entity },
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
    } = record;
    let recent: Vec<u8> = recent_changes.iter().flat_map(|id| id.to_bits().to_be_bytes()).collect();
    let failure = failure.as_ref();
    let metadata = (!Metadata::is_empty(metadata)).then(|| to_json(metadata)).transpose()?;
    Ok(statement
        .bind(source.as_str())
        .bind(entity.entity_type.as_str())
        .bind(entity.entity_id.as_str())
        .bind(external_id.as_ref().map(AsRef::<str>::as_ref))
        .bind(list(aliases)?)
        .bind(number(incarnation.get()))
        .bind(number(revision.get()))
        .bind(number(synced_revision.get()))
        .bind(millis(*pending_since))
        .bind(created_at.as_millis())
        .bind(millis(*updated_at))
        .bind(millis(*deleted_at))
        .bind(millis(*synced_at))
        .bind(remote_version.as_ref().map(remote_version_text))
        .bind(remote_seen.as_ref().map(remote_version_text))
        .bind(millis(*remote_deleted_at))
        .bind(millis(*sighted_at))
        .bind(base.as_ref().map(AsRef::<str>::as_ref))
        .bind(list(echoes)?)
        .bind(*attempts)
        .bind(*in_doubt)
        .bind(held.and_then(|held| name_of(&held.kind, HELD)))
        .bind(millis(held.map(|held| held.since)))
        .bind(failure.and_then(|failure| name_of(&failure.class, FAILURES)))
        .bind(failure.and_then(|failure| failure.code.as_deref()))
        .bind(failure.map(|failure| &*failure.message))
        .bind(millis(failure.map(|failure| failure.first_at)))
        .bind(millis(failure.map(|failure| failure.last_at)))
        .bind(millis(*retry_at))
        .bind(number(token.get()))
        .bind(lease.as_ref().map(|lease| lease.claim_id.to_string()))
        .bind(millis(lease.as_ref().map(|lease| lease.until)))
        .bind(conflict.and_then(|conflict| name_of(&conflict.kind, CONFLICTS)))
        .bind(millis(conflict.map(|conflict| conflict.since)))
        .bind(metadata)
        .bind(number(version.get()))
        .bind(recent)
        .bind(*last_arm)
        .bind(record.status().as_str())
        .bind(millis(record.due_at())))
}
