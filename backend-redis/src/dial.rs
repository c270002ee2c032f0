//! A connection that is made when it is needed, and again after it broke.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::sentinel::SentinelClient;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind as Kind, Pipeline, RedisError, ServerErrorKind,
    Value,
};
use sync_tracker_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::error::{self, Effect};

/// How long it is waited for a connection at least, if the deadline is not before. Else it is a
/// quarter of what a call may take: nothing was sent, and another server may be the master by now.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

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
            Self::Sentinel(client) => loop {
                let master = client.async_get_client().await?;
                let connection =
                    master.get_multiplexed_async_connection_with_config(&config).await?;
                // It may have taken so long that there is another one by now.
                let still = client.async_get_client().await?;
                if still.get_connection_info().addr() == master.get_connection_info().addr() {
                    return Ok(connection);
                }
            },
        }
    }
}

/// How many replicas have to acknowledge a write, and for how long it waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) replicas: u32,
    pub(crate) limit: Duration,
}

impl Waits {
    fn command(self) -> Cmd {
        let mut wait = redis::cmd("WAIT");
        wait.arg(self.replicas).arg(self.limit.as_millis().clamp(1, 86_400_000).to_string());
        wait
    }
}

/// A command, and what goes with it.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) command: &'a Cmd,
    /// Whether it is for a slot that is on its way to the server.
    pub(crate) is_asking: bool,
    /// Whether replicas are asked for afterwards.
    pub(crate) waits: Option<Waits>,
}

/// What came instead of a value.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no connection, so nothing was sent.
    NotSent(Error),
    /// The server refused, or the connection broke.
    Sent(RedisError),
    /// There was no answer.
    Late,
    /// It is done, and too few replicas are known to have it.
    TooFew,
}

impl Failed {
    pub(crate) fn is_unknown_script(&self) -> bool {
        matches!(self, Self::Sent(cause) if error::is_unknown_script(cause))
    }

    /// Whether another server may be the master now.
    pub(crate) fn may_be_of_a_change(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Late => true,
            Self::Sent(cause) => {
                is_broken(cause)
                    || matches!(
                        cause.kind(),
                        Kind::Server(
                            ServerErrorKind::ReadOnly
                                | ServerErrorKind::ClusterDown
                                | ServerErrorKind::MasterDown
                                | ServerErrorKind::BusyLoading
                        )
                    )
            }
            Self::TooFew => false,
        }
    }

    pub(crate) fn error(self, limit: Duration, effect: Effect) -> Error {
        match self {
            Self::NotSent(error) => error,
            Self::Sent(cause) => error::sent(&cause, effect),
            Self::Late => error::late(limit, effect),
            Self::TooFew => {
                let message = "written, and not known to be on enough replicas";
                error::error(ErrorKind::Unknown, message)
            }
        }
    }
}

/// Whether nothing more comes from a connection, or nothing that can be read.
fn is_broken(cause: &RedisError) -> bool {
    cause.is_unrecoverable_error() || cause.kind() == Kind::Io
}

/// Whether a failover has left us with a replica.
fn is_of_replica(cause: &RedisError) -> bool {
    cause.kind() == Kind::Server(ServerErrorKind::ReadOnly)
}

impl<'a> Request<'a> {
    pub(crate) fn of(command: &'a Cmd) -> Self {
        Self { command, is_asking: false, waits: None }
    }

    /// Sends it in one go, so that nothing comes between.
    async fn send(self, connection: &mut MultiplexedConnection) -> Result<Value, Failed> {
        let Self { command, is_asking, waits } = self;
        if !is_asking && waits.is_none() {
            let value = connection.req_packed_command(command).await;
            return value.and_then(Value::extract_error).map_err(Failed::Sent);
        }
        let mut pipeline = Pipeline::new();
        if is_asking {
            pipeline.add_command(redis::cmd("ASKING"));
        }
        pipeline.add_command(command.clone());
        if let Some(waits) = waits {
            pipeline.add_command(waits.command());
        }
        let (before, after) = (usize::from(is_asking), usize::from(waits.is_some()));
        let answers = connection.req_packed_commands(&pipeline, 0, before + 1 + after).await;
        let mut answers = answers.map_err(Failed::Sent)?.into_iter().skip(before);
        let value = answers.next().unwrap_or(Value::Nil).extract_error().map_err(Failed::Sent)?;
        match (waits, answers.next()) {
            (None, _) => Ok(value),
            (Some(waits), Some(Value::Int(replicas))) if replicas >= waits.replicas.into() => {
                Ok(value)
            }
            (Some(_), _) => Err(Failed::TooFew),
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

    /// Sends a request, and lets go of a connection that broke, is silent, or leads to a replica.
    pub(crate) async fn send(
        &self,
        request: Request<'_>,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, Failed> {
        let connected = self.get(deadline, limit).await;
        let (number, mut connection) = connected.map_err(Failed::NotSent)?;
        let answer = timeout_at(deadline, request.send(&mut connection)).await;
        let answer = answer.unwrap_or(Err(Failed::Late));
        let has_failed = match &answer {
            Err(Failed::Sent(cause)) => is_broken(cause) || is_of_replica(cause),
            Err(Failed::Late) => true,
            _ => false,
        };
        if has_failed {
            self.hang_up(number);
        }
        answer
    }

    /// The connection and its number.
    async fn get(
        &self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<(u64, MultiplexedConnection)> {
        if let (number, Some(connection)) = self.current() {
            return Ok((number, connection));
        }
        let patience = (limit / 4).max(LEAST_PATIENCE).min(limit);
        let dialled = timeout_at(deadline.min(Instant::now() + patience), async {
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
            Err(_) => Err(error::late(patience, Effect::None)),
        }
    }

    /// Lets go of a connection that broke.
    fn hang_up(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == number {
            current.1 = None;
        }
    }
}
