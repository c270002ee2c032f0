//! What can be wrong with a catalogue, said in one line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A catalogue that could not be read: the problem, and the file it is in where there is one.
#[derive(Debug)]
pub struct CatalogError {
    path: Option<PathBuf>,
    problem: Problem,
}

/// What is wrong. Lines count from 1, and a row that spans several lines is named by its first.
#[derive(Debug, Error)]
pub enum Problem {
    /// The file is missing or cannot be read.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// Nothing but blank lines.
    #[error("the file is empty")]
    Empty,
    /// A header, but no row below it.
    #[error("there is a header but no product below it")]
    NoProducts,
    /// The header lacks a column that every product needs.
    #[error("the header has no column named {names}")]
    MissingColumn {
        /// The names under which the column would have been found.
        names: String,
    },
    /// A byte that is not UTF-8.
    #[error("line {line}: the text is not valid UTF-8")]
    NotUtf8 {
        /// The line of the byte itself.
        line: u64,
    },
    /// A quoted field that never ends, or that goes on after its closing quote.
    #[error("line {line}: a quoted field is not closed, or text follows its closing quote")]
    Quoting {
        /// The first line of the row.
        line: u64,
    },
    /// More values than the header has columns.
    #[error("line {line}: {fields} fields, but the header has {columns} columns")]
    TooManyFields {
        /// The first line of the row.
        line: u64,
        /// How many fields the row has.
        fields: usize,
        /// How many the header has.
        columns: usize,
    },
    /// A row that belongs to no product.
    #[error("line {line}: the row has no handle")]
    MissingHandle {
        /// The first line of the row.
        line: u64,
    },
    /// The first row of a product lacks the title.
    #[error("line {line}: the first row of {handle:?} has no title")]
    MissingTitle {
        /// The first line of the row.
        line: u64,
        /// The product.
        handle: String,
    },
    /// A value that its column cannot hold.
    #[error("line {line}: {column:?} is {value:?}, expected {expected}")]
    BadValue {
        /// The first line of the row.
        line: u64,
        /// The column, as the header spells it.
        column: String,
        /// The value, cut short if it is long.
        value: String,
        /// What the column holds.
        expected: &'static str,
    },
}

impl CatalogError {
    /// The problem itself.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The file, unless the catalogue was not read from one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn at(self, path: &Path) -> Self {
        Self { path: Some(path.to_owned()), ..self }
    }
}

impl Problem {
    /// The line to look at, where the problem is on one.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Io(_) | Self::Empty | Self::NoProducts | Self::MissingColumn { .. } => None,
            Self::NotUtf8 { line }
            | Self::Quoting { line }
            | Self::TooManyFields { line, .. }
            | Self::MissingHandle { line }
            | Self::MissingTitle { line, .. }
            | Self::BadValue { line, .. } => Some(*line),
        }
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", path.display(), self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

impl std::error::Error for CatalogError {}

impl From<Problem> for CatalogError {
    fn from(problem: Problem) -> Self {
        Self { path: None, problem }
    }
}

impl From<io::Error> for CatalogError {
    fn from(error: io::Error) -> Self {
        Problem::Io(error).into()
    }
}
