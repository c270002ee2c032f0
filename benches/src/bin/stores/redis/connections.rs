//! Connections of the bare driver, each of which carries the calls of several callers at once.

use std::sync::Arc;

use redis::Client;
use redis::aio::MultiplexedConnection;
use sync_tracker_benches::Failure;

use super::connect;

/// The first few of a number of connections.
#[derive(Clone)]
pub(crate) struct Connections {
    all: Arc<[MultiplexedConnection]>,
    count: usize,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Connections {
    pub(crate) async fn open(client: &Client, count: usize) -> Result<Self, Failure> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(connect(client).await?);
        }
        Ok(Self { all: all.into(), count })
    }

    pub(crate) fn first(&self, count: usize) -> Self {
        Self { count, ..self.clone() }
    }

    /// The connection that a caller shares with others, if there are more callers.
    pub(crate) fn of(&self, caller: usize) -> MultiplexedConnection {
        self.all[caller % self.count].clone()
    }
}
