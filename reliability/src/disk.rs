//! Disks in files.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campaign::run;

/// A file that is mounted as a disk, until it is dropped.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    /// A new disk in this file, with room for so many bytes.
    ///
    /// # Errors
    ///
    /// Without root, `mkfs.ext4` or loop mounts.
    pub fn new(image: &Path, size: u64) -> io::Result<Self> {
        File::create(image)?.set_len(size)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image))?;
        Self::mount(image)
    }

    /// The disk in this file, as after the power came back.
    ///
    /// # Errors
    ///
    /// Without root or loop mounts.
    pub fn mount(image: &Path) -> io::Result<Self> {
        let mounted = image.with_extension("mounted");
        std::fs::create_dir_all(&mounted)?;
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&mounted))?;
        Ok(Self { image: image.to_owned(), mounted })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Copies what is on the disk now, and not what is on its way. If something reached the disk
    /// while it was copied, the copy would be of no moment at all: then it is made again.
    ///
    /// # Errors
    ///
    /// If there is no room for it.
    pub fn copy(&self, to: &Path) -> io::Result<()> {
        loop {
            copy_image(&self.image, to)?;
            if Command::new("cmp").arg("-s").arg(&self.image).arg(to).status()?.success() {
                return Ok(());
            }
        }
    }
}

/// Copies the file of a disk.
///
/// # Errors
///
/// If there is no room for it.
pub fn copy_image(from: &Path, to: &Path) -> io::Result<()> {
    run(Command::new("cp").arg("--sparse=always").arg(from).arg(to))
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg(&self.mounted)) {
            eprintln!("{} stays mounted: {error}", self.mounted.display());
        }
    }
}
