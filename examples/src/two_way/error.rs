//! How the application can fail.

use sync_tracker::Failed;
use thiserror::Error;

use crate::client::ShopError;

/// Something went wrong, and is to be tried again later unless it says otherwise.
#[derive(Debug, Error)]
pub enum TwoWayError {
    /// The ledger failed.
    #[error("the ledger: {0}")]
    Ledger(#[from] sync_tracker::Error),
    /// The shop failed.
    #[error(transparent)]
    Shop(#[from] ShopError),
    /// It cannot be done just now.
    #[error("later: {0}")]
    Later(&'static str),
    /// The application and the ledger disagree, which they never should.
    #[error("the ledger does not fit: {0}")]
    Broken(String),
}

impl From<TwoWayError> for Failed {
    fn from(problem: TwoWayError) -> Self {
        match problem {
            TwoWayError::Ledger(error) => error.into(),
            TwoWayError::Shop(error) => error.into(),
            TwoWayError::Later(_) => Self::transient(problem.to_string()),
            TwoWayError::Broken(_) => Self::permanent(problem.to_string()),
        }
    }
}
