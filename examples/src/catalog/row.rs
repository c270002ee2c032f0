//! One row, read by field.

use std::str::FromStr;
use std::sync::Arc;

use super::columns::{Columns, Field};
use super::records::Record;
use super::{Price, Problem};

/// A record under the header. A field that the record ends before is empty.
pub(super) struct Row {
    record: Record,
    columns: Arc<Columns>,
}

impl Row {
    /// Refuses a record that holds values beyond the last column.
    pub(super) fn new(record: Record, columns: Arc<Columns>) -> Result<Self, Problem> {
        let surplus = record.fields.iter().skip(columns.len()).any(|it| !it.trim().is_empty());
        if surplus {
            return Err(Problem::TooManyFields {
                line: record.line,
                fields: record.fields.len(),
                columns: columns.len(),
            });
        }
        Ok(Self { record, columns })
    }

    pub(super) fn line(&self) -> u64 {
        self.record.line
    }

    /// The value exactly as it is in the file.
    pub(super) fn exact(&self, field: Field) -> &str {
        self.columns.place(field).and_then(|place| self.record.fields.get(place)).unwrap_or("")
    }

    /// The value without blanks around it, unless nothing is left of it.
    pub(super) fn text(&self, field: Field) -> Option<&str> {
        Some(self.exact(field).trim()).filter(|text| !text.is_empty())
    }

    /// The same, as a value of its own.
    pub(super) fn owned(&self, field: Field) -> Option<String> {
        self.text(field).map(str::to_owned)
    }

    pub(super) fn price(&self, field: Field) -> Result<Option<Price>, Problem> {
        self.parsed(field, "a price such as 1234.50")
    }

    /// A whole number, also one that went through a spreadsheet (`3.0`); anything else is none.
    pub(super) fn whole_number(&self, field: Field) -> Option<i64> {
        let text = self.text(field)?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        fraction.bytes().all(|byte| byte == b'0').then(|| whole.parse().ok())?
    }

    /// True or false; anything else is neither.
    pub(super) fn yes_or_no(&self, field: Field) -> Option<bool> {
        match self.text(field)?.to_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    fn parsed<T: FromStr>(
        &self,
        field: Field,
        expected: &'static str,
    ) -> Result<Option<T>, Problem> {
        self.text(field)
            .map(|text| text.parse().map_err(|_| self.bad_value(field, text, expected)))
            .transpose()
    }

    fn bad_value(&self, field: Field, value: &str, expected: &'static str) -> Problem {
        const LONGEST: usize = 40;
        let mut shown: String = value.chars().take(LONGEST).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Problem::BadValue {
            line: self.line(),
            column: self.columns.name(field).to_owned(),
            value: shown,
            expected,
        }
    }
}
