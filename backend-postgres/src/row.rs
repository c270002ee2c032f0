//! Records as rows.

use serde_json::{Number, Value as Json};
use sqlx::Row;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sync_tracker_core::{
    ChangeId, Conflict, EntityId, EntityRef, EntityType, Error, ErrorKind, ExternalId, Failure,
    Fingerprint, Held, Incarnation, Key, Lease, Metadata, RecentChanges, RemoteVersion, Result,
    Revision, Source, SyncRecord, Timestamp, Token, Version,
};

use crate::error::STORE;
use crate::value;

/// The columns that are read, in this order.
pub(crate) const COLUMNS: [&str; 38] = {
    let mut columns = [""; 38];
    columns[0] = "source";
    columns[1] = "entity_type";
    columns[2] = "entity_id";
    let mut at = 0;
    while at < WRITTEN.len() {
        columns[at + 3] = WRITTEN[at];
        at += 1;
    }
    columns
};

/// The columns that are written, but for the key, in the order in which a record is bound.
pub(crate) const WRITTEN: [&str; 35] = [
    "incarnation",
    "revision",
    "synced_revision",
    "version",
    "token",
    "attempts",
    "created_at",
    "pending_since",
    "updated_at",
    "deleted_at",
    "synced_at",
    "remote_deleted_at",
    "sighted_at",
    "held_since",
    "failure_first_at",
    "failure_last_at",
    "retry_at",
    "lease_until",
    "conflict_since",
    "last_arm",
    "in_doubt",
    "external_id",
    "aliases",
    "remote_version",
    "remote_seen",
    "base",
    "echoes",
    "held_kind",
    "failure_class",
    "failure_code",
    "failure_message",
    "lease_claim",
    "conflict_kind",
    "metadata",
    "recent_changes",
];

/// The columns of a table that is called so in a statement.
pub(crate) fn columns_of(table: &str) -> String {
    COLUMNS.map(|column| format!("{table}.{column}")).join(", ")
}

/// The same as they are sent back.
pub(crate) fn sent_of(table: &str) -> String {
    let sent = COLUMNS.map(|column| match column {
        "metadata" => format!("{table}.metadata::text"),
        _ => format!("{table}.{column}"),
    });
    sent.join(", ")
}

/// Binds a whole record: the key, then every column that is written.
pub(crate) fn bind<'q>(
    record: &SyncRecord,
    query: Query<'q, sqlx::Postgres, PgArguments>,
) -> Result<Query<'q, sqlx::Postgres, PgArguments>> {
    let SyncRecord {
        key: Key { source, entity: EntityRef { entity_type, entity_id } },
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
    let at = |instant: &Option<Timestamp>| instant.map(value::millis);
    let written = |version: &Option<RemoteVersion>| version.as_ref().map(value::remote_version);
    let aliases: Vec<_> = aliases.iter().map(ExternalId::as_str).collect();
    let echoes: Vec<_> = echoes.iter().map(Fingerprint::as_str).collect();
    let recent: Vec<u8> = recent_changes.iter().flat_map(|id| id.to_bits().to_be_bytes()).collect();
    let failure = failure.as_ref();
    let lease = lease.as_ref();
    let metadata = serde_json::to_string(metadata).map_err(|cause| {
        Error::new(ErrorKind::Internal, "metadata is not JSON").caused_by(cause)
    })?;
    Ok(query
        .bind(source.as_str())
        .bind(entity_type.as_str())
        .bind(entity_id.as_str())
        .bind(value::whole(incarnation.get()))
        .bind(value::whole(revision.get()))
        .bind(value::whole(synced_revision.get()))
        .bind(value::whole(version.get()))
        .bind(value::whole(token.get()))
        .bind(i64::from(*attempts))
        .bind(value::millis(*created_at))
        .bind(at(pending_since))
        .bind(at(updated_at))
        .bind(at(deleted_at))
        .bind(at(synced_at))
        .bind(at(remote_deleted_at))
        .bind(at(sighted_at))
        .bind(held.map(|held| value::millis(held.since)))
        .bind(failure.map(|failure| value::millis(failure.first_at)))
        .bind(failure.map(|failure| value::millis(failure.last_at)))
        .bind(at(retry_at))
        .bind(lease.map(|lease| value::millis(lease.until)))
        .bind(conflict.map(|conflict| value::millis(conflict.since)))
        .bind(i16::from(*last_arm))
        .bind(*in_doubt)
        .bind(external_id.as_ref().map(ExternalId::as_str))
        .bind((!aliases.is_empty()).then_some(aliases))
        .bind(written(remote_version))
        .bind(written(remote_seen))
        .bind(base.as_ref().map(Fingerprint::as_str))
        .bind((!echoes.is_empty()).then_some(echoes))
        .bind(held.map(|held| value::held_kind(held.kind)))
        .bind(failure.map(|failure| value::failure_class(failure.class)))
        .bind(failure.and_then(|failure| failure.code.as_deref()))
        .bind(failure.map(|failure| &*failure.message))
        .bind(lease.map(|lease| lease.claim_id.to_string()))
        .bind(conflict.map(|conflict| value::conflict_kind(conflict.kind)))
        .bind(metadata)
        .bind(recent))
}

