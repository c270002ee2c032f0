//! A process with its children.

use std::time::Duration;
use std::{fs, io, thread};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// Kills a process and its children, and waits until the children are gone: each is in a session of
/// its own, so there is no group of them. Whoever started the process has to wait for it.
pub(super) fn kill_with_children(id: u32) -> io::Result<()> {
    // Once it stands still, there are no new children.
    send(id, Signal::STOP)?;
    let children = children(id)?;
    for process in children.iter().copied().chain([id]) {
        send(process, Signal::KILL)?;
    }
    while children.iter().any(|child| state(*child).is_some_and(|(state, _)| state != 'Z')) {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn send(id: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other(format!("{id} is no process")))?;
    match kill_process(pid, signal) {
        // It has ended.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn children(of: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let id = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(id) = id
            && state(id).is_some_and(|(_, parent)| parent == of)
        {
            children.push(id);
        }
    }
    Ok(children)
}

/// The state of a process and its parent, while there is one.
fn state(id: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program is in parentheses and may have any in it.
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_killed_with_its_children() {
        let mut shell = Command::new("sh").args(["-c", "sleep 60 & sleep 60"]).spawn().unwrap();
        while children(shell.id()).unwrap().len() < 2 {
            thread::sleep(Duration::from_millis(1));
        }
        let all = children(shell.id()).unwrap();
        kill_with_children(shell.id()).unwrap();
        assert!(!shell.wait().unwrap().success());
        assert!(all.iter().all(|child| state(*child).is_none_or(|(state, _)| state == 'Z')));
    }
}
