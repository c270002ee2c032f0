//! A connection that is made when it is needed, and again after it broke.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, Client, RedisError};
use sync_tracker_core::Result;
use tokio::time::{Instant, timeout_at};

use crate::error::{self, Effect};

/// Whom to call.
pub(crate) enum Number {
    /// The server itself.
    Server(Box<Client>),
    /// Whoever Sentinel says is the master.
    Sentinel(Box<SentinelClient>),
}

impl Number {
    async fn dial(&mut self) -> Result<MultiplexedConnection, RedisError> {
        // The deadline of the call is the limit, also for what is shared.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        match self {
            Self::Server(client) => {
                client.get_multiplexed_async_connection_with_config(&config).await
            }
            Self::Sentinel(client) => client.get_async_connection_with_config(&config).await,
        }
    }
}

/// A connection that all calls share.
pub(crate) struct Line {
    /// Counted, so that who saw an earlier one break does not drop a later one.
    current: Mutex<(u64, Option<MultiplexedConnection>)>,
    number: tokio::sync::Mutex<Number>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) fn new(number: Number) -> Self {
        Self { current: Mutex::default(), number: tokio::sync::Mutex::new(number) }
    }

    fn current(&self) -> (u64, Option<MultiplexedConnection>) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection and its number.
    pub(crate) async fn get(
        &self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<(u64, MultiplexedConnection)> {
        if let (number, Some(connection)) = self.current() {
            return Ok((number, connection));
        }
        let dialled = timeout_at(deadline, async {
            let mut number = self.number.lock().await;
            if let (number, Some(connection)) = self.current() {
                return Ok((number, connection));
            }
            let connection = number.dial().await?;
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            *current = (current.0 + 1, Some(connection.clone()));
            Ok((current.0, connection))
        });
        match dialled.await {
            Ok(dialled) => dialled.map_err(|cause| error::connecting(&cause)),
            Err(_) => Err(error::late(limit, Effect::None)),
        }
    }

    /// Lets go of a connection that broke.
    pub(crate) fn hang_up(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == number {
            current.1 = None;
        }
    }
}
