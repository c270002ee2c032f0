//! When a fault happens: by counting, not by chance, so that every run is the same.

use std::collections::HashMap;

use super::Rate;

const ALL: u64 = 1_000_000;

/// Picks requests evenly: of any n in a row from the start, n × rate of them, rounded up. The
/// first one is picked unless the rate is zero.
#[derive(Debug)]
pub(super) struct Schedule {
    rate: Rate,
    asked: u64,
}

impl Schedule {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, asked: 0 }
    }

    /// Whether the next request is picked.
    pub(super) fn next(&mut self) -> bool {
        let before = (self.asked * self.rate.millionths()).div_ceil(ALL);
        self.asked += 1;
        (self.asked * self.rate.millionths()).div_ceil(ALL) > before
    }
}

/// Picks names evenly in the order of their first appearance, and keeps to what it decided. It
/// rounds down, so the first name is never picked.
#[derive(Debug)]
pub(super) struct Blacklist {
    rate: Rate,
    picked: HashMap<String, bool>,
    seen: u64,
}

impl Blacklist {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, picked: HashMap::new(), seen: 0 }
    }

    /// Whether this name is picked.
    pub(super) fn has(&mut self, name: &str) -> bool {
        if let Some(&picked) = self.picked.get(name) {
            return picked;
        }
        let before = self.seen * self.rate.millionths() / ALL;
        self.seen += 1;
        let picked = self.seen * self.rate.millionths() / ALL > before;
        self.picked.insert(name.to_owned(), picked);
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(share: f64) -> Rate {
        share.try_into().unwrap()
    }

    fn picks(share: f64, requests: usize) -> Vec<usize> {
        let mut schedule = Schedule::new(rate(share));
        (1..=requests).filter(|_| schedule.next()).collect()
    }

    #[test]
    fn requests_are_picked_evenly_beginning_with_the_first() {
        assert!(picks(0.0, 100).is_empty());
        assert_eq!(picks(0.25, 12), [1, 5, 9]);
        assert_eq!(picks(0.4, 10), [1, 3, 6, 8]);
        assert_eq!(picks(0.9, 20), [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn the_share_is_exact_over_many_requests() {
        for (share, expected) in [(0.1, 100_000), (0.7, 700_000), (0.333_333, 333_333)] {
            assert_eq!(picks(share, 1_000_000).len(), expected, "{share}");
        }
    }

    #[test]
    fn a_name_is_picked_for_good_and_never_the_first() {
        let mut list = Blacklist::new(rate(0.5));
        let names = ["a", "b", "a", "c", "b", "d", "e", "d"];
        assert_eq!(
            names.map(|name| list.has(name)),
            [false, true, false, false, true, true, false, true]
        );
        assert!(!Blacklist::new(Rate::NEVER).has("a"));
    }
}
