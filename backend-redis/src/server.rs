//! Commands: to the server and back, within the deadline.

use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, Pipeline, RedisError, ServerErrorKind, Value};
use sync_tracker_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::dial::Line;
use crate::error::{self, Effect};
use crate::scripts::Script;

/// How many replicas have to acknowledge a write, and for how long it waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) replicas: u32,
    pub(crate) limit: Duration,
}

/// Where commands go.
#[derive(Debug)]
pub(crate) enum Way {
    /// One server, be it found by Sentinel.
    One(Box<Line>),
    /// A cluster.
    Cluster(Cluster),
}

/// The driver's connection to a cluster.
pub(crate) struct Cluster(pub(crate) ClusterConnection);

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// A server, or a cluster of them.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) reads: Way,
    /// A connection for writes alone, if they wait for replicas: what comes behind waits as well.
    pub(crate) writes: Option<(Way, Waits)>,
    pub(crate) deadline: Duration,
}

/// A script with its keys and arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) script: &'a Script,
    pub(crate) keys: &'a [String],
    pub(crate) args: &'a [Vec<u8>],
    pub(crate) effect: Effect,
}

impl Call<'_> {
    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(self.keys).arg(self.args);
        command
    }
}

impl Server {
    /// Calls a script by its hash; by its text if the server does not know it, or no more.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Value> {
        let deadline = Instant::now() + self.deadline;
        let known = call.command("EVALSHA", call.script.hash());
        match self.try_send(&known, call.effect, deadline).await {
            Err(Answer::UnknownScript) => {
                let text = call.command("EVAL", call.script.text());
                Ok(self.try_send(&text, call.effect, deadline).await?)
            }
            other => Ok(other?),
        }
    }

    /// Sends a command.
    pub(crate) async fn send(&self, command: &Cmd, effect: Effect) -> Result<Value> {
        let deadline = Instant::now() + self.deadline;
        Ok(self.try_send(command, effect, deadline).await?)
    }

    /// Sends a question to every master, of which each answers for itself.
    pub(crate) async fn send_to_all(&self, command: &Cmd) -> Result<Value> {
        let Way::Cluster(cluster) = &self.reads else {
            return self.send(command, Effect::None).await;
        };
        let to = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let mut connection = cluster.0.clone();
        let answer = connection.route_command(command.clone(), to);
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(answer) => answer.map_err(|cause| error::sent(&cause, Effect::None)),
            Err(_) => Err(error::late(self.deadline, Effect::None)),
        }
    }

    async fn try_send(
        &self,
        command: &Cmd,
        effect: Effect,
        deadline: Instant,
    ) -> Result<Value, Answer> {
        match (&self.writes, effect) {
            (Some((way, waits)), Effect::Write) => {
                self.send_by(way, command, effect, deadline, Some(*waits)).await
            }
            _ => self.send_by(&self.reads, command, effect, deadline, None).await,
        }
    }

    async fn send_by(
        &self,
        way: &Way,
        command: &Cmd,
        effect: Effect,
        deadline: Instant,
        waits: Option<Waits>,
    ) -> Result<Value, Answer> {
        match way {
            Way::One(line) => {
                let (number, mut connection) = line.get(deadline, self.deadline).await?;
                let answer = timeout_at(deadline, send(&mut connection, command, waits)).await;
                match answer {
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(cause)) => {
                        if cause.failed.is_unrecoverable_error() || is_of_replica(&cause.failed) {
                            line.hang_up(number);
                        }
                        Err(cause.answer(effect))
                    }
                    Err(_) => {
                        line.hang_up(number);
                        Err(Answer::Error(error::late(self.deadline, effect)))
                    }
                }
            }
            Way::Cluster(cluster) => {
                let mut connection = cluster.0.clone();
                match timeout_at(deadline, follow(&mut connection, command, waits)).await {
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(cause)) => Err(cause.answer(effect)),
                    Err(_) => Err(Answer::Error(error::late(self.deadline, effect))),
                }
            }
        }
    }
}

