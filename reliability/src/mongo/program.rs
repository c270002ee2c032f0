//! The program of the server.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campaign::run;

/// A `mongod` that can be run here.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// The one that `SYNC_TRACKER_MONGOD` names, else the one on `PATH`, else the one that
    /// `scripts/test-servers` has installed.
    ///
    /// # Errors
    ///
    /// If there is none, or none that runs.
    pub fn find() -> io::Result<Self> {
        let named = env::var_os("SYNC_TRACKER_MONGOD").map(PathBuf::from);
        let path = named
            .or_else(on_path)
            .or_else(installed)
            .ok_or_else(|| io::Error::other("there is no mongod"))?;
        run(Command::new(&path).arg("--version"))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

fn on_path() -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).map(|it| it.join("mongod")).find(|it| it.is_file())
}

fn installed() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    let folders = fs::read_dir(cache.join("sync-tracker")).ok()?.flatten();
    folders.map(|it| it.path().join("mongod")).find(|it| it.is_file())
}
