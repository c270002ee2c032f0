//! What a shop keeps in a file: each change, as a line of JSON, before it is made.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::log::Kind;

/// A change of the shop.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) handle: String,
    /// Null for a deletion.
    pub(super) product: Value,
}

/// The file, open to add lines.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    length: u64,
}

impl Journal {
    /// Opens the file, which is made if there is none, and reads its changes. The end of a line
    /// that was cut off is dropped: nobody was told of that change.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Line>)> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let bytes = fs::read(path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(serde_json::from_slice).collect::<Result<_, _>>()?;
        let mut journal = Self { file, length: u64::try_from(whole).map_err(io::Error::other)? };
        journal.cut()?;
        Ok((journal, lines))
    }

    /// Adds a change, or leaves the file as it was.
    pub(super) fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if let Err(error) = self.file.write_all(&bytes) {
            self.cut()?;
            return Err(error);
        }
        self.length = self.file.stream_position()?;
        Ok(())
    }

    /// Takes back what is after the last whole line.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}
