//! A server that runs.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};

use super::{Host, Network, Program};

/// How long it may take to start, what it has to load included.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What every server is started with: it writes nothing but its log, if it has one.
const SETTINGS: [(&str, &str); 2] = [("save", ""), ("maxmemory-policy", "noeviction")];

/// Where every machine of its own listens.
const PORT: u16 = 6379;

/// A server, killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    home: PathBuf,
    address: SocketAddr,
    host: Option<Host>,
}

impl Server {
    /// Starts a server on what is in a folder, which is made if need be, with these settings
    /// besides the usual ones, and waits until it answers.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start(program: &Program, home: &Path, settings: &[(&str, &str)]) -> io::Result<Self> {
        let address = free_address()?;
        let mut command = program.command();
        with_settings(&mut command, address, home, settings);
        let process = spawn(command, home)?;
        Self { process, home: home.to_owned(), address, host: None }.ready()
    }

    /// Starts a server as a machine of its own in a network.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start_in(
        network: &Network,
        program: &Program,
        home: &Path,
        settings: &[(&str, &str)],
    ) -> io::Result<Self> {
        let mut command = program.command_apart(home)?;
        with_settings(&mut command, (Ipv4Addr::UNSPECIFIED, PORT).into(), home, settings);
        command.args(["--protected-mode", "no"]);
        Self::connect(network, spawn(command, home)?, home)
    }

    /// Starts a Sentinel as a machine of its own in a network, with the lines of its file.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn sentinel_in(
        network: &Network,
        program: &Program,
        home: &Path,
        lines: &str,
    ) -> io::Result<Self> {
        let mut command = program.command_apart(home)?;
        let file = home.join("sentinel.conf");
        fs::write(&file, format!("port {PORT}\nprotected-mode no\n{lines}"))?;
        command.arg(file).arg("--sentinel");
        Self::connect(network, spawn(command, home)?, home)
    }

    fn connect(network: &Network, mut process: Child, home: &Path) -> io::Result<Self> {
        let host = match network.connect(process.id()) {
            Ok(host) => host,
            Err(error) => {
                process.kill()?;
                process.wait()?;
                return Err(error);
            }
        };
        let address = (host.address(), PORT).into();
        Self { process, home: home.to_owned(), address, host: Some(host) }.ready()
    }

    /// Itself, once it answers.
    fn ready(mut self) -> io::Result<Self> {
        let start = Instant::now();
        while self.say(&["PING"]).is_err() {
            let ended = self.process.try_wait()?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.home.join("log"))?;
                return Err(io::Error::other(format!("the server did not start: {log}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(self)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Sends a command over a connection of its own.
    ///
    /// # Errors
    ///
    /// Those of the connection, and what the server says against it.
    pub fn say(&self, words: &[&str]) -> RedisResult<Value> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(ANSWERS_WITHIN)?;
        connection.set_read_timeout(Some(ANSWERS_WITHIN))?;
        let mut command = redis::Cmd::new();
        command.arg(words);
        command.query(&mut connection)
    }

    /// Where it is in its network.
    ///
    /// # Errors
    ///
    /// If it is in none.
    pub fn host(&mut self) -> io::Result<&mut Host> {
        self.host.as_mut().ok_or_else(|| io::Error::other("the server is in no network"))
    }

    /// Kills it, and returns when it is gone.
    ///
    /// # Errors
    ///
    /// If it could not be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("a server could not be cleared up: {error}");
        }
    }
}

fn with_settings(
    command: &mut Command,
    address: SocketAddr,
    home: &Path,
    settings: &[(&str, &str)],
) {
    command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.arg("--dir").arg(home);
    for (name, value) in SETTINGS.iter().chain(settings) {
        command.arg(format!("--{name}")).arg(value);
    }
}

fn spawn(mut command: Command, home: &Path) -> io::Result<Child> {
    fs::create_dir_all(home)?;
    let log = home.join("log");
    let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
    command.stdin(Stdio::null()).stdout(out).stderr(err).spawn()
}

/// An address that nobody listens on.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
