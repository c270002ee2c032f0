//! What pushes a record.

use std::future::Future;

use super::Job;
use crate::push_result::PushResult;

/// Carries one push out: any `async` function of a [`Job`].
///
/// It may run several times for one record, so it does what [`Job::operation`] says by means that
/// can be repeated, and looks before it creates when [`Job::in_doubt`]. If it panics, the outcome
/// of the push is unknown. If the lease is lost, it is dropped at its next await.
pub trait Handler: Send + Sync + 'static {
    /// Pushes.
    fn push(&self, job: Job) -> impl Future<Output = PushResult> + Send;
}

impl<F, R> Handler for F
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Future<Output = PushResult> + Send,
{
    fn push(&self, job: Job) -> impl Future<Output = PushResult> + Send {
        self(job)
    }
}
