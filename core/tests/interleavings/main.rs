//! Every sequence of operations on one key, up to a depth, on the reference ledger.
//!
//! Beside the ledger runs an [`oracle`]; what the record has to do with it is said at
//! [`World::check`](world::World::check). A sequence that breaks it is printed, and none that is
//! shorter does.
//!
//! `INTERLEAVINGS_DEPTH` sets the length of the longest sequences, 7 if it is not set; those with
//! leases that run out are one step shorter. With `--nocapture` the tests print what they visited.

#![allow(clippy::unwrap_used)]

mod oracle;
mod world;

use std::time::Instant;

use sync_tracker_core::ExternalId;

use self::world::{STEPS, Setting, Step, World};

/// What the walks of one test visited.
#[derive(Clone, Copy, Debug, Default)]
struct Visited {
    sequences: u64,
    steps: u64,
    effects: u64,
}

/// A walk over all sequences of one length, depth first.
struct Walk<'a> {
    setting: &'a Setting,
    depth: usize,
    path: Vec<Step>,
    visited: Visited,
}

impl Walk<'_> {
    fn on_from(&mut self, world: &World) {
        let place = self.path.len();
        if place == self.depth {
            self.visited.sequences += 1;
            return;
        }
        for step in self.setting.steps {
            let mut next = world.clone();
            self.path.push(*step);
            let had_effect = next.take(*step, self.setting, &self.setting.places[place]);
            next.check(world, self.setting);
            self.visited.steps += 1;
            self.visited.effects += u64::from(had_effect);
            self.on_from(&next);
            self.path.pop();
        }
    }
}

/// Says after which steps it panicked.
impl Drop for Walk<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {:?}", self.path);
        }
    }
}

fn depth() -> usize {
    let depth = std::env::var("INTERLEAVINGS_DEPTH").ok().and_then(|depth| depth.parse().ok());
    depth.unwrap_or(7)
}

/// Walks all sequences of `steps`, the shortest first.
fn walk_all(
    name: &str,
    id: Option<ExternalId>,
    steps: &'static [Step],
    depth: usize,
    start: impl Fn(&Setting) -> World,
) {
    let begun = Instant::now();
    let setting = Setting::new(id, steps, depth);
    let start = start(&setting);
    let mut visited = Visited::default();
    for depth in 1..=depth {
        let path = Vec::with_capacity(depth);
        let mut walk = Walk { setting: &setting, depth, path, visited: Visited::default() };
        walk.on_from(&start);
        visited = walk.visited;
    }
    let Visited { sequences, steps: taken, effects } = visited;
    let elapsed = begun.elapsed();
    println!(
        "{name}: {sequences} sequences, {taken} steps, {effects} had an effect, {elapsed:.1?}"
    );
    assert_eq!(sequences, (steps.len() as u64).pow(u32::try_from(depth).unwrap()));
}

/// The steps without leases that run out.
fn in_time() -> &'static [Step] {
    &STEPS[..7]
}

#[test]
fn every_sequence_from_no_record_keeps_what_is_promised() {
    walk_all("from no record", None, in_time(), depth(), |_| World::untracked());
}

#[test]
fn every_sequence_from_a_synced_record_keeps_what_is_promised() {
    let id = Some(ExternalId::from(1));
    walk_all("from a synced record", id, in_time(), depth(), World::synced);
}

#[test]
fn every_sequence_with_expiry_from_no_record_keeps_what_is_promised() {
    walk_all("with expiry, from no record", None, &STEPS, depth() - 1, |_| World::untracked());
}

#[test]
fn every_sequence_with_expiry_from_a_synced_record_keeps_what_is_promised() {
    let id = Some(ExternalId::from(1));
    walk_all("with expiry, from a synced record", id, &STEPS, depth() - 1, World::synced);
}
