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

/// Whether a write that failed was sent once more before anybody heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentAgain {
    Never,
    /// If its client retries writes.
    ByDriver,
}

impl Failed {
    /// Whether a unique index refused a write.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Refused(cause) if error::is_duplicate(cause))
    }

    /// A server that is not the primary does nothing. But if it is the second that was asked, the
    /// first may have done it, and the driver tells of the second only.
    pub(crate) fn after(self, sent_again: SentAgain, effect: Effect) -> Self {
        match self {
            Self::Refused(cause)
                if sent_again == SentAgain::ByDriver
                    && effect == Effect::Write
                    && error::is_of_no_primary(&cause) =>
            {
                Self::Late(error::of_second_try(&cause))
            }
            failed => failed,
        }
    }

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
