//! Commands: to the server and back, within the deadline.

use std::sync::Arc;
use std::time::Duration;

use mongodb::error::Error as DriverError;
use sync_tracker_core::{Error, Result};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

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

/// Waits for a command, no longer than the deadline, its turn included. Once it has begun it runs on
/// when nobody waits any more: the driver's state would not survive if it were dropped midway.
pub(crate) async fn run<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    deadline: Duration,
    effect: Effect,
    command: impl Future<Output = Result<T, DriverError>> + Send + 'static,
) -> Result<T, Failed> {
    let until = Instant::now() + deadline;
    // The driver's own queue for a connection cannot be left again.
    let Ok(Ok(turn)) = timeout_at(until, Arc::clone(turns).acquire_owned()).await else {
        return Err(Failed::Late(error::no_turn(deadline)));
    };
    let command = async move {
        let _turn = turn;
        command.await
    };
    match timeout_at(until, tokio::spawn(command)).await {
        Ok(Ok(answer)) => answer.map_err(Failed::Refused),
        Ok(Err(_)) => Err(Failed::Late(error::gone(effect))),
        Err(_) => Err(Failed::Late(error::late(deadline, effect))),
    }
}
