//! A cluster: which server has which keys, and a line to each.
//!
//! What is sent over a line is sent once, so that an error can say what became of it: only where a
//! server refuses a key, the next one is asked.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind as Kind, ServerErrorKind, Value,
};
use sync_tracker_core::{ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::answer;
use crate::dial::{Failed, Line, Number, Request};
use crate::error::{self, Effect};

/// How often a command follows a key from server to server.
const REDIRECTIONS: u32 = 8;

/// How long it is waited for servers to say who has which keys, once one has said it.
const GRACE: Duration = Duration::from_millis(200);

/// How long it is waited for the first.
const LONGEST: Duration = Duration::from_secs(2);

/// Where a server is.
type Node = (String, u16);

/// Which master has the slots from one to another.
type Ranges = Vec<(u16, u16, Node)>;

/// The servers of a cluster.
pub(crate) struct Cluster {
    /// Where some of them are, and how to connect to all.
    seeds: Vec<(Node, ConnectionInfo)>,
    map: Mutex<Map>,
    lines: Mutex<HashMap<Node, Arc<Line>>>,
    /// One call asks for all.
    asks: tokio::sync::Mutex<()>,
}

/// Who has what, as far as is known.
#[derive(Debug, Default)]
struct Map {
    ranges: Ranges,
    /// What was learnt of single slots since.
    moved: HashMap<u16, Node>,
    /// Replicas, too.
    nodes: HashSet<Node>,
    is_true: bool,
}

/// What one server says.
struct Said {
    ranges: Ranges,
    nodes: HashSet<Node>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects to nobody yet.
    pub(crate) fn new(seeds: Vec<ConnectionInfo>) -> Self {
        let seeds = seeds.into_iter().filter_map(|info| Some((node_of(info.addr())?, info)));
        Self {
            seeds: seeds.collect(),
            map: Mutex::default(),
            lines: Mutex::default(),
            asks: tokio::sync::Mutex::default(),
        }
    }

    /// Sends a command to where its keys are.
    pub(crate) async fn send(
        &self,
        mut request: Request<'_>,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, Failed> {
        let slot = key_of(request.command).map(slot_of);
        let mut node = self.master_of(slot, deadline, limit).await?;
        let mut redirections = 0;
        loop {
            let failed = match self.line(&node)?.send(request, deadline, limit).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if failed.may_be_of_a_change() {
                self.map().is_true = false;
            }
            let Some((next, is_asking)) = redirection(&node, &failed) else { return Err(failed) };
            if let (Some(slot), false) = (slot, is_asking) {
                self.map().moved.insert(slot, next.clone());
            }
            redirections += 1;
            if redirections > REDIRECTIONS {
                return Err(failed);
            }
            node = next;
            request.is_asking = is_asking;
        }
    }

    /// Sends a question to every master.
    pub(crate) async fn send_to_all(
        &self,
        command: &Cmd,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, Failed> {
        self.master_of(None, deadline, limit).await?;
        let masters: HashSet<_> = {
            let map = self.map();
            map.ranges.iter().map(|(_, _, node)| node).chain(map.moved.values()).cloned().collect()
        };
        let answers = masters.iter().map(async |node| {
            let answer = self.line(node)?.send(Request::of(command), deadline, limit).await;
            if answer.as_ref().is_err_and(Failed::may_be_of_a_change) {
                self.map().is_true = false;
            }
            answer
        });
        try_join_all(answers).await.map(Value::Array)
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line to a server.
    fn line(&self, node: &Node) -> Result<Arc<Line>, Failed> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(node) {
            return Ok(Arc::clone(line));
        }
        let Some((_, like)) = self.seeds.first() else { return Err(nobody()) };
        let client = Client::open(like.clone().set_addr(at(node, like.addr())));
        let client = client.map_err(|cause| Failed::NotSent(error::connecting(&cause)))?;
        let line = Arc::new(Line::new(Number::Server(Box::new(client))));
        lines.insert(node.clone(), Arc::clone(&line));
        Ok(line)
    }

    /// The master of a slot, or any.
    async fn master_of(
        &self,
        slot: Option<u16>,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Node, Failed> {
        if let Some(node) = self.map().true_master_of(slot) {
            return Ok(node);
        }
        let late = |_| Failed::NotSent(error::late(limit, Effect::None));
        let _asks = timeout_at(deadline, self.asks.lock()).await.map_err(late)?;
        // Somebody else may have asked meanwhile.
        if let Some(node) = self.map().true_master_of(slot) {
            return Ok(node);
        }
        let said = self.ask(deadline, limit).await?;
        let node = {
            let mut map = self.map();
            map.learn(said);
            map.true_master_of(slot)
        };
        self.let_go_of_others();
        node.ok_or_else(nobody)
    }

    fn let_go_of_others(&self) {
        let nodes = self.known();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|node, _| nodes.contains(node));
    }

    fn known(&self) -> HashSet<Node> {
        let mut nodes = self.map().nodes.clone();
        nodes.extend(self.seeds.iter().map(|(node, _)| node.clone()));
        nodes
    }

    /// Who has which keys, as most servers say: one that is cut off from the others may not know
    /// better, and may be the first to answer.
    async fn ask(&self, deadline: Instant, limit: Duration) -> Result<Said, Failed> {
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        let mut answers: FuturesUnordered<_> = self
            .known()
            .into_iter()
            .map(async |node| {
                let answer =
                    self.line(&node)?.send(Request::of(&question), deadline, limit).await?;
                Said::read(&node, answer).ok_or_else(|| Failed::NotSent(error::unexpected()))
            })
            .collect();
        let mut until = deadline.min(Instant::now() + LONGEST);
        let mut said: Vec<(Said, usize)> = Vec::new();
        let mut failed = None;
        while let Ok(Some(answer)) = timeout_at(until, answers.next()).await {
            match answer {
                Ok(new) => {
                    until = until.min(Instant::now() + GRACE);
                    match said.iter_mut().find(|(known, _)| known.ranges == new.ranges) {
                        Some((known, times)) => {
                            known.nodes.extend(new.nodes);
                            *times += 1;
                        }
                        None => said.push((new, 1)),
                    }
                }
                Err(new) => failed = Some(telling(failed.take(), new)),
            }
        }
        let most = said.into_iter().max_by_key(|(_, times)| *times);
        most.map(|(said, _)| said).ok_or_else(|| failed.unwrap_or_else(nobody))
    }
}

impl Map {
    fn true_master_of(&self, slot: Option<u16>) -> Option<Node> {
        if !self.is_true {
            return None;
        }
        let Some(slot) = slot else { return self.ranges.first().map(|(_, _, node)| node.clone()) };
        if let Some(node) = self.moved.get(&slot) {
            return Some(node.clone());
        }
        let after = self.ranges.partition_point(|(from, _, _)| *from <= slot);
        let (_, to, node) = self.ranges.get(after.checked_sub(1)?)?;
        (slot <= *to).then(|| node.clone())
    }

    fn learn(&mut self, said: Said) {
        let Said { ranges, nodes } = said;
        *self = Self { ranges, moved: HashMap::new(), nodes, is_true: true };
    }
}

impl Said {
    /// Reads lines of first slot, last slot, master and replicas.
    fn read(by: &Node, answer: Value) -> Option<Self> {
        let mut said = Self { ranges: Vec::new(), nodes: HashSet::new() };
        for line in answer::list(answer).ok()? {
            let mut line = answer::list(line).ok()?.into_iter();
            let mut slot = || u16::try_from(answer::number(&line.next()?).ok()?).ok();
            let (from, to) = (slot()?, slot()?);
            let mut servers = line.map(|server| server_at(by, server));
            let master = servers.next()?;
            said.nodes.extend(servers.flatten().chain(master.clone()));
            said.ranges.extend(master.map(|master| (from, to, master)));
        }
        said.ranges.sort();
        Some(said)
    }
}

/// Where a server is that another one tells of. One without a host is where that is.
fn server_at((by, _): &Node, server: Value) -> Option<Node> {
    let mut server = answer::list(server).ok()?.into_iter();
    let host = answer::bytes(server.next()?).ok()?.unwrap_or_default();
    let port = u16::try_from(answer::number(&server.next()?).ok()?).ok()?;
    match String::from_utf8(host).ok()?.as_str() {
        "?" => None,
        "" | "0.0.0.0" | "::" => Some((by.clone(), port)),
        host => Some((host.into(), port)),
    }
}

/// Where else to ask, and whether only for this once.
fn redirection((by, _): &Node, failed: &Failed) -> Option<(Node, bool)> {
    let Failed::Sent(cause) = failed else { return None };
    let (address, _) = cause.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    let host = if host.is_empty() { by.clone() } else { host.into() };
    let is_asking = cause.kind() == Kind::Server(ServerErrorKind::Ask);
    Some(((host, port.parse().ok()?), is_asking))
}

/// The error that says more: whatever is no mere lack of a connection.
fn telling(old: Option<Failed>, new: Failed) -> Failed {
    match old {
        Some(Failed::NotSent(error)) if error.kind() == ErrorKind::Unavailable => new,
        Some(old) => old,
        None => new,
    }
}

fn nobody() -> Failed {
    Failed::NotSent(error::error(ErrorKind::Unavailable, "no server has the key"))
}

fn node_of(address: &ConnectionAddr) -> Option<Node> {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some((host.clone(), *port))
        }
        _ => None,
    }
}

