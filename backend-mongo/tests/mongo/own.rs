//! Servers of a test's own, for what others must not notice.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use mongodb::Client;
use mongodb::bson::{Document, doc};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server that ends with its test.
#[derive(Debug)]
pub(crate) struct OwnServer {
    child: Child,
    directory: PathBuf,
    pub(crate) port: u16,
}

/// The one that `SYNC_TRACKER_MONGOD` names, else the one on `PATH`, else the one that
/// `scripts/test-servers` has installed.
fn program() -> PathBuf {
    let named = env::var_os("SYNC_TRACKER_MONGOD").map(PathBuf::from);
    let on_path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&on_path).map(|it| it.join("mongod"));
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let installed = fs::read_dir(cache.join("sync-tracker")).into_iter().flatten().flatten();
    let installed = installed.map(|it| it.path().join("mongod"));
    let mut all = named.into_iter().chain(on_path).chain(installed);
    all.find(|it| it.is_file()).expect("mongod is installed")
}

impl OwnServer {
    /// A server that is to be a member of a set, with these arguments besides the usual ones.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sync-tracker-mongo-{}-{number}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory).expect("a directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = run(&directory, port, arguments);
        let server = Self { child, directory, port };
        server.wait();
        server
    }

    /// A replica set of one server, which is its primary.
    pub(crate) async fn alone(arguments: &[&str]) -> Self {
        let server = Self::start(arguments);
        initiate(&[&server]).await;
        server
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// To this server alone.
    pub(crate) fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    pub(crate) async fn client(&self) -> Client {
        Client::with_uri_str(self.url()).await.expect("a URL")
    }

    pub(crate) async fn say(&self, command: Document) -> Document {
        let admin = self.client().await.database("admin");
        admin.run_command(command).await.expect("an answer")
    }

    /// Lets commands that change one document fail, after so many, as the server's own tests do.
    pub(crate) async fn fail(&self, mode: Document, mut how: Document) {
        how.insert("failCommands", ["findAndModify"].as_slice());
        self.say(doc! { "configureFailPoint": "failCommand", "mode": mode, "data": how }).await;
    }

    /// No command fails any more.
    pub(crate) async fn heal(&self) {
        self.say(doc! { "configureFailPoint": "failCommand", "mode": "off" }).await;
    }

    pub(crate) fn end(&mut self) {
        self.child.kill().expect("the server ends");
        self.child.wait().expect("the server ended");
    }

    /// Ends the server as by power, and starts it again on what it kept.
    pub(crate) fn restart(&mut self, arguments: &[&str]) {
        self.end();
        self.child = run(&self.directory, self.port, arguments);
        self.wait();
    }

    /// Starts the server again. From now on users may do what their roles allow, and no others.
    pub(crate) fn ask_for_passwords(&mut self) {
        let file = self.directory.join("key");
        fs::write(&file, "c2VjcmV0IG9mIHRoaXMgdGVzdA==").expect("the file is written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        self.restart(&["--auth", "--keyFile", file.to_str().expect("a name")]);
    }

    fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "the server does not start");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Makes servers a replica set, and waits until the first is its primary and the others follow.
pub(crate) async fn initiate(servers: &[&OwnServer]) {
    let members = (0_i32..).zip(servers).map(|(id, server)| {
        let priority = i32::from(id == 0);
        doc! { "_id": id, "host": format!("127.0.0.1:{}", server.port), "priority": priority }
    });
    let members: Vec<_> = members.collect();
    let first = servers.first().expect("a server");
    first.say(doc! { "replSetInitiate": { "_id": "own", "members": members } }).await;
    let until = Instant::now() + PATIENCE;
    for (server, part) in servers.iter().zip(["isWritablePrimary"].into_iter().chain(SECONDARY)) {
        while !server.say(doc! { "hello": 1 }).await.get_bool(part).unwrap_or(false) {
            assert!(Instant::now() < until, "the set does not become whole");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

const SECONDARY: [&str; 4] = ["secondary"; 4];

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

fn run(directory: &Path, port: u16, arguments: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.args(["--replSet", "own", "--bind_ip", "127.0.0.1", "--nounixsocket"]);
    command.args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"]);
    command.arg("--port").arg(port.to_string()).arg("--dbpath").arg(directory).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("mongod runs")
}
