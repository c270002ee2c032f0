//! What an arm makes of each column: expressions over the record as it was, `o`.

use std::collections::BTreeMap;

use super::MAX_ALIASES;
use crate::row::WRITTEN;

/// The columns that an arm changes. Later operations read what earlier ones made.
pub(super) struct Draft {
    born: bool,
    made: BTreeMap<&'static str, String>,
}

/// The record that a key without one is taken to have had.
const UNBORN: [(&str, &str); 35] = [
    ("incarnation", "greatest(1, o.now)"),
    ("revision", "0::bigint"),
    ("synced_revision", "0::bigint"),
    ("version", "0::bigint"),
    ("token", "0::bigint"),
    ("attempts", "0::bigint"),
    ("created_at", "o.now"),
    ("pending_since", "NULL::bigint"),
    ("updated_at", "NULL::bigint"),
    ("deleted_at", "NULL::bigint"),
    ("synced_at", "NULL::bigint"),
    ("remote_deleted_at", "NULL::bigint"),
    ("sighted_at", "NULL::bigint"),
    ("held_since", "NULL::bigint"),
    ("failure_first_at", "NULL::bigint"),
    ("failure_last_at", "NULL::bigint"),
    ("retry_at", "NULL::bigint"),
    ("lease_until", "NULL::bigint"),
    ("conflict_since", "NULL::bigint"),
    ("last_arm", "0::smallint"),
    ("in_doubt", "false"),
    ("external_id", "NULL::text"),
    ("aliases", "NULL::text[]"),
    ("remote_version", "NULL::text"),
    ("remote_seen", "NULL::text"),
    ("base", "NULL::text"),
    ("echoes", "NULL::text[]"),
    ("held_kind", "NULL::text"),
    ("failure_class", "NULL::text"),
    ("failure_code", "NULL::text"),
    ("failure_message", "NULL::text"),
    ("lease_claim", "NULL::text"),
    ("conflict_kind", "NULL::text"),
    ("metadata", "'{}'::jsonb"),
    ("recent_changes", "''::bytea"),
];

impl Draft {
    pub(super) fn of_record() -> Self {
        Self { born: true, made: BTreeMap::new() }
    }

    pub(super) fn unborn() -> Self {
        let made = UNBORN.into_iter().map(|(column, value)| (column, value.to_owned())).collect();
        Self { born: false, made }
    }

    /// Whether there was a record before.
    pub(super) fn is_of_record(&self) -> bool {
        self.born
    }

    pub(super) fn get(&self, column: &'static str) -> String {
        self.made.get(column).cloned().unwrap_or_else(|| format!("o.{column}"))
    }

    pub(super) fn set(&mut self, column: &'static str, expression: impl Into<String>) {
        self.made.insert(column, expression.into());
    }

    fn changes(&self, columns: &[&str]) -> bool {
        self.born && columns.iter().any(|column| self.made.contains_key(column))
    }

    /// The columns of a new record, and their values.
    pub(super) fn whole(&self) -> (String, String) {
        let values: Vec<_> = WRITTEN.iter().map(|column| self.get(column)).collect();
        (WRITTEN.join(", "), values.join(", "))
    }

    fn is_tombstone(&self) -> String {
        format!(
            "({} IS NULL AND {} IS NULL AND {} IS NULL AND {} IS NULL AND {} IS NOT NULL \
             AND {} <= {})",
            self.get("conflict_kind"),
            self.get("held_kind"),
            self.get("lease_until"),
            self.get("retry_at"),
            self.get("deleted_at"),
            self.get("revision"),
            self.get("synced_revision"),
        )
    }

    /// The state of a new record in the answer: whether it holds its ids, else it goes again.
    pub(super) fn hold_if_new(&self) -> String {
        let none = |column| self.get(column).starts_with("NULL::");
        if none("external_id") && none("aliases") {
            return "0".into();
        }
        format!(
            "CASE WHEN {{hold_new}}(n.source, n.entity_type, n.entity_id, {}, n.status <> 5) \
             THEN 0 ELSE 3 END",
            ids("n.external_id", "n.aliases")
        )
    }
}

