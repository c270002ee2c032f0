//! How much processor time a database server on this machine has taken.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A server that is one process, or has one for each connection, as PostgreSQL has.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    parent: u32,
}

impl Server {
    /// The server that a process of this name belongs to; `None` if it is not on this machine.
    #[must_use]
    pub fn of(process: u32, name: &str) -> Option<Self> {
        let status = fs::read_to_string(of_process(process, "status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        if field("Name:")?.trim() != name {
            return None;
        }
        let server = Self { parent: field("PPid:")?.trim().parse().ok()? };
        server.times().map(|_| server)
    }

    /// The server that is a process of this name; `None` if it is not on this machine.
    #[must_use]
    pub fn alone(process: u32, name: &str) -> Option<Self> {
        let status = fs::read_to_string(of_process(process, "status")).ok()?;
        let found = status.lines().find_map(|line| line.strip_prefix("Name:"))?.trim();
        let server = Self { parent: process };
        (found == name && server.times().is_some()).then_some(server)
    }

    /// Processor time of each of its processes. What others let it do counts, too.
    #[must_use]
    pub fn times(self) -> Option<Times> {
        let Self { parent } = self;
        let children = fs::read_to_string(of_process(parent, &format!("task/{parent}/children")));
        let children = children.ok()?;
        let processes = children.split_whitespace().filter_map(|it| it.parse().ok());
        let times = processes.chain([parent]).filter_map(|it| Some((it, nanos_on_processor(it)?)));
        Some(Times(times.collect()))
    }
}

/// Nanoseconds on a processor, of each process.
#[derive(Clone, Debug)]
pub struct Times(HashMap<u32, u64>);

impl Times {
    /// How much all processes took since, but for those that have ended.
    #[must_use]
    pub fn since(&self, before: &Self) -> Duration {
        let taken = |(process, nanos): (&u32, &u64)| {
            nanos.saturating_sub(before.0.get(process).copied().unwrap_or_default())
        };
        Duration::from_nanos(self.0.iter().map(taken).sum())
    }
}

fn nanos_on_processor(process: u32) -> Option<u64> {
    let schedstat = fs::read_to_string(of_process(process, "schedstat")).ok()?;
    schedstat.split_whitespace().next()?.parse().ok()
}

fn of_process(process: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_called_so_belongs_to_no_server() {
        assert!(Server::of(std::process::id(), "no server is called so").is_none());
        assert!(Server::alone(std::process::id(), "no server is called so").is_none());
    }

    #[test]
    fn a_process_that_began_counts_from_nothing_and_one_that_ended_not_at_all() {
        let before = Times(HashMap::from([(1, 5), (2, 100)]));
        let after = Times(HashMap::from([(1, 7), (3, 20)]));
        assert_eq!(after.since(&before), Duration::from_nanos(22));
    }
}
