//! What a server keeps on disk.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use tempfile::NamedTempFile;

use super::{Programs, Server};
use crate::campaign::run;

/// The one role.
pub(super) const ROLE: &str = "sync_tracker";

/// The data of a server, with the password of its role. Nobody owns the folder: it goes with the
/// one that it is in.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) programs: Programs,
    /// With all that belongs to the server.
    pub(super) home: PathBuf,
    pub(super) password: String,
}

impl Cluster {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn init(programs: Programs, home: &Path) -> io::Result<Self> {
        let password = format!("{:032x}", rand::random::<u128>());
        programs.make_folder(home)?;
        let cluster = Self { programs, home: home.to_owned(), password };
        let mut file = NamedTempFile::new()?;
        file.write_all(cluster.password.as_bytes())?;
        let owned = home.join("password");
        cluster.programs.install_file(file.path(), &owned)?;
        let mut initdb = cluster.programs.command("initdb");
        initdb.args(["--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8"]);
        initdb.args(["--auth=scram-sha-256", "--wal-segsize=1"]);
        initdb.arg(format!("--username={ROLE}")).arg(format!("--pwfile={}", owned.display()));
        run(initdb.arg("-D").arg(cluster.data()))?;
        Ok(cluster)
    }

    /// The same one at another place, where it was copied to.
    #[must_use]
    pub fn at(&self, home: &Path) -> Self {
        Self { home: home.to_owned(), ..self.clone() }
    }

    /// Copies it. No server may be running on it.
    ///
    /// # Errors
    ///
    /// If it cannot be copied.
    pub fn copy_to(&self, home: &Path) -> io::Result<Self> {
        run(Command::new("cp").arg("-a").arg("--").arg(&self.home).arg(home))?;
        Ok(self.at(home))
    }

    /// Makes it a standby of the server that it is a copy of, which this address leads to.
    ///
    /// # Errors
    ///
    /// If its files cannot be written.
    pub fn stand_by(&self, primary: SocketAddr) -> io::Result<()> {
        let data = self.data();
        let mut settings = fs::read_to_string(data.join("postgresql.auto.conf"))?;
        let (host, port, password) = (primary.ip(), primary.port(), &self.password);
        settings += &format!(
            "primary_conninfo = 'host={host} port={port} user={ROLE} password={password}'\n"
        );
        fs::write(data.join("postgresql.auto.conf"), settings)?;
        let nothing = NamedTempFile::new()?;
        self.programs.install_file(nothing.path(), &data.join("standby.signal"))
    }

    /// Starts a server on it, with these settings besides the usual ones, and waits until it takes
    /// connections.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start(&self, settings: &[(&str, &str)]) -> io::Result<Server> {
        Server::start(self.clone(), settings)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.join("data")
    }
}
