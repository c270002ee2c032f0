//! The records of a CSV text, each with the line it starts on.

use std::str;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::Problem;

/// One record that is not blank.
#[derive(Debug)]
pub(super) struct Record {
    /// The record's first line, counted from 1.
    pub(super) line: u64,
    pub(super) fields: StringRecord,
}

/// The text of a file: UTF-8, its byte order mark left out.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Problem> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let valid = str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        Problem::NotUtf8 { line: 1 + line_breaks(valid) }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads record after record; blank ones are left out.
pub(super) struct Records<'t> {
    text: &'t str,
    reader: Reader<&'t [u8]>,
    /// A byte offset, and the line it is on.
    known: (usize, u64),
}

impl<'t> Records<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let reader =
            ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        Self { text, reader, known: (0, 1) }
    }

    fn next_record(&mut self) -> Result<Option<Record>, Problem> {
        let mut fields = StringRecord::new();
        loop {
            let from = self.offset();
            if !self.reader.read_record(&mut fields).map_err(unreadable)? {
                return Ok(None);
            }
            let line_end = ['\r', '\n'];
            let raw = &self.text[from..self.offset()];
            let start = from + raw.len() - raw.trim_start_matches(line_end).len();
            let line = self.line_at(start);
            if !is_well_quoted(raw.trim_matches(line_end), &fields) {
                return Err(Problem::Quoting { line });
            }
            if fields.iter().any(|field| !field.trim().is_empty()) {
                return Ok(Some(Record { line, fields }));
            }
        }
    }

    /// How far the reader is, in bytes.
    fn offset(&self) -> usize {
        usize::try_from(self.reader.position().byte())
            .map_or(self.text.len(), |at| at.min(self.text.len()))
    }

    /// The reader's own count is one short after CRLF and after blank lines, so it is not used.
    fn line_at(&mut self, offset: usize) -> u64 {
        let (from, line) = self.known;
        self.known = (offset, line + line_breaks(&self.text[from..offset]));
        self.known.1
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

/// Reading from memory neither fails nor, after [`decode`], meets text that is not UTF-8.
fn unreadable(error: csv::Error) -> Problem {
    Problem::Io(std::io::Error::other(error))
}

/// Line ends of every kind: LF, CRLF, and a CR alone.
fn line_breaks(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = bytes.iter().enumerate().filter(|&(at, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.fold(0, |count, _| count + 1)
}

/// Whether `raw` is `fields` written out properly. The reader itself forgives a quote that is
/// never closed and text after a closing one, and so would swallow whole products.
fn is_well_quoted(raw: &str, fields: &StringRecord) -> bool {
    let mut rest = Some(raw);
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            rest = rest.and_then(|rest| rest.strip_prefix(','));
        }
        rest = rest.and_then(|rest| match rest.strip_prefix('"') {
            Some(quoted) => quoted.strip_prefix(&field.replace('"', "\"\""))?.strip_prefix('"'),
            None => rest.strip_prefix(field),
        });
    }
    rest == Some("")
}
