//! Commands: to the server and back, within the deadline.

use std::time::Duration;

use mongodb::error::Error as DriverError;
use sync_tracker_core::{Error, Result};
use tokio::time::timeout;

use crate::error::{self, Effect};

/// What came instead of an answer.
pub(crate) enum Failed {
    /// The driver or the server says why.
    Refused(DriverError),
    /// There was no answer in time.
    Late(Error),
}

impl Failed {
    pub(crate) fn into_error(self, effect: Effect) -> Error {
        match self {
            Self::Refused(cause) => error::sent(&cause, effect),
            Self::Late(late) => late,
        }
    }
}

/// Waits for a command, no longer than the deadline. It runs on when nobody waits any more: the
/// driver's state would not survive if it were dropped midway.
pub(crate) async fn run<T: Send + 'static>(
    deadline: Duration,
    effect: Effect,
    command: impl Future<Output = Result<T, DriverError>> + Send + 'static,
) -> Result<T, Failed> {
    match timeout(deadline, tokio::spawn(command)).await {
        Ok(Ok(answer)) => answer.map_err(Failed::Refused),
        Ok(Err(_)) => Err(Failed::Late(error::gone(effect))),
        Err(_) => Err(Failed::Late(error::late(deadline, effect))),
    }
}
