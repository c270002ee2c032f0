//! Servers of a test's own, for what others must not notice.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use redis::{Client, Connection};

/// A server that ends with its test.
#[derive(Debug)]
pub(crate) struct OwnServer {
    child: Child,
    directory: PathBuf,
    settings: Vec<String>,
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

impl OwnServer {
    pub(crate) fn start(settings: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sync-tracker-redis-{}-{number}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory).expect("a directory");
        let settings: Vec<_> = settings.iter().map(|it| (*it).to_owned()).collect();
        let port = free_port();
        let child = run(&directory, port, &settings);
        let server = Self { child, directory, settings, port };
        server.wait();
        server
    }

    /// A Sentinel that alone decides about a master.
    pub(crate) fn sentinel(name: &str, master: u16) -> Self {
        let file = env::temp_dir().join(format!("sync-tracker-sentinel-{}", free_port()));
        let text = format!(
            "sentinel monitor {name} 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 3000\n"
        );
        fs::write(&file, text).expect("the file is written");
        let sentinel = Self::start(&[file.to_str().expect("a name"), "--sentinel"]);
        fs::remove_file(file).expect("the file goes");
        sentinel
    }

    /// Ends the server for good.
    pub(crate) fn end(&mut self) {
        self.child.kill().expect("the server ends");
        self.child.wait().expect("the server ended");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn connect(&self) -> Connection {
        Client::open(self.url()).expect("a URL").get_connection().expect("a connection")
    }

    /// Sends a command of words.
    pub(crate) fn say(&self, words: &str) -> redis::Value {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap_or_default());
        words.for_each(|word| {
            command.arg(word);
        });
        command.query(&mut self.connect()).expect("an answer")
    }

    /// Ends the server as by power, and starts it again on what it kept.
    pub(crate) fn restart(&mut self) {
        self.begin_restart();
        self.wait();
    }

    /// The same, without waiting until it has loaded what it kept.
    pub(crate) fn begin_restart(&mut self) {
        self.end();
        self.child = run(&self.directory, self.port, &self.settings);
    }

    /// Where it keeps what it keeps.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        let client = Client::open(self.url()).expect("a URL");
        loop {
            let answer = client
                .get_connection()
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            match answer {
                Ok(_) => return,
                Err(error) if Instant::now() > until => {
                    panic!("the server does not start: {error}")
                }
                Err(_) => thread::sleep(Duration::from_millis(20)),
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

fn run(directory: &PathBuf, port: u16, settings: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    // A file of settings comes first.
    let (file, settings) = match settings.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (Some(first), rest),
        _ => (None, settings),
    };
    command.args(file).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    if file.is_none() {
        command.args(["--save", ""]);
    }
    command.arg("--dir").arg(directory).args(settings);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed")
}
