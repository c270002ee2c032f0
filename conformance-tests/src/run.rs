//! Running one behaviour.

use std::future::Future;
use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::ground::{Fixture, Ground, Setup};

const LIMIT: Duration = Duration::from_secs(30);

/// Runs a behaviour on a fresh store: in a thread and on a runtime of its own, within the limit
/// even if it blocks.
///
/// # Panics
///
/// If the behaviour panics, or is not done within 30 seconds.
pub fn run<S, O, B, R>(name: &'static str, open: S, behaviour: B)
where
    S: Fn(Setup) -> O + Send + 'static,
    O: Future<Output: Fixture>,
    B: FnOnce(Ground) -> R + Send + 'static,
    R: Future<Output = ()>,
{
    within_limit(name, async move || behaviour(Ground::open(name, open).await).await);
}

/// Runs something in a thread and on a runtime of its own, within the limit even if it blocks.
pub(crate) fn within_limit(name: &'static str, run: impl AsyncFnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(run());
        // Whoever waits may be gone: too late is told there.
        let _ = done.send(());
    });
    let thread = thread.expect("a thread");
    match wait.recv_timeout(LIMIT) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(cause) = thread.join() {
                panic::resume_unwind(cause);
            }
        }
        Err(RecvTimeoutError::Timeout) => panic!("{name} was not done within {LIMIT:?}"),
    }
}

#[cfg(test)]
mod tests {
    use sync_tracker_memory::MemoryStore;

    use super::*;

    async fn store(setup: Setup) -> MemoryStore {
        MemoryStore::with_clock(setup.clock)
    }

    #[test]
    #[should_panic(expected = "the behaviour found a fault")]
    fn a_behaviour_that_panics_fails_the_test() {
        run("panics", store, |_| async { panic!("the behaviour found a fault") });
    }

    #[test]
    #[should_panic(expected = "the factory found no server")]
    fn a_factory_that_panics_fails_the_test() {
        async fn no_server(_: Setup) -> MemoryStore {
            panic!("the factory found no server")
        }
        run("no server", no_server, |_| async {});
    }
}
