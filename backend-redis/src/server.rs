//! Commands: to the server and back, within the deadline.

use std::time::Duration;

use redis::{Cmd, Value};
use sync_tracker_core::Result;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::dial::{Failed, Line, Request, Waits};
use crate::error::Effect;
use crate::scripts::Script;

/// Where commands go.
#[derive(Debug)]
pub(crate) enum Way {
    /// One server, be it found by Sentinel.
    One(Box<Line>),
    /// A cluster.
    Cluster(Box<Cluster>),
}

impl Way {
    async fn send(
        &self,
        request: Request<'_>,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, Failed> {
        match self {
            Self::One(line) => line.send(request, deadline, limit).await,
            Self::Cluster(cluster) => cluster.send(request, deadline, limit).await,
        }
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
        let (effect, deadline) = (call.effect, Instant::now() + self.deadline);
        let known = call.command("EVALSHA", call.script.hash());
        let answer = match self.try_send(&known, effect, deadline).await {
            Err(failed) if failed.is_unknown_script() => {
                let text = call.command("EVAL", call.script.text());
                self.try_send(&text, effect, deadline).await
            }
            other => other,
        };
        answer.map_err(|failed| failed.error(self.deadline, effect))
    }

    /// Sends a command.
    pub(crate) async fn send(&self, command: &Cmd, effect: Effect) -> Result<Value> {
        let answer = self.try_send(command, effect, Instant::now() + self.deadline).await;
        answer.map_err(|failed| failed.error(self.deadline, effect))
    }

    /// Sends a question to every master, of which each answers for itself.
    pub(crate) async fn send_to_all(&self, command: &Cmd) -> Result<Value> {
        let Way::Cluster(cluster) = &self.reads else {
            return self.send(command, Effect::None).await;
        };
        let deadline = Instant::now() + self.deadline;
        let answers = cluster.send_to_all(command, deadline, self.deadline).await;
        answers.map_err(|failed| failed.error(self.deadline, Effect::None))
    }

    async fn try_send(
        &self,
        command: &Cmd,
        effect: Effect,
        deadline: Instant,
    ) -> Result<Value, Failed> {
        let (way, waits) = match (&self.writes, effect) {
            (Some((way, waits)), Effect::Write) => (way, Some(*waits)),
            _ => (&self.reads, None),
        };
        let request = Request { waits, ..Request::of(command) };
        way.send(request, deadline, self.deadline).await
    }
}