/// The address of a server, by TLS if that of another is.
fn at((host, port): &Node, like: &ConnectionAddr) -> ConnectionAddr {
    let (host, port) = (host.clone(), *port);
    match like {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            let (insecure, tls_params) = (*insecure, tls_params.clone());
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    }
}

/// The first key of a command, if it has any. All of them are in one slot.
fn key_of(command: &Cmd) -> Option<&[u8]> {
    let mut words = command.args_iter().filter_map(|word| match word {
        redis::Arg::Simple(word) => Some(word),
        _ => None,
    });
    match words.next()? {
        b"TIME" | b"INFO" | b"CONFIG" => None,
        // The script and the number of its keys come before.
        b"EVAL" | b"EVALSHA" => words.nth(2),
        _ => words.next(),
    }
}

/// The slot of a key: of what is in its first braces, if anything is.
fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16(tag.unwrap_or(key)) % 16_384
}

/// The checksum by the polynomial of XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str) -> Node {
        (host.into(), 7000)
    }

    #[test]
    fn keys_are_in_the_slots_that_the_servers_say() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // By CLUSTER KEYSLOT.
        for (key, slot) in [("foo", 12182), ("{foo}bar", 12182), ("a{}b", 13694), ("{", 4092)] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        let mut call = redis::cmd("EVALSHA");
        call.arg("hash").arg(2).arg("{foo}r").arg("{foo}k").arg("x");
        assert_eq!(key_of(&call), Some(&b"{foo}r"[..]));
        assert_eq!(key_of(&redis::cmd("TIME")), None);
    }

    #[test]
    fn a_slot_is_found_in_the_range_it_is_in_and_where_it_moved_to() {
        let ranges = vec![(0, 99, node("a")), (200, 299, node("b"))];
        let mut map = Map::default();
        assert_eq!(map.true_master_of(Some(0)), None, "nobody was asked yet");
        map.learn(Said { ranges, nodes: HashSet::new() });
        for (slot, master) in [(0, Some("a")), (99, Some("a")), (100, None), (250, Some("b"))] {
            assert_eq!(map.true_master_of(Some(slot)), master.map(node), "{slot}");
        }
        map.moved.insert(250, node("c"));
        assert_eq!(map.true_master_of(Some(250)), Some(node("c")));
        assert_eq!(map.true_master_of(None), Some(node("a")));
    }

    #[test]
    fn what_a_server_says_is_read_and_a_host_that_it_does_not_know_is_its_own() {
        let server = |host: Value, port| Value::Array(vec![host, Value::Int(port)]);
        let text = |text: &str| Value::BulkString(text.into());
        let line = |from, to, servers: Vec<Value>| {
            Value::Array([vec![Value::Int(from), Value::Int(to)], servers].concat())
        };
        let answer = Value::Array(vec![
            line(5, 9, vec![server(text("b"), 2), server(text("c"), 3)]),
            line(0, 4, vec![server(Value::Nil, 1)]),
        ]);
        let said = Said::read(&node("a"), answer).unwrap();
        assert_eq!(said.ranges, [(0, 4, ("a".into(), 1)), (5, 9, ("b".into(), 2))]);
        assert_eq!(said.nodes.len(), 3);
        assert!(Said::read(&node("a"), Value::Nil).is_none());
    }
}