/// How each parameter of [`bind`] is cast, in its order.
pub(crate) fn casts() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|column| if *column == "metadata" { "::jsonb" } else { "" })
}

/// Reads the columns of a row one after the other.
struct Columns<'r> {
    row: &'r PgRow,
    at: usize,
}

impl<'r> Columns<'r> {
    fn get<T>(&mut self) -> Result<T>
    where
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let value = self.row.try_get(self.at);
        self.at += 1;
        value.map_err(|cause| {
            Error::new(ErrorKind::Corrupt, "a column of a record does not decode")
                .in_store(STORE)
                .caused_by(cause)
        })
    }

    fn text<T>(&mut self, make: impl Fn(&'r str) -> Result<T>) -> Result<T> {
        let text: &'r str = self.get()?;
        make(text).map_err(damaged)
    }

    fn maybe<T>(&mut self, make: impl Fn(&'r str) -> Result<T>) -> Result<Option<T>> {
        let text: Option<&'r str> = self.get()?;
        text.map(make).transpose().map_err(damaged)
    }

    fn all<T>(&mut self, make: impl Fn(String) -> Result<T>) -> Result<Vec<T>> {
        let texts: Option<Vec<String>> = self.get()?;
        texts.into_iter().flatten().map(make).collect::<Result<_>>().map_err(damaged)
    }

    fn count<T>(&mut self, make: impl Fn(u64) -> Result<T>) -> Result<T> {
        let number: i64 = self.get()?;
        make(u64::try_from(number).unwrap_or(u64::MAX)).map_err(damaged)
    }

    fn instant(&mut self) -> Result<Option<Timestamp>> {
        let millis: Option<i64> = self.get()?;
        millis.map(Timestamp::from_millis).transpose().map_err(damaged)
    }
}

fn damaged(cause: Error) -> Error {
    Error::new(ErrorKind::Corrupt, "a record does not decode").in_store(STORE).caused_by(cause)
}

fn missing(column: &str) -> Error {
    damaged(value::corrupt(column))
}

/// Reads a record from a row whose columns from `first` on are [`COLUMNS`].
pub(crate) fn record(row: &PgRow, first: usize) -> Result<SyncRecord> {
    let mut columns = Columns { row, at: first };
    let source = columns.text(Source::new)?;
    let entity_type = columns.text(EntityType::new)?;
    let entity_id = columns.text(EntityId::new)?;
    let incarnation = columns.count(Incarnation::new)?;
    let revision = columns.count(Revision::new)?;
    let synced_revision = columns.count(Revision::new)?;
    let version = columns.count(Version::new)?;
    let token = columns.count(Token::new)?;
    let attempts: i64 = columns.get()?;
    let created_at = columns.instant()?.ok_or_else(|| missing("created_at"))?;
    let pending_since = columns.instant()?;
    let updated_at = columns.instant()?;
    let deleted_at = columns.instant()?;
    let synced_at = columns.instant()?;
    let remote_deleted_at = columns.instant()?;
    let sighted_at = columns.instant()?;
    let held_since = columns.instant()?;
    let first_failure = columns.instant()?;
    let last_failure = columns.instant()?;
    let retry_at = columns.instant()?;
    let lease_until = columns.instant()?;
    let conflict_since = columns.instant()?;
    let last_arm: i16 = columns.get()?;
    let in_doubt = columns.get()?;
    let external_id = columns.maybe(ExternalId::new)?;
    let aliases = columns.all(ExternalId::new)?;
    let remote_version = columns.maybe(value::read_remote_version)?;
    let remote_seen = columns.maybe(value::read_remote_version)?;
    let base = columns.maybe(Fingerprint::new)?;
    let echoes = columns.all(Fingerprint::new)?;
    let held_kind = columns.maybe(value::read_held_kind)?;
    let class = columns.maybe(value::read_failure_class)?;
    let code: Option<&str> = columns.get()?;
    let message: Option<&str> = columns.get()?;
    let claim_id = columns.maybe(str::parse)?;
    let conflict_kind = columns.maybe(value::read_conflict_kind)?;
    let metadata = columns.text(metadata)?;
    let (recent, rest) = columns.get::<&[u8]>()?.as_chunks();
    let recent: Vec<_> =
        recent.iter().map(|bits| ChangeId::from_bits(u64::from_be_bytes(*bits))).collect();
    if !rest.is_empty() {
        return Err(missing("recent_changes"));
    }
    let held = both(held_kind, held_since, "held_since")?;
    let conflict = both(conflict_kind, conflict_since, "conflict_since")?;
    let lease = both(claim_id, lease_until, "lease_until")?;
    let failure = match (class, message, first_failure, last_failure) {
        (None, None, None, None) => None,
        (Some(class), Some(message), Some(first_at), Some(last_at)) => {
            let code = code.map(Into::into);
            Some(Failure { class, code, message: message.into(), first_at, last_at })
        }
        _ => return Err(missing("failure_class")),
    };
    Ok(SyncRecord {
        key: Key { source, entity: EntityRef { entity_type, entity_id } },
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
        attempts: u32::try_from(attempts).map_err(|_| missing("attempts"))?,
        in_doubt,
        held: held.map(|(kind, since)| Held { kind, since }),
        failure,
        retry_at,
        token,
        lease: lease.map(|(claim_id, until)| Lease { claim_id, until }),
        conflict: conflict.map(|(kind, since)| Conflict { kind, since }),
        metadata,
        version,
        recent_changes: RecentChanges::try_from(recent).map_err(damaged)?,
        last_arm: u8::try_from(last_arm).map_err(|_| missing("last_arm"))?,
    })
}

/// Two columns that are null together.
fn both<A, B>(one: Option<A>, other: Option<B>, column: &str) -> Result<Option<(A, B)>> {
    match (one, other) {
        (None, None) => Ok(None),
        (Some(one), Some(other)) => Ok(Some((one, other))),
        _ => Err(missing(column)),
    }
}

fn metadata(text: &str) -> Result<Metadata> {
    let mut written: Json = serde_json::from_str(text)
        .map_err(|cause| Error::new(ErrorKind::Corrupt, "metadata is not JSON").caused_by(cause))?;
    floats(&mut written);
    Metadata::accumulated(written)
}

/// The server writes a large float without exponent, so that it reads like an integer. No integer
/// that was put there is that large.
pub(crate) fn floats(json: &mut Json) {
    match json {
        Json::Number(number) if number.is_u64() && !number.is_i64() => {
            if let Some(float) = number.as_f64().and_then(Number::from_f64) {
                *number = float;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(floats),
        Json::Object(fields) => fields.values_mut().for_each(floats),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
