//! Masters, their replicas, and whoever decides that a replica becomes a master.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use redis::Value;
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::redis::{Network, Program, Server};
use sync_tracker_reliability::writer::SOURCE;
use tokio::time::sleep;

/// How long they may take until they are one.
const PATIENCE: Duration = Duration::from_secs(40);

/// The name of the master among Sentinels.
const NAME: &str = "main";

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// Three Sentinels, over a master and two replicas.
    Sentinel,
    /// The cluster itself: three masters, of which that with the records has two replicas, and the
    /// others one.
    Cluster,
}

/// How a master is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It is killed, and its connections end.
    Kill,
    /// Nothing passes between it and all others any more, and it lives on. Clients are cut off
    /// first, and for so long replicas still hear of what they are not told.
    ClientsFirst(Duration),
    /// As before, but the other servers are cut off first, and for so long clients still reach it.
    ServersFirst(Duration),
}

#[derive(Debug)]
pub(crate) struct Fleet {
    topology: Topology,
    /// In front the one that has the records.
    masters: Vec<Server>,
    replicas: Vec<Server>,
    sentinels: Vec<Server>,
}

impl Fleet {
    pub(crate) fn start(
        topology: Topology,
        network: &Network,
        program: &Program,
        folder: &Path,
    ) -> Result<Self, Failure> {
        match topology {
            Topology::Sentinel => Self::under_sentinels(network, program, folder),
            Topology::Cluster => Self::cluster(network, program, folder),
        }
    }

    fn under_sentinels(
        network: &Network,
        program: &Program,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let settings = [("repl-diskless-sync-delay", "0"), ("repl-timeout", "5")];
        let server = |name: &str, more: &[(&str, &str)]| {
            let settings = [&settings, more].concat();
            Server::start_in(network, program, &folder.join(name), &settings)
        };
        let master = server("master", &[])?;
        let address = format!("{} {}", master.address().ip(), master.address().port());
        let replicas = ["a", "b"].map(|name| server(name, &[("replicaof", &address)]));
        let replicas = replicas.into_iter().collect::<Result<Vec<_>, _>>()?;
        wait_until("the replicas follow", || replicas.iter().all(follows))?;
        let sentinel = |name: &&str| {
            let home = folder.join(name);
            let lines = format!(
                "dir {}\nsentinel monitor {NAME} {address} 2\n\
                 sentinel down-after-milliseconds {NAME} 500\n\
                 sentinel failover-timeout {NAME} 3000\n",
                home.display()
            );
            Server::sentinel_in(network, program, &home, &lines)
        };
        let sentinels = ["x", "y", "z"].iter().map(sentinel).collect::<Result<Vec<_>, _>>()?;
        let knows_all = |sentinel: &Server| {
            let master = words(sentinel.say(&["SENTINEL", "MASTER", NAME]));
            let counted = |name: &str, count: &str| {
                master.windows(2).any(|pair| pair[0] == name && pair[1] == count)
            };
            counted("num-slaves", "2") && counted("num-other-sentinels", "2")
        };
        wait_until("the Sentinels know each other", || sentinels.iter().all(knows_all))?;
        Ok(Self { topology: Topology::Sentinel, masters: vec![master], replicas, sentinels })
    }

