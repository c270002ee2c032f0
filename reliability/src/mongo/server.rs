//! A server that runs.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mongodb::Client;

use super::Program;
use super::set::initiate;
use crate::Failure;
use crate::campaign::run;

/// How long it may take to start, what it has to recover included.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every server is started with: small, by TCP only, and a member of a set of this name.
const ARGUMENTS: [&str; 7] = [
    "--nounixsocket",
    "--replSet=campaign",
    "--wiredTigerCacheSizeGB=0.25",
    "--oplogSize=64",
    "--setParameter=diagnosticDataCollectionEnabled=false",
    "--setParameter=ttlMonitorEnabled=false",
    "--setParameter=shutdownTimeoutMillisForSignaledShutdown=0",
];

/// A server, killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: SocketAddr,
    data: PathBuf,
}

impl Server {
    /// Starts one on this machine whose data is in this folder, which is made if it is not there.
    /// A set knows its members by their addresses, so it has to be the same each time.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start(program: &Program, address: SocketAddr, data: &Path) -> io::Result<Self> {
        Self::start_by(Command::new(program.path()), address, data)
    }

    /// Starts one by a command that runs the program.
    pub(super) fn start_by(
        mut command: Command,
        address: SocketAddr,
        data: &Path,
    ) -> io::Result<Self> {
        fs::create_dir_all(data)?;
        let log = data.join("log");
        command.args(ARGUMENTS).arg("--dbpath").arg(data);
        command
            .arg(format!("--bind_ip={}", address.ip()))
            .arg(format!("--port={}", address.port()));
        let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
        let process = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn()?;
        let mut server = Self { process, address, data: data.to_owned() };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let start = Instant::now();
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
            if self.process.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.data.join("log"))?;
                let last: Vec<_> = log.lines().rev().take(5).collect();
                return Err(io::Error::other(format!("the server did not start: {last:?}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that leads to it alone, whatever its part in a set.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address)
    }

    /// Makes it a replica set of its own.
    ///
    /// # Errors
    ///
    /// If it does not want to be one.
    pub async fn initiate(&self) -> Result<(), Failure> {
        initiate(&Client::with_uri_str(self.url()).await?, &[self.address]).await
    }

    /// Shuts it down in order, so that its data can be copied.
    ///
    /// # Errors
    ///
    /// If it does not end.
    pub fn stop(mut self) -> io::Result<()> {
        run(Command::new("kill").arg(self.process.id().to_string()))?;
        self.process.wait().map(drop)
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