/// What came instead of a value.
enum Answer {
    UnknownScript,
    Error(Error),
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Answer> for Error {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::UnknownScript => {
                error::error(ErrorKind::Unavailable, "the server forgot a script")
            }
            Answer::Error(error) => error,
        }
    }
}

/// What failed, and whether the write was done before.
struct Cause {
    failed: RedisError,
    is_written: bool,
}

impl From<RedisError> for Cause {
    fn from(failed: RedisError) -> Self {
        Self { failed, is_written: false }
    }
}

impl Cause {
    fn answer(self, effect: Effect) -> Answer {
        if self.is_written {
            let message = "written, and not known to be on enough replicas";
            return Answer::Error(error::error(ErrorKind::Unknown, message));
        }
        if error::is_unknown_script(&self.failed) {
            return Answer::UnknownScript;
        }
        Answer::Error(error::sent(&self.failed, effect))
    }
}

/// Whether a failover has left us with a replica.
fn is_of_replica(cause: &RedisError) -> bool {
    cause.kind() == redis::ErrorKind::Server(ServerErrorKind::ReadOnly)
}

fn wait(waits: Waits) -> Cmd {
    let mut wait = redis::cmd("WAIT");
    wait.arg(waits.replicas).arg(waits.limit.as_millis().clamp(1, 86_400_000).to_string());
    wait
}

/// Sends a command, and right behind it, if it is to wait, the question for replicas.
async fn send<C: ConnectionLike>(
    connection: &mut C,
    command: &Cmd,
    waits: Option<Waits>,
) -> Result<Value, Cause> {
    let Some(waits) = waits else {
        return Ok(connection.req_packed_command(command).await?.extract_error()?);
    };
    let mut pipeline = Pipeline::new();
    pipeline.add_command(command.clone()).add_command(wait(waits));
    let mut answers = connection.req_packed_commands(&pipeline, 0, 2).await?.into_iter();
    let value = answers.next().unwrap_or(Value::Nil).extract_error()?;
    match answers.next() {
        Some(Value::Int(replicas)) if replicas >= waits.replicas.into() => Ok(value),
        _ => {
            let failed = (redis::ErrorKind::Client, "too few replicas").into();
            Err(Cause { failed, is_written: true })
        }
    }
}

/// How often a command follows a key from server to server.
const REDIRECTIONS: u32 = 8;

/// Sends a command to where its keys are. The driver sends nothing twice, since it could not say
/// what of it was carried out: only where a server refuses a key, the next one is asked.
async fn follow(
    connection: &mut ClusterConnection,
    command: &Cmd,
    waits: Option<Waits>,
) -> Result<Value, Cause> {
    let mut answer = send(connection, command, waits).await;
    for _ in 0..REDIRECTIONS {
        let Err(Cause { failed, is_written: false }) = &answer else { break };
        let asked = match failed.kind() {
            // The driver learns of the move by this answer.
            redis::ErrorKind::Server(ServerErrorKind::Moved) => None,
            redis::ErrorKind::Server(ServerErrorKind::Ask) => failed.redirect_node(),
            _ => break,
        };
        answer = match asked.and_then(|(address, _)| address.rsplit_once(':')) {
            Some((host, port)) => Ok(ask(connection, command, host, port).await?),
            None => send(connection, command, waits).await,
        };
    }
    answer
}

/// Asks the server that a slot is moving to.
async fn ask(
    connection: &mut ClusterConnection,
    command: &Cmd,
    host: &str,
    port: &str,
) -> Result<Value, RedisError> {
    let Ok(port) = port.parse() else {
        return Err((redis::ErrorKind::Client, "a redirection has no port").into());
    };
    let mut pipeline = Pipeline::new();
    pipeline.add_command(redis::cmd("ASKING")).add_command(command.clone());
    let to = SingleNodeRoutingInfo::ByAddress { host: host.into(), port };
    let mut answers = connection.route_pipeline(pipeline, 0, 2, to).await?;
    answers.pop().unwrap_or(Value::Nil).extract_error()
}
