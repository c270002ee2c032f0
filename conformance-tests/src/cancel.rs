//! Dropping a future half-way.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls a future at most so many times, and drops it. `None` if it was not done by then; with 0
/// polls it was never begun.
///
/// After the first poll it is polled when it has woken its task, as a runtime does, so it may wait
/// for a server. What it asked a server for before it was dropped may still be carried out, later
/// than this returns: whoever looks at the server has to reckon with both.
///
/// To drop a call at every point where it can be dropped, go on until it is done:
///
/// ```
/// use sync_tracker_conformance::dropped_after;
/// use tokio::task::yield_now;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut drops = 0;
/// while dropped_after(drops, async { yield_now().await; yield_now().await }).await.is_none() {
///     // Check here that nothing is torn.
///     drops += 1;
/// }
/// assert_eq!(drops, 3); // before it began, and at each of its two yields
/// # }
/// ```
pub async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_future_is_polled_as_often_as_it_is_said_and_then_dropped() {
        for polls in 0..5 {
            let (polled, alive) = (AtomicUsize::new(0), Arc::new(()));
            let held = Arc::clone(&alive);
            let future = poll_fn(|context| {
                let _ = &held;
                context.waker().wake_by_ref();
                match polled.fetch_add(1, Ordering::SeqCst) {
                    3 => Poll::Ready("done"),
                    _ => Poll::<&str>::Pending,
                }
            });
            let output = dropped_after(polls, future).await;
            assert_eq!(output, (polls == 4).then_some("done"));
            assert_eq!(polled.into_inner(), polls);
        }
    }

    #[tokio::test]
    async fn a_future_that_waits_is_not_polled_until_it_is_woken() {
        let polled = AtomicUsize::new(0);
        let waiting = async {
            let mut sleep = pin!(tokio::time::sleep(Duration::from_millis(20)));
            poll_fn(|context| {
                polled.fetch_add(1, Ordering::SeqCst);
                sleep.as_mut().poll(context)
            })
            .await;
        };
        assert_eq!(dropped_after(1_000, waiting).await, Some(()));
        assert!(polled.into_inner() < 10);
    }
}
