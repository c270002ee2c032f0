//! Who takes part with one database each, filled alike.

use std::fmt::Debug;

use sync_tracker_benches::contest::Entrant;

/// The entrants, the store first.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) entrants: Vec<Entrant>,
    /// Whose, of which part, and how many bytes per record.
    pub(crate) bytes: Vec<(String, f64)>,
    /// Where the databases are, which are removed at the end.
    pub(crate) _place: Option<Box<dyn Debug + Send + Sync>>,
}
