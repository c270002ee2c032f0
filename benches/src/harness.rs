//! Times of cases that run in turns, and their medians.

use std::collections::BTreeMap;
use std::time::Duration;

/// The times of some cases, told by name, each over several rounds.
#[derive(Clone, Debug, Default)]
pub struct Samples(BTreeMap<&'static str, Vec<f64>>);

impl Samples {
    /// Notes that one round of a case took `elapsed` for so many operations.
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    pub fn add(&mut self, case: &'static str, elapsed: Duration, operations: usize) {
        let nanos = elapsed.as_nanos() as f64 / operations.max(1) as f64;
        self.0.entry(case).or_default().push(nanos);
    }

    /// Nanoseconds per operation at the median over the rounds; `None` if the case never ran.
    #[must_use]
    pub fn median(&self, case: &str) -> Option<f64> {
        median(self.0.get(case)?)
    }
}

/// The median, of an even number the mean of the two in the middle; `None` of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_round_counts_by_the_operation() {
        let mut samples = Samples::default();
        samples.add("get", Duration::from_nanos(300), 3);
        assert_eq!(samples.median("get"), Some(100.0));
        assert_eq!(samples.median("put"), None);
    }
}
