//! A network of a campaign's own, in which every server is a machine of its own and can be parted
//! from the others, without a word to anybody.
//!
//! ```text
//! clients ── together ──┬── server    a server is moved to `alone` to part it from the others;
//!     │                 └── server    clients still find it there
//!     ├───── alone ──────── server
//!     └───── nowhere                  the way of the clients leads here to part them from a server
//! ```

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use crate::campaign::run;

/// Says that the process is in a network of its own.
const INSIDE: &str = "SYNC_TRACKER_OWN_NETWORK";

/// The clients in every part of the network, by the same hardware address.
const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 77, 255, 254);
const HARDWARE: &str = "02:00:00:00:77:01";

/// The network, of which there is one in a process.
#[derive(Debug)]
pub struct Network {
    hosts: AtomicU16,
}

/// Where a server is in it. It goes with the process of the server.
#[derive(Debug)]
pub struct Host {
    link: String,
    address: Ipv4Addr,
    is_apart: bool,
    is_silent: bool,
}

impl Network {
    /// Whether the process is in a network of its own already.
    #[must_use]
    pub fn is_inside() -> bool {
        env::var_os(INSIDE).is_some()
    }

    /// Goes on as the same program from its beginning, in a network of its own; returns only if
    /// that cannot be.
    #[must_use]
    pub fn enter() -> io::Error {
        let entered = || -> io::Result<io::Error> {
            let probe = ["--net", "--", "ip", "link", "add", "probe", "type", "bridge"];
            run(Command::new("unshare").args(probe))?;
            let mut again = Command::new("unshare");
            again.args(["--net", "--"]).arg(env::current_exe()?).args(env::args_os().skip(1));
            Ok(again.env(INSIDE, "yes").exec())
        };
        entered().unwrap_or_else(|error| error)
    }

    /// Lays the network out.
    ///
    /// # Errors
    ///
    /// Outside of a network of the process's own, or if it cannot be laid out.
    pub fn lay() -> io::Result<Self> {
        if !Self::is_inside() {
            return Err(io::Error::other("the network is not ours"));
        }
        ip(["link", "set", "lo", "up"])?;
        for name in ["together", "alone"] {
            ip(["link", "add", "name", name, "address", HARDWARE, "type", "bridge"])?;
            ip(["link", "set", name, "up"])?;
        }
        // Whatever goes there comes out where nobody listens, and nobody asks who is there.
        ip(["link", "add", "name", "nowhere", "type", "veth", "peer", "name", "nobody"])?;
        ip(["link", "set", "nowhere", "arp", "off", "up"])?;
        ip(["link", "set", "nobody", "up"])?;
        ip(["address", "add", &format!("{CLIENTS}/16"), "dev", "together"])?;
        Ok(Self { hosts: AtomicU16::new(1) })
    }

    /// Connects a process that was started by `unshare --net`.
    ///
    /// # Errors
    ///
    /// If it cannot be connected.
    pub fn connect(&self, process: u32) -> io::Result<Host> {
        let namespace = |of: &dyn AsRef<OsStr>| {
            fs::read_link(std::path::Path::new("/proc").join(of.as_ref()).join("ns/net"))
        };
        while namespace(&"self")? == namespace(&process.to_string())? {
            thread::sleep(Duration::from_millis(1));
        }
        let number = self.hosts.fetch_add(1, Ordering::SeqCst);
        let [high, low] = number.to_be_bytes();
        let address = Ipv4Addr::new(10, 77, high, low);
        let (link, process) = (format!("host{number}"), process.to_string());
        let peer = ["type", "veth", "peer", "name", "eth0", "netns", &process];
        ip(["link", "add", "name", &link].into_iter().chain(peer))?;
        ip(["link", "set", &link, "master", "together", "up"])?;
        let within = format!(
            "ip address add {address}/16 dev eth0 && ip link set eth0 up && ip link set lo up"
        );
        let mut enter = Command::new("nsenter");
        run(enter.args(["--target", &process, "--net", "--", "sh", "-c", &within]))?;
        Ok(Host { link, address, is_apart: false, is_silent: false })
    }
}

impl Host {
    /// Where everybody finds it.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Parts it from the other servers.
    ///
    /// # Errors
    ///
    /// If its link cannot be moved.
    pub fn part_from_servers(&mut self) -> io::Result<()> {
        ip(["link", "set", &self.link, "master", "alone"])?;
        self.is_apart = true;
        self.lead_clients()
    }

    /// Parts it from the clients.
    ///
    /// # Errors
    ///
    /// If their way cannot be moved.
    pub fn part_from_clients(&mut self) -> io::Result<()> {
        self.is_silent = true;
        self.lead_clients()
    }

    /// Lets everything pass again.
    ///
    /// # Errors
    ///
    /// If a link or a way cannot be moved.
    pub fn heal(&mut self) -> io::Result<()> {
        ip(["link", "set", &self.link, "master", "together"])?;
        (self.is_apart, self.is_silent) = (false, false);
        self.lead_clients()
    }

    fn lead_clients(&self) -> io::Result<()> {
        let way = match (self.is_apart, self.is_silent) {
            (_, true) => "nowhere",
            (true, false) => "alone",
            (false, false) => "together",
        };
        let (address, clients) = (format!("{}/32", self.address), CLIENTS.to_string());
        ip(["route", "replace", &address, "dev", way, "src", &clients])
    }
}

fn ip<'a>(words: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    run(Command::new("ip").args(words))
}
