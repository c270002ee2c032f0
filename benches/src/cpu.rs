//! How much processor time this process has taken.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads since the process began.
#[must_use]
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let begun = processor_time();
        let mut sum = 0_u64;
        while processor_time() == begun {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(processor_time() > begun);
    }
}
