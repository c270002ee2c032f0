//! Who takes part with one database each, filled alike.

use sync_tracker_benches::contest::Entrant;
use tempfile::TempDir;

/// The entrants, the store first.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) entrants: Vec<Entrant>,
    /// Whose, of which part, and how many bytes per record.
    pub(crate) bytes: Vec<(String, f64)>,
    /// Holds what is on disk until the end.
    pub(crate) _folder: Option<TempDir>,
}
