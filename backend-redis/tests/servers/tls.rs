//! Authorities of a test's own, and who trusts them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, thread};

use super::own::{Speech, own_directory};

/// Who signs for the servers of this machine, until the test ends.
#[derive(Debug)]
pub(crate) struct Authority {
    directory: PathBuf,
}

impl Authority {
    /// As `scripts/test-servers` makes one.
    pub(crate) fn new() -> Self {
        let directory = own_directory();
        openssl(
            &directory,
            "req -x509 KEY -days 2 -subj /CN=authority -keyout authority.key -out authority.crt",
        );
        certify(&directory, "server", "IP:127.0.0.1");
        Self { directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.directory);
        if !thread::panicking() {
            removed.expect("its directory goes");
        }
    }
}

/// Signs for a server that has these names: its files have this one.
pub(crate) fn certify(authority: &Path, file: &str, names: &str) {
    fs::write(authority.join("names"), format!("subjectAltName = {names}\n")).expect("a file");
    let asked = format!("req KEY -subj /CN=server -keyout {file}.key -out {file}.csr");
    openssl(authority, &asked);
    let signed = format!(
        "x509 -req -in {file}.csr -CA authority.crt -CAkey authority.key -CAcreateserial \
         -days 2 -extfile names -out {file}.crt"
    );
    openssl(authority, &signed);
}

fn openssl(directory: &Path, words: &str) {
    let words = words.replace("KEY", "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc");
    let mut openssl = Command::new("openssl");
    openssl.args(words.split_whitespace()).current_dir(directory);
    let output = openssl.output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Where a test that trusts an authority finds its certificates.
const CERTIFICATES: &str = "SYNC_TRACKER_TEST_CERTIFICATES";

/// How the servers of a test speak, if this is the process that trusts who signs for them. Else the
/// test has passed in such a process.
pub(crate) fn trusted(test: &str) -> Option<Speech> {
    if let Some(directory) = env::var_os(CERTIFICATES) {
        // For connections of the test itself. The store sees to its own.
        drop(rustls::crypto::ring::default_provider().install_default());
        return Some(Speech::Tls(directory.into()));
    }
    let authority = Authority::new();
    let mut again = trusting(&authority.directory().join("authority.crt"), test);
    pass(again.env(CERTIFICATES, authority.directory()));
    None
}

/// A test again. What the system trusts is read from the environment, once for a process: so who
/// trusts an authority is a process of its own.
pub(crate) fn trusting(authority: &Path, test: &str) -> Command {
    let mut again = Command::new(env::current_exe().expect("a program"));
    again.args(["--include-ignored", "--exact", test]).env("SSL_CERT_FILE", authority);
    again
}

pub(crate) fn pass(test: &mut Command) {
    let output = test.output().expect("the test runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