/// All external ids of a record in one array.
pub(crate) fn ids(external_id: &str, aliases: &str) -> String {
    format!("array_remove(array_prepend({external_id}, {aliases}), NULL)")
}

const IDS: [&str; 2] = ["external_id", "aliases"];
const STATUS: [&str; 7] = [
    "conflict_kind",
    "held_kind",
    "lease_until",
    "retry_at",
    "deleted_at",
    "revision",
    "synced_revision",
];

/// One expression of the arm that holds.
fn by_arm(drafts: &[Draft], else_is: &str, of: impl Fn(&Draft) -> String) -> String {
    let made: Vec<_> = drafts.iter().map(of).collect();
    match made.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.clone(),
        _ => {
            let cases: String = made
                .iter()
                .enumerate()
                .filter(|(_, made)| *made != else_is)
                .map(|(arm, made)| format!(" WHEN {arm} THEN {made}"))
                .collect();
            format!("CASE o.arm{cases} ELSE {else_is} END")
        }
    }
}

/// The ids that the record would have, and the condition under which it may be written.
pub(super) fn permission(drafts: &[Draft]) -> (String, String) {
    let ids_change = drafts.iter().any(|draft| draft.changes(&IDS));
    let status_changes = drafts.iter().any(|draft| draft.changes(&STATUS));
    if !ids_change && !status_changes {
        return (String::new(), "o.arm >= 0".into());
    }
    let was = "(o.status = 5)";
    let tombstone =
        by_arm(
            drafts,
            was,
            |draft| {
                if draft.changes(&STATUS) { draft.is_tombstone() } else { was.into() }
            },
        );
    let mut columns = format!(", {tombstone} AS next_tombstone");
    let (mut too_many, next, same) = if ids_change {
        let id = by_arm(drafts, "o.external_id", |draft| draft.get("external_id"));
        let aliases = by_arm(drafts, "o.aliases", |draft| draft.get("aliases"));
        columns.push_str(&format!(", {id} AS next_external_id, {aliases} AS next_aliases"));
        (
            format!(" WHEN cardinality(o.next_aliases) > {MAX_ALIASES} THEN false"),
            ids("o.next_external_id", "o.next_aliases"),
            "o.next_external_id IS NOT DISTINCT FROM o.external_id \
             AND o.next_aliases IS NOT DISTINCT FROM o.aliases AND o.next_tombstone = (o.status = 5)",
        )
    } else {
        (
            String::new(),
            ids("o.external_id", "o.aliases"),
            "o.next_tombstone = (o.status = 5) \
             OR (o.external_id IS NULL AND o.aliases IS NULL)",
        )
    };
    too_many.insert_str(0, "CASE WHEN o.arm < 0 THEN false");
    let before = ids("o.external_id", "o.aliases");
    let may = format!(
        "{too_many} WHEN {same} THEN true ELSE {{hold}}(o.source, o.entity_type, o.entity_id, \
         {before}, o.status <> 5, {next}, NOT o.next_tombstone) END"
    );
    (columns, may)
}

/// Lets go of every id of a record that is to be removed.
pub(super) fn release() -> String {
    let before = ids("o.external_id", "o.aliases");
    format!(
        "CASE WHEN o.arm < 0 THEN false \
         WHEN o.external_id IS NULL AND o.aliases IS NULL THEN true \
         ELSE {{hold}}(o.source, o.entity_type, o.entity_id, {before}, o.status <> 5, '{{}}', true) \
         END"
    )
}

/// What is set in the columns that any arm changes.
pub(super) fn assignments(drafts: &[Draft]) -> String {
    let ids_change = drafts.iter().any(|draft| draft.changes(&IDS));
    let changed = WRITTEN.iter().filter(|column| drafts.iter().any(|d| d.changes(&[column])));
    let set = changed.map(|column| match *column {
        "external_id" if ids_change => "external_id = o.next_external_id".into(),
        "aliases" if ids_change => "aliases = o.next_aliases".into(),
        column => {
            let value = by_arm(drafts, &format!("o.{column}"), |draft| draft.get(column));
            format!("{column} = {value}")
        }
    });
    set.collect::<Vec<String>>().join(", ")
}
