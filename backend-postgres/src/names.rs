//! The names of what the store keeps in its schema.

use sync_tracker_core::{Error, Result};

/// A schema, and what the names of its tables begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    schema: String,
    table: String,
}

impl Names {
    /// What the names of the other tables, indexes and functions append to that of the records.
    const OTHERS: [&str; 15] = [
        "ids",
        "former_ids",
        "pauses",
        "inbox",
        "checkpoints",
        "horizons",
        "view",
        "schema_version",
        "hold",
        "hold_new",
        "records_due",
        "records_page",
        "records_status",
        "records_claim",
        "inbox_until",
    ];
    /// PostgreSQL cuts names at 63 bytes.
    const MAX_TABLE_BYTES: usize = 40;
    const MAX_SCHEMA_BYTES: usize = 63;

    pub(crate) fn new(schema: &str, table: &str) -> Result<Self> {
        check("schema", schema, Self::MAX_SCHEMA_BYTES)?;
        check("table", table, Self::MAX_TABLE_BYTES)?;
        Ok(Self { schema: schema.into(), table: table.into() })
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// The name of the table that tells the version of the schema.
    pub(crate) fn version_table(&self) -> String {
        format!("{}_schema_version", self.table)
    }

    /// The name of a partition of the table of records.
    pub(crate) fn partition(&self, number: u16) -> String {
        let Self { schema, table } = self;
        format!("\"{schema}\".\"{table}_part_{number}\"")
    }

    /// Puts the names into the text of a statement, where they stand in braces.
    pub(crate) fn fill(&self, text: &str) -> String {
        let Self { schema, table } = self;
        let mut filled = text.replace("{records}", &format!("\"{schema}\".\"{table}\""));
        for other in Self::OTHERS {
            let placeholder = format!("{{{other}}}");
            // An index is created in the schema of its table.
            let name = match other {
                "records_due" | "records_page" | "records_status" | "records_claim"
                | "inbox_until" => format!("\"{table}_{other}\""),
                _ => format!("\"{schema}\".\"{table}_{other}\""),
            };
            filled = filled.replace(&placeholder, &name);
        }
        filled
    }
}

/// Plain lower case, so that it reads the same with quotes and without.
fn check(field: &str, name: &str, max: usize) -> Result<()> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if starts && plain && name.len() <= max && !name.starts_with("pg_") {
        return Ok(());
    }
    let limit = format!("a-z, 0-9 and _, not beginning with a digit or pg_, {max} bytes");
    Err(Error::invalid(field, format!("is {name:?}"), limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_need_quoting_is_invalid() {
        for name in ["", "A", "a-b", "a\"b", "1a", "pg_x", "é", "a b", &"a".repeat(41)] {
            assert!(Names::new("s", name).is_err(), "{name:?}");
        }
        assert!(Names::new(&"a".repeat(63), &"a".repeat(40)).is_ok());
    }

    #[test]
    fn every_name_of_the_schema_is_filled_in() {
        let names = Names::new("ledger", "records").unwrap();
        let filled = names.fill(include_str!("sql/schema_1_0.sql"));
        assert!(filled.contains("CREATE TABLE \"ledger\".\"records\" ("), "{filled}");
        assert!(filled.contains("CREATE INDEX \"records_records_due\" ON \"ledger\".\"records\""));
        // An empty array, and what the layout fills in.
        let others = ["{}", "{storage}", "{partitions}"];
        let mut left = filled
            .match_indices('{')
            .filter(|(at, _)| !others.iter().any(|other| filled[*at..].starts_with(other)));
        assert_eq!(left.next(), None);
    }
}
