//! Connections of the bare driver that are held, and shared by callers in turn.

use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sync_tracker_benches::Failure;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// The first few of a number of connections, each opened when it is first needed: a server has not
/// many, so those who have more share them with those who have fewer.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    options: PgConnectOptions,
    all: Arc<[Mutex<Option<PgConnection>>]>,
    count: usize,
}

impl Connections {
    pub(crate) fn new(options: &PgConnectOptions, count: usize) -> Self {
        let all = (0..count).map(|_| Mutex::default()).collect();
        Self { options: options.clone(), all, count }
    }

    pub(crate) fn first(&self, count: usize) -> Self {
        Self { count, ..self.clone() }
    }

    /// The connection that a caller shares with others, if there are more callers.
    pub(crate) async fn of(
        &self,
        caller: usize,
    ) -> Result<MappedMutexGuard<'_, PgConnection>, Failure> {
        let mut place = self.all[caller % self.count].lock().await;
        if place.is_none() {
            *place = Some(self.options.connect().await?);
        }
        let connection = MutexGuard::try_map(place, Option::as_mut);
        connection.map_err(|_| "a connection that was opened is gone".into())
    }
}

/// The settings of the store that make a difference to speed.
pub(crate) fn settings(options: PgConnectOptions) -> PgConnectOptions {
    let settings = [("synchronous_commit", "on"), ("jit", "off"), ("enable_seqscan", "off")];
    options.options(settings).disable_statement_logging()
}