    fn cluster(network: &Network, program: &Program, folder: &Path) -> Result<Self, Failure> {
        let settings = [
            ("cluster-enabled", "yes"),
            ("cluster-node-timeout", "1000"),
            ("cluster-replica-validity-factor", "0"),
            ("repl-diskless-sync-delay", "0"),
            ("repl-timeout", "5"),
        ];
        let server = |number: usize| {
            let home = folder.join(format!("node-{number}"));
            Server::start_in(network, program, &home, &settings)
        };
        let mut masters = (0..3).map(server).collect::<Result<Vec<_>, _>>()?;
        let replicas = (3..7).map(server).collect::<Result<Vec<_>, _>>()?;
        let first = masters[0].address().ip().to_string();
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (epoch, server) in (1..).zip(masters.iter().chain(&replicas)) {
            server.say(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")])?;
            server.say(&["CLUSTER", "MEET", &first, &server.address().port().to_string()])?;
        }
        for (master, (from, to)) in masters.iter().zip(slots) {
            master.say(&["CLUSTER", "ADDSLOTSRANGE", from, to])?;
        }
        let all_know = |count: &str| {
            masters.iter().chain(&replicas).all(|server| {
                let info = text(server.say(&["CLUSTER", "INFO"]));
                info.contains("cluster_state:ok") && info.contains(count)
            })
        };
        wait_until("the nodes know each other", || all_know("cluster_known_nodes:7"))?;
        let key = format!("sync-tracker:{{{SOURCE}}}:r");
        let Value::Int(slot) = masters[0].say(&["CLUSTER", "KEYSLOT", &key])? else {
            return Err("the key has no slot".into());
        };
        masters.swap(0, usize::try_from(slot / 5461)?.min(2));
        for (master, replica) in masters.iter().chain(&masters[..1]).zip(&replicas) {
            let id = text(master.say(&["CLUSTER", "MYID"]));
            let knows = || text(replica.say(&["CLUSTER", "NODES"])).contains(&id);
            wait_until("a replica knows its master", knows)?;
            replica.say(&["CLUSTER", "REPLICATE", &id])?;
        }
        wait_until("the replicas follow", || replicas.iter().all(follows))?;
        let sees_replicas = |server: &Server| {
            let nodes = text(server.say(&["CLUSTER", "NODES"]));
            nodes.lines().filter(|line| line.contains("slave")).count() == replicas.len()
        };
        wait_until("all know who follows", || masters.iter().all(sees_replicas))?;
        Ok(Self { topology: Topology::Cluster, masters, replicas, sentinels: Vec::new() })
    }

    /// Where clients find the master, whoever it is.
    pub(crate) fn url(&self) -> String {
        let hosts = |servers: &[Server]| {
            let hosts: Vec<_> = servers.iter().map(|it| it.address().to_string()).collect();
            hosts.join(",")
        };
        match self.topology {
            Topology::Sentinel => format!("redis-sentinel://{}/{NAME}", hosts(&self.sentinels)),
            Topology::Cluster => {
                format!("redis-cluster://{},{}", hosts(&self.masters), hosts(&self.replicas))
            }
        }
    }

    pub(crate) async fn lose_master(&mut self, how: Cut) -> Result<(), Failure> {
        let master = &mut self.masters[0];
        match how {
            Cut::Kill => master.kill()?,
            Cut::ClientsFirst(before) => {
                master.host()?.part_from_clients()?;
                sleep(before).await;
                master.host()?.part_from_servers()?;
            }
            Cut::ServersFirst(before) => {
                master.host()?.part_from_servers()?;
                sleep(before).await;
                master.host()?.part_from_clients()?;
            }
        }
        Ok(())
    }

    /// Brings a master back that was cut off. In a cluster it soon follows the one that came after
    /// it; Sentinels take some ten seconds to see to that.
    pub(crate) fn bring_back(&mut self) -> Result<(), Failure> {
        let master = &mut self.masters[0];
        master.host()?.heal()?;
        if self.topology == Topology::Sentinel {
            return Ok(());
        }
        let master = &*master;
        wait_until("the former master follows the new one", || follows(master))
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) -> Result<(), Failure> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > PATIENCE {
            return Err(format!("it takes too long until {what}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn follows(server: &Server) -> bool {
    text(server.say(&["INFO", "replication"])).contains("master_link_status:up")
}

/// An answer of one text; none is empty.
fn text(answer: redis::RedisResult<Value>) -> String {
    answer.ok().and_then(|value| redis::from_redis_value(value).ok()).unwrap_or_default()
}

fn words(answer: redis::RedisResult<Value>) -> Vec<String> {
    answer.ok().and_then(|value| redis::from_redis_value(value).ok()).unwrap_or_default()
}
