//! The program of the server.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::campaign::run;

/// The names it has. Debian has it in a package without a service under the second, too; which
/// part it plays it takes from the name it is called by.
const NAMES: [&str; 2] = ["redis-server", "redis-check-rdb"];

/// The program of Redis, which can be run here.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// The first on `PATH`.
    ///
    /// # Errors
    ///
    /// If there is none, or none that may be run.
    pub fn find() -> io::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<_> = std::env::split_paths(&path).collect();
        let mut places =
            NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        let found = places.find(|place| place.is_file());
        let program = Self(found.ok_or_else(|| io::Error::other("there is no redis-server"))?);
        run(program.command().arg("--version"))?;
        Ok(program)
    }

    /// Starts it as a server.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.arg0(NAMES[0]);
        command
    }

    /// Starts it as a server that is in a network by itself, with a name for it in this folder.
    pub(super) fn command_apart(&self, home: &Path) -> io::Result<Command> {
        fs::create_dir_all(home)?;
        let named = home.join(NAMES[0]);
        symlink(&self.0, &named)?;
        let mut command = Command::new("unshare");
        command.args(["--net", "--"]).arg(named);
        Ok(command)
    }
}
