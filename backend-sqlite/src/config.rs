//! How a store is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sync_tracker_core::{Error, Result, StoreClock};

use crate::connections::Connections;
use crate::error::{STORE, before_commit};
use crate::migrations;
use crate::store::SqliteStore;
use crate::writer::Writer;

/// How to open a store: where it is, and how careful it is.
///
/// ```
/// use sync_tracker_sqlite::{SqliteOptions, Synchronous};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sync_tracker_core::Error> {
/// # let path = std::env::temp_dir().join(format!("options-{}.db", std::process::id()));
/// let store = SqliteOptions::file(&path).synchronous(Synchronous::Normal).open().await?;
/// # drop(store);
/// # for end in ["", "-wal", "-shm"] {
/// #     let _ = std::fs::remove_file(format!("{}{end}", path.display()));
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options open nothing until they are told to"]
pub struct SqliteOptions {
    /// The file; none is in memory.
    file: Option<PathBuf>,
    synchronous: Synchronous,
    patience: Duration,
    readers: u32,
    read_only: bool,
    max_pages: Option<u32>,
    clock: StoreClock,
}

/// When a write waits for the disk; see <https://www.sqlite.org/pragma.html#pragma_synchronous>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Each transaction waits: what was acknowledged survives a loss of power.
    #[default]
    Full,
    /// Only checkpoints wait. A loss of power may take back the last transactions, and the file
    /// stays sound.
    Normal,
    /// Nothing waits. A loss of power may damage the file.
    Off,
}

impl SqliteOptions {
    /// How long a call waits for other processes unless it was said otherwise: 5 seconds, which is
    /// less than the deadline of a tracker.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);
    /// How many connections read unless it was said otherwise.
    pub const DEFAULT_READERS: u32 = 4;

    /// A store in a file, which is made if there is none. Its folder must exist.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::at(Some(path.as_ref().to_owned()))
    }

    /// A store in memory, which ends with its last clone.
    pub fn memory() -> Self {
        Self::at(None)
    }

    /// A store that a URL names: `sqlite:` and the path of the file as it is, or
    /// `sqlite::memory:`. `sqlite://` does as well.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](sync_tracker_core::ErrorKind::Invalid) for any other URL.
    pub fn from_url(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match rest {
            Some(":memory:") => Ok(Self::memory()),
            Some(path) if !path.is_empty() => Ok(Self::file(path)),
            _ => Err(Error::invalid("URL", format!("is {url:?}"), "sqlite:PATH, sqlite::memory:")),
        }
    }

    fn at(file: Option<PathBuf>) -> Self {
        Self {
            file,
            synchronous: Synchronous::default(),
            patience: Self::DEFAULT_PATIENCE,
            readers: Self::DEFAULT_READERS,
            read_only: false,
            max_pages: None,
            clock: StoreClock::Server,
        }
    }

    /// When a write waits for the disk.
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Self { synchronous, ..self }
    }

    /// How long a call waits while another process writes, before it is
    /// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable): at most an hour, in milliseconds.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience: patience.min(Duration::from_secs(3_600)), ..self }
    }

    /// How many connections read at the same time: at least one. A store in memory has one
    /// connection for everything.
    pub fn readers(self, readers: u32) -> Self {
        Self { readers: readers.max(1), ..self }
    }

    /// Opens a file that is there only to read it: whatever writes is
    /// [`Unsupported`](sync_tracker_core::ErrorKind::Unsupported).
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// How many pages of 4 KiB the database may have: what would not fit is
    /// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable), as with a full disk.
    pub fn max_pages(self, pages: u32) -> Self {
        Self { max_pages: Some(pages), ..self }
    }

    /// The clock that the store decides by; this machine's unless it was said otherwise.
    pub fn clock(self, clock: StoreClock) -> Self {
        Self { clock, ..self }
    }

    /// Opens the store, and brings its tables up to date. Needs a tokio runtime with its timer
    /// enabled, and lives as long as that.
    ///
    /// # Errors
    ///
    /// - [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable): the folder is missing, the file cannot be opened, or others
    ///   kept it locked.
    /// - [`Corrupt`](sync_tracker_core::ErrorKind::Corrupt): the file is damaged, or is no SQLite database.
    /// - [`Unsupported`](sync_tracker_core::ErrorKind::Unsupported): the tables are those of a newer major version, or there are
    ///   none and the file may only be read.
    pub async fn open(self) -> Result<SqliteStore> {
        let named = |error: Error| match &self.file {
            Some(path) => {
                let message = format!("cannot open {}", path.display());
                Error::new(error.kind(), message).in_store(STORE).caused_by(error)
            }
            None => error,
        };
        self.clone().open_unnamed().await.map_err(named)
    }

    async fn open_unnamed(self) -> Result<SqliteStore> {
        let connect = self.connect_options();
        let pool = |size, connect| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(self.patience)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_lazy_with(connect)
        };
        let (writing, reading, pool) = if self.file.is_none() {
            let only = pool(1, connect);
            (Connections::Only(only.clone()), Connections::Only(only.clone()), only)
        } else {
            let held = |size| Connections::held(connect.clone(), size, self.patience);
            (held(1), held(self.readers), pool(self.readers, connect.clone()))
        };
        {
            let mut connection = writing.lend().await.map_err(before_commit)?;
            if self.file.is_some() && !self.read_only {
                migrations::use_wal(&mut connection, self.patience).await?;
            }
            migrations::migrate(&mut connection, self.patience).await?;
            connection.end(true);
        }
        let writer = Writer::start(writing.clone(), self.clock.clone(), self.patience);
        let in_memory = self.file.is_none();
        let all = AllConnections { writing, reading, pool, in_memory };
        Ok(SqliteStore::new(writer, all, self.clock))
    }

    fn connect_options(&self) -> SqliteConnectOptions {
        let options = match &self.file {
            Some(path) => SqliteConnectOptions::new().filename(path),
            None => SqliteConnectOptions::new().in_memory(true),
        };
        let options = options
            .create_if_missing(!self.read_only)
            .read_only(self.read_only)
            .busy_timeout(self.patience)
            .synchronous(match self.synchronous {
                Synchronous::Full => SqliteSynchronous::Full,
                Synchronous::Normal => SqliteSynchronous::Normal,
                Synchronous::Off => SqliteSynchronous::Off,
            })
            .disable_statement_logging();
        match self.max_pages {
            Some(pages) => options.pragma("max_page_count", pages.to_string()),
            None => options,
        }
    }
}

/// The connections of a store. In memory there is one.
#[derive(Clone, Debug)]
pub(crate) struct AllConnections {
    pub(crate) writing: Connections,
    pub(crate) reading: Connections,
    /// For the application.
    pub(crate) pool: SqlitePool,
    pub(crate) in_memory: bool,
}
