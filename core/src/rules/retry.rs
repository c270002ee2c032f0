//! How long to wait before a failed push is tried again.

use rand::RngExt;

use crate::change::RetryTable;
use crate::error::Error;
use crate::time::Millis;

/// A retry schedule: how often a push is attempted, and how long to wait in between.
///
/// The default attempts 8 times: waits begin at 30 s and double to 32 min, with a jitter of 0.25.
///
/// ```
/// use std::time::Duration;
/// use sync_tracker_core::rules::RetrySchedule;
///
/// let schedule = RetrySchedule::exponential(
///     Duration::from_millis(100), 3.0, Duration::from_millis(500), 4,
/// )?;
/// let waits: Vec<_> = schedule.table(None).delays().iter().map(|wait| wait.get()).collect();
/// assert_eq!(waits, [100, 300, 500]);
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySchedule {
    waits: Vec<Millis>,
    jitter: f64,
}

impl RetrySchedule {
    /// The most attempts that a schedule may allow.
    pub const MAX_ATTEMPTS: u32 = 256;

    /// Waits that grow: `initial`, then `factor` times as long each time, at most `maximum`; up to
    /// `max_attempts` attempts, the first one included.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) unless `factor` is 1 to 1,000,
    /// `max_attempts` 1 to 256, and both spans at most 3,650 days.
    pub fn exponential(
        initial: std::time::Duration,
        factor: f64,
        maximum: std::time::Duration,
        max_attempts: u32,
    ) -> Result<Self, Error> {
        if !(1.0..=1_000.0).contains(&factor) {
            return Err(Error::invalid("retry factor", format!("is {factor}"), "1 to 1,000"));
        }
        if !(1..=Self::MAX_ATTEMPTS).contains(&max_attempts) {
            return Err(Error::invalid(
                "maximum attempts",
                format!("are {max_attempts}"),
                "1 to 256",
            ));
        }
        let (initial, maximum) = (Millis::try_from(initial)?, Millis::try_from(maximum)?);
        let mut wait = initial.min(maximum);
        let waits = (1..max_attempts)
            .map(|_| {
                let this = wait;
                wait = scaled(wait, factor).min(maximum);
                this
            })
            .collect();
        Ok(Self { waits, jitter: 0.0 })
    }

    /// The waits one by one; one attempt more than there are waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for more than 255 waits, or one of more
    /// than 3,650 days.
    pub fn steps(waits: impl IntoIterator<Item = std::time::Duration>) -> Result<Self, Error> {
        let waits: Vec<_> = waits.into_iter().map(Millis::try_from).collect::<Result<_, _>>()?;
        RetryTable::new(waits.clone())?;
        Ok(Self { waits, jitter: 0.0 })
    }

    /// Shortens each wait by a random share of up to `jitter`, so that what failed together is not
    /// tried together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) unless it is 0 to 1.
    pub fn with_jitter(self, jitter: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&jitter) {
            return Err(Error::invalid("retry jitter", format!("is {jitter}"), "0 to 1"));
        }
        Ok(Self { jitter, ..self })
    }

    /// How often a push is attempted before it becomes a dead letter.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        u32::try_from(self.waits.len()).map_or(u32::MAX, |waits| waits + 1)
    }

    /// The waits for one failure, with jitter, none shorter than the remote asked for.
    #[must_use]
    pub fn table(&self, retry_after: Option<Millis>) -> RetryTable {
        let at_least = retry_after.unwrap_or_default();
        let waits: Vec<_> =
            self.waits.iter().map(|wait| self.jittered(*wait).max(at_least)).collect();
        // Never longer than `waits`, whose length was checked when they were made.
        RetryTable::new(waits).unwrap_or_default()
    }

    /// How long to wait when the remote asks for patience.
    #[must_use]
    pub fn pause(&self, retry_after: Option<Millis>) -> Millis {
        retry_after
            .unwrap_or_else(|| self.waits.first().map_or(Millis::ZERO, |wait| self.jittered(*wait)))
    }

    fn jittered(&self, wait: Millis) -> Millis {
        if self.jitter == 0.0 {
            return wait;
        }
        scaled(wait, 1.0 - self.jitter * rand::rng().random::<f64>())
    }
}

impl Default for RetrySchedule {
    fn default() -> Self {
        let waits = (0..7).filter_map(|doubled| Millis::new(30_000 << doubled).ok()).collect();
        Self { waits, jitter: 0.25 }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // floats saturate, none negative
fn scaled(span: Millis, factor: f64) -> Millis {
    #[allow(clippy::cast_precision_loss)] // at most 3.2e11 milliseconds
    let millis = span.get() as f64 * factor;
    Millis::new(millis as u64).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn waits(table: &RetryTable) -> Vec<u64> {
        table.delays().iter().map(|wait| wait.get()).collect()
    }

    #[test]
    fn waits_grow_by_the_factor_up_to_the_maximum() {
        let [initial, maximum] = [10, 100].map(Duration::from_millis);
        let schedule = RetrySchedule::exponential(initial, 2.5, maximum, 6).unwrap();
        assert_eq!(waits(&schedule.table(None)), [10, 25, 62, 100, 100]);
        assert_eq!(schedule.max_attempts(), 6);
        let once = RetrySchedule::exponential(initial, 1.0, maximum, 1).unwrap();
        assert_eq!((waits(&once.table(None)), once.max_attempts()), (vec![], 1));
        assert_eq!(RetrySchedule::default().max_attempts(), 8);
    }

    #[test]
    fn no_wait_is_shorter_than_the_remote_asked_for() {
        let schedule = RetrySchedule::steps([10, 1_000].map(Duration::from_millis)).unwrap();
        let asked = Millis::new(50).ok();
        assert_eq!(waits(&schedule.table(asked)), [50, 1_000]);
        assert_eq!(schedule.pause(asked).get(), 50);
        assert_eq!(schedule.pause(None).get(), 10);
    }

    #[test]
    fn jitter_shortens_by_its_share_at_most_and_differs() {
        let waits_of = [Duration::from_secs(1_000); 200];
        let schedule = RetrySchedule::steps(waits_of).unwrap().with_jitter(0.25).unwrap();
        let waits = waits(&schedule.table(None));
        assert!(waits.iter().all(|wait| (750_000..=1_000_000).contains(wait)));
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
        assert!(waits.iter().any(|wait| *wait < 850_000) && waits.iter().any(|w| *w > 900_000));
    }

    #[test]
    fn what_breaks_a_limit_is_named() {
        let second = Duration::from_secs(1);
        for (schedule, field) in [
            (RetrySchedule::exponential(second, 0.5, second, 3), "retry factor"),
            (RetrySchedule::exponential(second, f64::NAN, second, 3), "retry factor"),
            (RetrySchedule::exponential(second, 2.0, second, 0), "maximum attempts"),
            (RetrySchedule::exponential(second, 2.0, second, 257), "maximum attempts"),
            (RetrySchedule::exponential(Duration::MAX, 2.0, second, 3), "duration"),
            (RetrySchedule::steps([second; 256]), "retry table"),
            (RetrySchedule::default().with_jitter(1.1), "retry jitter"),
        ] {
            let error = schedule.unwrap_err().to_string();
            assert!(error.starts_with(&format!("invalid: {field} ")), "{error}");
        }
        assert!(RetrySchedule::steps([second; 255]).is_ok());
    }
}
