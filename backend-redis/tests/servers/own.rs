//! Servers of a test's own, for what others must not notice.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use redis::{Client, Connection, RedisResult};

/// How a server speaks.
#[derive(Clone, Debug)]
pub(crate) enum Speech {
    Plain,
    /// By TLS alone, also with other servers; the certificates are in this directory.
    Tls(PathBuf),
}

/// A server that ends with its test.
#[derive(Debug)]
pub(crate) struct OwnServer {
    child: Child,
    directory: PathBuf,
    settings: Vec<String>,
    speech: Speech,
    pub(crate) port: u16,
}

/// A port of which a cluster can take the one 10,000 above, too.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        if port < 55_000 {
            return port;
        }
    }
}

/// A directory that nobody else has.
pub(super) fn own_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("sync-tracker-redis-{}-{number}", std::process::id());
    let directory = env::temp_dir().join(name);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

impl Speech {
    fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "redis",
            Self::Tls(_) => "rediss",
        }
    }

    fn settings(&self, port: u16) -> Vec<String> {
        let Self::Tls(directory) = self else { return vec!["--port".into(), port.to_string()] };
        let port = port.to_string();
        let mut settings = vec!["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"];
        settings.extend(["--tls-replication", "yes", "--tls-cluster", "yes"]);
        let mut settings: Vec<_> = settings.into_iter().map(ToOwned::to_owned).collect();
        for (setting, file) in TLS_FILES {
            let file = directory.join(file).into_os_string().into_string().expect("a name");
            settings.extend([setting.into(), file]);
        }
        settings
    }
}

const TLS_FILES: [(&str, &str); 3] = [
    ("--tls-cert-file", "server.crt"),
    ("--tls-key-file", "server.key"),
    ("--tls-ca-cert-file", "authority.crt"),
];

impl OwnServer {
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_by(&Speech::Plain, settings)
    }

    pub(crate) fn start_by(speech: &Speech, settings: &[&str]) -> Self {
        Self::start_in(own_directory(), speech, settings)
    }

    fn start_in(directory: PathBuf, speech: &Speech, settings: &[&str]) -> Self {
        let speech = speech.clone();
        let settings: Vec<_> = settings.iter().map(|it| (*it).to_owned()).collect();
        let port = free_port();
        let child = run(&directory, &speech.settings(port), &settings);
        let mut server = Self { child, directory, settings, speech, port };
        let mut tries = 0;
        // Somebody else may have taken the port since.
        while !server.wait() {
            tries += 1;
            assert!(tries < 5, "the server ends");
            server.port = free_port();
            let speech = server.speech.settings(server.port);
            server.child = run(&server.directory, &speech, &server.settings);
        }
        server
    }

    /// A Sentinel that alone decides about a master.
    pub(crate) fn sentinel(name: &str, master: &Self) -> Self {
        let directory = own_directory();
        let file = directory.join("sentinel.conf");
        let text = format!(
            "sentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 3000\n",
            master.port
        );
        fs::write(&file, text).expect("the file is written");
        let file = file.to_str().expect("a name");
        Self::start_in(directory, &master.speech, &[file, "--sentinel"])
    }

    /// A replica, which has what its master has.
    pub(crate) fn replica(master: &Self) -> Self {
        let port = master.port.to_string();
        let replica = Self::start_by(&master.speech, &["--replicaof", "127.0.0.1", &port]);
        replica.wait_for_master();
        replica
    }

    /// Waits until it has what its master has. A Sentinel that makes a server a replica ends its
    /// connections.
    pub(crate) fn wait_for_master(&self) {
        wait_until("the server is a replica", || match self.try_say("INFO replication") {
            Ok(redis::Value::BulkString(info)) => {
                String::from_utf8_lossy(&info).contains("master_link_status:up")
            }
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => false,
        });
    }

    /// Ends the server for good.
    pub(crate) fn end(&mut self) {
        self.child.kill().expect("the server ends");
        self.child.wait().expect("the server ended");
    }

    pub(crate) fn scheme(&self) -> &'static str {
        self.speech.scheme()
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/", self.scheme(), self.port)
    }

    pub(crate) fn connect(&self) -> Connection {
        self.try_connect().expect("a connection")
    }

    fn try_connect(&self) -> RedisResult<Connection> {
        Client::open(self.url()).expect("a URL").get_connection()
    }

    /// Sends a command of words.
    pub(crate) fn say(&self, words: &str) -> redis::Value {
        self.try_say(words).expect("an answer")
    }

    /// The same, where the server may refuse it or end the connection.
    pub(crate) fn try_say(&self, words: &str) -> RedisResult<redis::Value> {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap_or_default());
        words.for_each(|word| {
            command.arg(word);
        });
        command.query(&mut self.try_connect()?)
    }

    /// Ends the server as by power, and starts it again on what it kept.
    pub(crate) fn restart(&mut self) {
        self.begin_restart();
        assert!(self.wait(), "somebody else has the port");
    }

    /// The same, without waiting until it has loaded what it kept.
    pub(crate) fn begin_restart(&mut self) {
        self.end();
        self.child = run(&self.directory, &self.speech.settings(self.port), &self.settings);
    }

    /// Where it keeps what it keeps.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits until it answers; in vain if it has ended.
    fn wait(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        let client = Client::open(self.url()).expect("a URL");
        let own = format!("\r\nprocess_id:{}\r\n", self.child.id());
        loop {
            let answer = client.get_connection().and_then(|mut connection| {
                redis::cmd("PING").query::<String>(&mut connection)?;
                redis::cmd("INFO").arg("server").query::<String>(&mut connection)
            });
            match answer {
                Ok(info) if info.contains(&own) => return true,
                _ if self.child.try_wait().expect("the server runs or has ended").is_some() => {
                    return false;
                }
                answer => {
                    assert!(Instant::now() < until, "the server does not start: {answer:?}");
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        let removed = fs::remove_dir_all(&self.directory);
        if !thread::panicking() {
            ended.expect("the server ends");
            removed.expect("its directory goes");
        }
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "not within half a minute: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn run(directory: &PathBuf, speech: &[String], settings: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    // A file of settings comes first.
    let (file, settings) = match settings.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (Some(first), rest),
        _ => (None, settings),
    };
    command.args(file).args(speech).args(["--bind", "127.0.0.1"]);
    if file.is_none() {
        command.args(["--save", ""]);
    }
    command.arg("--dir").arg(directory).args(settings);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed")
}
