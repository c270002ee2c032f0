//! What every campaign needs: a folder that goes with it, and a way to end it early.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;

/// The exit status if a campaign could not be run here.
pub const NOT_RUN: u8 = 3;

/// In so many cycles some writes were applied of which nobody was told, whatever the moments: if
/// not, the campaign shows nothing. In fewer there may be none by chance.
pub const ENOUGH: u32 = 20;

/// A folder that goes when it is dropped, and that servers of other users get through.
///
/// # Errors
///
/// If it cannot be made.
pub fn folder(name: &str) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
    Ok(folder)
}

/// Whether somebody asked the campaign to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    /// From now on an interrupt is noted instead of ending the process, so that what the campaign
    /// has started goes with it.
    ///
    /// # Errors
    ///
    /// If signals cannot be listened to.
    pub fn listen() -> io::Result<Self> {
        let noted = Self::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let (mut signals, noted) = (signal(kind)?, noted.clone());
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    noted.0.store(true, Ordering::SeqCst);
                }
            });
        }
        Ok(noted)
    }

    /// To be asked before each cycle.
    ///
    /// # Errors
    ///
    /// If the campaign is to end.
    pub fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::SeqCst) { Err("interrupted".into()) } else { Ok(()) }
    }
}

/// Runs a program to its end; what it says against it is the error.
///
/// # Errors
///
/// If it cannot be run, or fails.
pub fn run(command: &mut Command) -> io::Result<()> {
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("{command:?}: {}", said.trim())))
}
