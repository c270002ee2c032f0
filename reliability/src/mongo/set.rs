//! A replica set of three servers, each on a host of its own.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};
use tokio::time::sleep;

use super::{Program, Server};
use crate::Failure;
use crate::network::{Host, Network};

const MEMBERS: u8 = 3;

const PORT: u16 = 27_017;

/// How long servers may take to agree.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of a primary that is silent for so long another one takes the place. 10 s unless it is said
/// otherwise.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Three servers, killed when it is dropped.
#[derive(Debug)]
pub struct ReplicaSet {
    members: Vec<Member>,
}

/// One of them.
#[derive(Debug)]
pub struct Member {
    program: Program,
    data: PathBuf,
    // It ends before its host.
    server: Option<Server>,
    machine: Machine,
    /// To it alone, whatever its part.
    client: Client,
}

/// What a server runs on. It outlives the server, and ends with the campaign.
#[derive(Debug)]
struct Machine {
    host: Host,
    /// Lives as long as its input is open.
    holder: Child,
}

impl ReplicaSet {
    /// Starts the servers, and waits until they have a primary.
    ///
    /// # Errors
    ///
    /// If they do not start, or do not agree.
    pub async fn start(
        program: &Program,
        network: &Network,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let mut set = Self { members: Vec::new() };
        for number in 0..MEMBERS {
            let machine = Machine::new(network)?;
            let data = folder.join(number.to_string());
            let url = format!("mongodb://{}:{PORT}/?directConnection=true", machine.host.address());
            // A member that is silent is not waited for.
            let client = Client::with_uri_str(url + "&serverSelectionTimeoutMS=500").await?;
            let program = program.clone();
            let mut member = Member { program, data, server: None, machine, client };
            member.start()?;
            set.members.push(member);
        }
        let addresses: Vec<_> = set.members.iter().map(Member::address).collect();
        if let Some(first) = set.members.first() {
            initiate(&first.client, &addresses).await?;
        }
        set.is_whole().await?;
        Ok(set)
    }

    /// The URL of the set.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses = self.members.iter().map(|it| it.address().to_string());
        format!("mongodb://{}/?replicaSet=campaign", addresses.collect::<Vec<_>>().join(","))
    }

    /// The place of the primary in the set, if there is one and nobody else thinks to be it.
    ///
    /// # Errors
    ///
    /// If a server cannot be asked, or there is no primary.
    pub async fn primary(&self) -> Result<usize, Failure> {
        let mut found = None;
        for (place, member) in self.members.iter().enumerate() {
            let answer = member.ask("admin", doc! { "hello": 1 }).await?;
            if answer.get_bool("isWritablePrimary")? && found.replace(place).is_some() {
                return Err("there are two primaries".into());
            }
        }
        found.ok_or_else(|| "there is no primary".into())
    }

    /// By its place.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn member(&mut self, place: usize) -> io::Result<&mut Member> {
        self.members.get_mut(place).ok_or_else(|| io::Error::other("there is no such member"))
    }

    /// A member that is another one.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn another(&mut self, place: usize) -> io::Result<&mut Member> {
        let all = self.members.len();
        self.member((place + 1) % all)
    }

    /// Waits until there is a primary and all others follow it.
    ///
    /// # Errors
    ///
    /// If that takes too long.
    pub async fn is_whole(&self) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            let states = self.states().await;
            let count = |state| states.iter().filter(|it| **it == Some(state)).count();
            if count(State::Primary) == 1 && count(State::Primary) + count(State::Secondary) == 3 {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the set does not become whole: {states:?}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn states(&self) -> Vec<Option<State>> {
        let mut states = Vec::new();
        for member in &self.members {
            let answer = member.ask("admin", doc! { "hello": 1 }).await.ok();
            let is = |what| answer.as_ref().is_some_and(|it| it.get_bool(what).unwrap_or(false));
            states.push(match (is("isWritablePrimary"), is("secondary")) {
                (true, _) => Some(State::Primary),
                (_, true) => Some(State::Secondary),
                _ => None,
            });
        }
        states
    }

    /// Waits until all members have the same in a database.
    ///
    /// # Errors
    ///
    /// If that takes too long.
    pub async fn is_same(&self, database: &str) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            // One that takes back what it alone had written answers later.
            let mut hashes = Vec::new();
            for member in &self.members {
                let answer = member.ask(database, doc! { "dbHash": 1 }).await;
                hashes.push(answer.ok().and_then(|it| Some(it.get_str("md5").ok()?.to_owned())));
            }
            hashes.dedup();
            if let [Some(_)] = hashes.as_slice() {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err("the members differ".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Primary,
    Secondary,
}

impl Member {
    /// Starts its server, which was killed or was not there.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start(&mut self) -> io::Result<()> {
        let command = self.machine.command(self.program.path());
        fs::create_dir_all(&self.data)?;
        self.server = Some(Server::start_by(command, self.address(), &self.data)?);
        Ok(())
    }

    /// Kills its server.
    ///
    /// # Errors
    ///
    /// If it could not be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        self.server.take().map_or(Ok(()), |mut server| server.kill())
    }

    /// Cuts it off from the others. Clients still reach it.
    ///
    /// # Errors
    ///
    /// If the network cannot be changed.
    pub fn cut_off_from_others(&mut self) -> io::Result<()> {
        self.machine.host.part_from_servers()
    }

    /// Cuts it off from everybody. No connection is closed: everything is silent.
    ///
    /// # Errors
    ///
    /// If the network cannot be changed.
    pub fn cut_off(&mut self) -> io::Result<()> {
        self.machine.host.part_from_clients()?;
        self.machine.host.part_from_servers()
    }

    /// Lets everything pass again.
    ///
    /// # Errors
    ///
    /// If the network cannot be changed.
    pub fn connect(&mut self) -> io::Result<()> {
        self.machine.host.heal()
    }

    /// Makes another one the primary, and lets it follow.
    ///
    /// # Errors
    ///
    /// If it is not the primary, or nobody can take its place.
    pub async fn step_down(&self) -> Result<(), Failure> {
        let command = doc! { "replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 4 };
        self.ask("admin", command).await.map(drop)
    }

    /// The URL that leads to it alone.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address())
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((self.machine.host.address(), PORT))
    }

    async fn ask(&self, database: &str, command: Document) -> Result<Document, Failure> {
        Ok(self.client.database(database).run_command(command).await?)
    }
}

impl Machine {
    fn new(network: &Network) -> io::Result<Self> {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let holder = holder.spawn()?;
        let host = network.connect(holder.id())?;
        Ok(Self { host, holder })
    }

    /// A program that runs there. It becomes the process that is started, so it can be killed.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.holder.id().to_string(), "--"]).arg(program);
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        if let Err(error) = self.holder.wait() {
            eprintln!("a machine could not be cleared up: {error}");
        }
    }
}

/// Makes servers a replica set.
pub(super) async fn initiate(first: &Client, addresses: &[SocketAddr]) -> Result<(), Failure> {
    let members = (0_i32..).zip(addresses);
    let members = members.map(|(id, it)| doc! { "_id": id, "host": it.to_string() });
    let millis = i64::try_from(ELECTION_TIMEOUT.as_millis())?;
    let settings = doc! {
        "electionTimeoutMillis": millis,
        "heartbeatIntervalMillis": millis / 4,
        "heartbeatTimeoutSecs": 2,
    };
    let members: Vec<_> = members.collect();
    let config = doc! { "_id": "campaign", "members": members, "settings": settings };
    first.database("admin").run_command(doc! { "replSetInitiate": config }).await?;
    Ok(())
}
