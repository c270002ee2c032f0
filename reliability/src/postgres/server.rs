//! A server that runs.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Cluster;
use super::cluster::ROLE;
use super::processes;
use crate::campaign::run;

/// How long it may take to start, what it has to recover included.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every server is started with: small, by TCP only, and with nothing of its own in `/dev/shm`
/// that a killed one would leave there.
const SETTINGS: [(&str, &str); 7] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "50"),
    ("shared_buffers", "16MB"),
    ("min_wal_size", "2MB"),
    ("max_wal_size", "16MB"),
    ("dynamic_shared_memory_type", "mmap"),
];

/// A server, killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    cluster: Cluster,
    address: SocketAddr,
}

impl Server {
    pub(super) fn start(cluster: Cluster, settings: &[(&str, &str)]) -> io::Result<Self> {
        let address = free_address()?;
        let log = cluster.home.join("log");
        let mut command = cluster.programs.command("postgres");
        command.arg("-D").arg(cluster.data()).arg("-p").arg(address.port().to_string());
        for (name, value) in SETTINGS.iter().chain(settings) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
        let process = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn()?;
        let mut server = Self { process, cluster, address };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let start = Instant::now();
        let mut is_ready = self.cluster.programs.command("pg_isready");
        is_ready.args(["--quiet", "--dbname=postgres", "--host=127.0.0.1"]);
        is_ready.arg(format!("--port={}", self.address.port())).stdin(Stdio::null());
        while !is_ready.status()?.success() {
            let ended = self.process.try_wait()?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.cluster.home.join("log"))?;
                return Err(io::Error::other(format!("the server did not start: {log}")));
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

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// The URL of its database at an address that leads to it.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://{ROLE}:{}@{address}/postgres", self.cluster.password)
    }

    /// Makes a standby a primary, and waits until it is one.
    ///
    /// # Errors
    ///
    /// If it does not become one.
    pub fn promote(&self) -> io::Result<()> {
        let mut promote = self.cluster.programs.command("pg_ctl");
        run(promote.args(["promote", "--silent", "-D"]).arg(self.cluster.data()))
    }

    /// Shuts it down in order, so that its data can be copied.
    ///
    /// # Errors
    ///
    /// If it does not end.
    pub fn stop(mut self) -> io::Result<()> {
        let mut stop = self.cluster.programs.command("pg_ctl");
        run(stop.args(["stop", "--silent", "--mode=fast", "-D"]).arg(self.cluster.data()))?;
        self.process.wait().map(drop)
    }

    /// Kills all of its processes, and returns when they are gone. One that was killed before is
    /// left alone.
    ///
    /// # Errors
    ///
    /// If one could not be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.process.try_wait()?.is_some() {
            return Ok(());
        }
        let killed = processes::kill_with_children(self.process.id());
        self.process.kill()?;
        self.process.wait()?;
        killed?;
        self.forget_shared_memory()
    }

    /// Removes the mark in shared memory by which a server knows that another one is at its data:
    /// one that was killed leaves it until the next start.
    fn forget_shared_memory(&self) -> io::Result<()> {
        let pid_file = match fs::read_to_string(self.cluster.data().join("postmaster.pid")) {
            // It was about to end, and has cleared up itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        // Its seventh line: key and id.
        let id = pid_file.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        match id {
            Some(id) => run(Command::new("ipcrm").args(["-m", id])),
            // It was killed before it had made one.
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("a server could not be cleared up: {error}");
        }
    }
}

/// An address that nobody listens on.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
