//! The programs of the server, and who runs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use rustix::process::geteuid;

use crate::campaign::run;

/// Where Debian keeps each version's programs, off `PATH`.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The user that runs them if we are root, since PostgreSQL refuses to.
const USER: &str = "postgres";

/// Programs of PostgreSQL that can be run here.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    as_user: bool,
}

impl Programs {
    /// Those of the newest version that is installed.
    ///
    /// # Errors
    ///
    /// If there are none, or none that may be run.
    pub fn find() -> io::Result<Self> {
        let on_path = env::var_os("PATH").unwrap_or_default();
        let folder = installed()
            .into_iter()
            .chain(env::split_paths(&on_path))
            .find(|folder| folder.join("initdb").is_file())
            .ok_or_else(|| io::Error::other("there are no programs of PostgreSQL"))?;
        let programs = Self { folder, as_user: geteuid().is_root() };
        run(programs.command("postgres").arg("--version"))?;
        Ok(programs)
    }

    /// One of them.
    #[must_use]
    pub fn command(&self, name: &str) -> Command {
        self.by_its_user(&self.folder.join(name))
    }

    fn by_its_user(&self, program: &Path) -> Command {
        if !self.as_user {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={USER}")).arg(format!("--regid={USER}"));
        command.args(["--init-groups", "--"]).arg(program);
        command
    }

    /// Makes a folder that belongs to the user of the server, and to nobody else.
    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut command = Command::new("install");
        command.args(["-d", "-m", "700"]);
        if self.as_user {
            command.args(["-o", USER, "-g", USER]);
        }
        run(command.arg("--").arg(path))
    }

    /// Makes a file of the server's user, with what `source` holds.
    pub(super) fn install_file(&self, source: &Path, path: &Path) -> io::Result<()> {
        let mut command = Command::new("install");
        command.args(["-m", "600"]);
        if self.as_user {
            command.args(["-o", USER, "-g", USER]);
        }
        run(command.arg("--").arg(source).arg(path))
    }
}

/// The folders of the versions, the newest first.
fn installed() -> Vec<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable();
    versions.iter().rev().map(|it| Path::new(VERSIONS).join(it.to_string()).join("bin")).collect()
}
