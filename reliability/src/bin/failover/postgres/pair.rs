//! A primary and its standby, with the network between them and their clients.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use sync_tracker_conformance::FaultProxy;
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::postgres::{Cluster, Server};
use tokio::time::sleep;

/// How long a standby may take until it follows.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the primary waits for before it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replication {
    /// For the standby, too.
    Synchronous,
    /// For its own disk only.
    Asynchronous,
}

/// How a primary is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// All of its processes are killed, and its connections end.
    Kill,
    /// Nothing passes between it and all others any more, and it lives on. Clients are cut off
    /// first, and for so long the standby still hears of what they are not told.
    ClientsFirst(Duration),
    /// As before, but the standby is cut off first, and for so long clients still reach the primary.
    StandbyFirst(Duration),
}

/// ```text
/// clients ─ endpoint ─ for_clients ─ primary ─ for_standby ─ standby
/// ```
/// The endpoint is the address that leads to the primary, and later to the standby; what is on its
/// way through `for_clients` then stays silent.
#[derive(Debug)]
pub(crate) struct Pair {
    primary: Server,
    standby: Server,
    endpoint: FaultProxy,
    for_clients: FaultProxy,
    for_standby: FaultProxy,
}

impl Pair {
    /// Starts both on copies of a cluster, and waits until the standby follows.
    pub(crate) async fn start(
        template: &Cluster,
        folder: &Path,
        replication: Replication,
    ) -> Result<Self, Failure> {
        let waits_for = match replication {
            Replication::Synchronous => "*",
            Replication::Asynchronous => "",
        };
        let primary = template.copy_to(&folder.join("primary"))?;
        // The standby may need what was written before it came.
        let settings = [("synchronous_standby_names", waits_for), ("wal_keep_size", "64MB")];
        let primary = primary.start(&settings)?;
        let for_clients = FaultProxy::start(primary.address()).await?;
        let for_standby = FaultProxy::start(primary.address()).await?;
        let endpoint = FaultProxy::start(for_clients.address()).await?;
        let standby = template.copy_to(&folder.join("standby"))?;
        standby.stand_by(for_standby.address())?;
        // Once it is the primary there is nobody else to wait for.
        let standby = standby.start(&[("synchronous_standby_names", "")])?;
        let pair = Self { primary, standby, endpoint, for_clients, for_standby };
        pair.is_followed().await?;
        Ok(pair)
    }

    async fn is_followed(&self) -> Result<(), Failure> {
        let mut connection = PgConnection::connect(&self.primary.url()).await?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let followers: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' \
                 AND (sync_state = 'sync' OR current_setting('synchronous_standby_names') = '')",
            )
            .fetch_one(&mut connection)
            .await?;
            if followers == 1 {
                return Ok(connection.close().await?);
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err("the standby does not follow".into())
    }

    /// Where clients find the primary, whoever it is.
    pub(crate) fn url(&self) -> String {
        self.primary.url_at(self.endpoint.address())
    }

    pub(crate) fn primary(&self) -> &Server {
        &self.primary
    }

    pub(crate) fn standby(&self) -> &Server {
        &self.standby
    }

    pub(crate) async fn lose_primary(&mut self, how: Cut) -> Result<(), Failure> {
        match how {
            Cut::Kill => self.primary.kill()?,
            Cut::ClientsFirst(before) => {
                self.for_clients.partition();
                sleep(before).await;
                self.for_standby.partition();
            }
            Cut::StandbyFirst(before) => {
                self.for_standby.partition();
                sleep(before).await;
                self.for_clients.partition();
            }
        }
        Ok(())
    }

    /// Leads whoever connects from now on to the standby.
    pub(crate) fn lead_to_standby(&self) {
        self.endpoint.lead_to(self.standby.address());
    }
}
