//! Values as they are bound, and how core's types are written as columns.

use std::borrow::Cow;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sync_tracker_core::{
    ChangeId, ConflictKind, Error, ErrorKind, FailureClass, HeldKind, OpaqueVersion, RemoteVersion,
    Result, Status, Timestamp,
};

/// A statement on its way, with what is bound to it so far.
pub(crate) type Bound<'q> = Query<'q, Postgres, PgArguments>;

/// What a parameter is on the wire. Whatever is neither is written as text and cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
}

impl Kind {
    pub(crate) fn as_sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "bigint",
        }
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Option<Cow<'a, str>>),
    Int(Option<i64>),
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }

    pub(crate) fn owned(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }

    pub(crate) fn int(number: u64) -> Self {
        Self::Int(Some(whole(number)))
    }

    pub(crate) fn bind(self, query: Bound<'_>) -> Bound<'_> {
        match self {
            Self::Text(text) => query.bind(text.as_deref()),
            Self::Int(number) => query.bind(number),
        }
    }
}

/// Counters and spans are below 2^53.
pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The bits of a change id, as a signed number.
pub(crate) fn change_id(id: ChangeId) -> i64 {
    id.to_bits().cast_signed()
}

pub(crate) fn millis(instant: Timestamp) -> i64 {
    instant.as_millis()
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

pub(crate) fn read_conflict_kind(text: &str) -> Result<ConflictKind> {
    Ok(match text {
        "edit_edit" => ConflictKind::EditEdit,
        "edit_delete" => ConflictKind::EditDelete,
        "delete_edit" => ConflictKind::DeleteEdit,
        "create_create" => ConflictKind::CreateCreate,
        "id_collision" => ConflictKind::IdCollision,
        _ => return Err(corrupt("conflict_kind")),
    })
}

pub(crate) fn held_kind(kind: HeldKind) -> &'static str {
    match kind {
        HeldKind::Dead => "dead",
        HeldKind::Dismissed => "dismissed",
    }
}

pub(crate) fn read_held_kind(text: &str) -> Result<HeldKind> {
    Ok(match text {
        "dead" => HeldKind::Dead,
        "dismissed" => HeldKind::Dismissed,
        _ => return Err(corrupt("held_kind")),
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

pub(crate) fn read_failure_class(text: &str) -> Result<FailureClass> {
    Ok(match text {
        "transient" => FailureClass::Transient,
        "throttled" => FailureClass::Throttled,
        "permanent" => FailureClass::Permanent,
        "unknown" => FailureClass::Unknown,
        _ => return Err(corrupt("failure_class")),
    })
}

/// The number of a status in the table: its place in the order of decision.
pub(crate) fn status(status: Status) -> i16 {
    match status {
        Status::Conflict => 0,
        Status::DeadLetter => 1,
        Status::Dismissed => 2,
        Status::InProgress => 3,
        Status::Failed => 4,
        Status::Deleted => 5,
        Status::Pending => 6,
        Status::Synced => 7,
    }
}

pub(crate) fn read_status(number: i16) -> Result<Status> {
    let found = Status::ALL.into_iter().find(|of| status(*of) == number);
    found.ok_or_else(|| corrupt("status"))
}

/// A letter for the kind, then what orders versions of that kind by its bytes: the distance from
/// -2^63 in 20 digits, or the text itself.
pub(crate) fn remote_version(version: &RemoteVersion) -> String {
    match version {
        RemoteVersion::Sequence(number) => format!("s{:020}", from_least(*number)),
        RemoteVersion::Timestamp(instant) => format!("t{:020}", from_least(instant.as_millis())),
        RemoteVersion::Opaque(text) => format!("o{text}"),
    }
}

const LEAST_IS_ZERO: u64 = 1 << 63;

fn from_least(number: i64) -> u64 {
    number.cast_unsigned() ^ LEAST_IS_ZERO
}

pub(crate) fn read_remote_version(written: &str) -> Result<RemoteVersion> {
    let wrong = || corrupt("remote_version");
    let (kind, rest) = written.split_at_checked(1).ok_or_else(wrong)?;
    let number = || {
        let digits: u64 = rest.parse().map_err(|_| wrong())?;
        Ok::<_, Error>((digits ^ LEAST_IS_ZERO).cast_signed())
    };
    Ok(match kind {
        "s" => RemoteVersion::Sequence(number()?),
        "t" => RemoteVersion::Timestamp(
            Timestamp::from_millis(number()?).map_err(|error| wrong().caused_by(error))?,
        ),
        "o" => RemoteVersion::Opaque(
            OpaqueVersion::new(rest).map_err(|error| wrong().caused_by(error))?,
        ),
        _ => return Err(wrong()),
    })
}

/// What a column holds is nothing that was written there.
pub(crate) fn corrupt(column: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the column {column} does not decode"))
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
            assert_eq!(read_remote_version(written).unwrap(), RemoteVersion::Sequence(number));
        }
        for instant in [Timestamp::MIN, Timestamp::MAX] {
            let version = RemoteVersion::Timestamp(instant);
            assert_eq!(read_remote_version(&remote_version(&version)).unwrap(), version);
        }
        let tag = RemoteVersion::opaque("s1").unwrap();
        assert_eq!(read_remote_version(&remote_version(&tag)).unwrap(), tag);
    }

    #[test]
    fn every_status_has_its_place() {
        for (place, of) in Status::ALL.into_iter().enumerate() {
            assert_eq!(usize::try_from(status(of)).unwrap(), place);
            assert_eq!(read_status(status(of)).unwrap(), of);
        }
    }
}
