//! How much memory this process has.

use std::{fs, io};

/// Bytes of memory that this process has resident.
///
/// # Errors
///
/// If the kernel does not tell, as on other systems than Linux.
pub fn resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    let kibibytes = kibibytes.ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS"))?;
    Ok(kibibytes * 1024)
}
