//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::Document;
use mongodb::options::{
    Acknowledgment, ClientOptions, CollectionOptions, ReadConcern, ReadPreference,
    SelectionCriteria, WriteConcern,
};
use sync_tracker_core::{Error, Result, StoreClock};
use tokio::sync::Semaphore;

use crate::error;
use crate::server::SentAgain;
use crate::store::MongoStore;

/// How often the driver looks after servers, whatever the deadline. It cannot do so more often.
const MIN_HEARTBEAT: Duration = Duration::from_millis(500);
const MAX_HEARTBEAT: Duration = Duration::from_secs(10);

/// How many connections the driver has unless it is told.
const CONNECTIONS: usize = 10;

/// How to open a store: where it is, and what it is called there.
///
/// ```no_run
/// use sync_tracker_mongo::MongoOptions;
///
/// # async fn open() -> Result<(), sync_tracker_core::Error> {
/// let options = MongoOptions::from_url("mongodb://db.example/shop?replicaSet=rs0").await?;
/// let store = options.collection("ledger").open().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "options open nothing until they are told to"]
pub struct MongoOptions {
    client: ClientOptions,
    database: Option<String>,
    collection: String,
    deadline: Duration,
    migrate: bool,
    clock: StoreClock,
    write_concern: WriteConcern,
}

impl MongoOptions {
    /// The database unless the URL names one, or it was said otherwise.
    pub const DEFAULT_DATABASE: &str = "sync_tracker";
    /// The collection of records unless it was said otherwise.
    pub const DEFAULT_COLLECTION: &str = "records";
    /// How long a call may take unless it was said otherwise.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);
    /// The longest name of a database or a collection, in bytes.
    pub const MAX_NAME_BYTES: usize = 40;

    /// A store in the deployment that a URL names: `mongodb://user:password@host:port/database`, or
    /// `mongodb+srv://…`, with parameters as the driver knows them, such as `replicaSet` and `tls`.
    ///
    /// What the URL says of write concerns, read concerns and read preferences does not count.
    ///
    /// # Errors
    ///
    /// - [`Invalid`](sync_tracker_core::ErrorKind::Invalid) for any other URL.
    /// - [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable): `mongodb+srv` has no answer.
    pub async fn from_url(url: &str) -> Result<Self> {
        let client = ClientOptions::parse(url).await.map_err(|cause| error::options(&cause))?;
        Ok(Self::from_options(client))
    }

    /// A store in the deployment that the driver's own options lead to.
    pub fn from_options(client: ClientOptions) -> Self {
        Self {
            client,
            database: None,
            collection: Self::DEFAULT_COLLECTION.into(),
            deadline: Self::DEFAULT_DEADLINE,
            migrate: true,
            clock: StoreClock::Server,
            write_concern: WriteConcern::builder()
                .w(Some(Acknowledgment::Majority))
                .journal(true)
                .build(),
        }
    }

    /// The database: `a-z`, `A-Z`, `0-9`, `_` and `-`, at most 40 bytes.
    pub fn database(self, name: impl Into<String>) -> Self {
        Self { database: Some(name.into()), ..self }
    }

    /// The collection of records: `a-z`, `A-Z`, `0-9`, `_` and `-`, at most 40 bytes.
    pub fn collection(self, name: impl Into<String>) -> Self {
        Self { collection: name.into(), ..self }
    }

    /// How long a call may take, waiting for a server included.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Whether opening makes the indexes, which it does unless it was said otherwise. Without the
    /// unique one two records may hold one external id.
    pub fn migrate(self, migrate: bool) -> Self {
        Self { migrate, ..self }
    }

    /// The clock that the store decides by; the server's unless it was said otherwise.
    pub fn clock(self, clock: StoreClock) -> Self {
        Self { clock, ..self }
    }

    /// What a write waits for: the journals of the majority unless it was said otherwise. With
    /// less, acknowledged writes can be lost, and [`durability`] says so.
    ///
    /// [`durability`]: sync_tracker_core::SyncStore::durability
    pub fn write_concern(self, write_concern: WriteConcern) -> Self {
        Self { write_concern, ..self }
    }

    /// Opens the store on a client of its own. Needs a tokio runtime with its timer enabled.
    ///
    /// # Errors
    ///
    /// - [`Invalid`](sync_tracker_core::ErrorKind::Invalid): a name breaks its limit, or writes are
    ///   not to be acknowledged at all.
    /// - [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable): there is no primary.
    /// - [`Unsupported`](sync_tracker_core::ErrorKind::Unsupported): the server refuses the user.
    pub async fn open(self) -> Result<MongoStore> {
        let mut options = self.client.clone();
        // What the second try says would hide what became of the first.
        options.retry_writes = Some(false);
        // Before the deadline: where there is no primary, nothing was sent.
        options.server_selection_timeout.get_or_insert(self.deadline.mul_f64(0.8));
        // Connections that fell silent are given up when the server's heartbeat is missed.
        options.connect_timeout.get_or_insert(self.deadline);
        // And a server that was given up without need is found again while it is waited for.
        let heartbeat = self.deadline.mul_f64(0.5).clamp(MIN_HEARTBEAT, MAX_HEARTBEAT);
        options.heartbeat_freq.get_or_insert(heartbeat);
        let connections = match options.max_pool_size {
            None => CONNECTIONS,
            Some(0) => Semaphore::MAX_PERMITS,
            Some(most) => usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS),
        };
        let client = Client::with_options(options).map_err(|cause| error::options(&cause))?;
        self.open_with(client, SentAgain::Never, connections).await
    }

    /// Opens the store on a client of the application's, which is used as it is but for the
    /// concerns. If it sends writes again, as it does unless it was told otherwise, some that were
    /// not carried out are [`Unknown`](sync_tracker_core::ErrorKind::Unknown).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_on(self, client: Client) -> Result<MongoStore> {
        // How many connections it has is not told.
        self.open_with(client, SentAgain::ByDriver, Semaphore::MAX_PERMITS).await
    }

    async fn open_with(
        self,
        client: Client,
        sent_again: SentAgain,
        connections: usize,
    ) -> Result<MongoStore> {
        let named = self.client.default_database.as_deref();
        let database = self.database.as_deref().or(named).unwrap_or(Self::DEFAULT_DATABASE);
        check_name("database", database)?;
        check_name("collection", &self.collection)?;
        if self.write_concern.w == Some(Acknowledgment::Nodes(0)) {
            return Err(Error::invalid("write concern", "is w: 0", "writes that are acknowledged"));
        }
        let concerns = CollectionOptions::builder()
            .write_concern(self.write_concern.clone())
            .read_concern(ReadConcern::local())
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .build();
        let database = client.database(database);
        let named =
            |name: &str| database.collection_with_options::<Document>(name, concerns.clone());
        let store = MongoStore {
            records: named(&self.collection).clone_with_type(),
            inbox: named(&format!("{}.inbox", self.collection)),
            pauses: named(&format!("{}.pauses", self.collection)),
            checkpoints: named(&format!("{}.checkpoints", self.collection)),
            client,
            database,
            deadline: self.deadline,
            write_concern: self.write_concern,
            clock: self.clock,
            sent_again,
            turns: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
        };
        if self.migrate {
            let migrated = store.migrate().await;
            migrated.map_err(|error| error.in_operation("migrate"))?;
        }
        Ok(store)
    }
}

fn check_name(field: &'static str, name: &str) -> Result<()> {
    let max = MongoOptions::MAX_NAME_BYTES;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=max).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    let limit = format!("1 to {max} of a-z, A-Z, 0-9, _ and -");
    Err(Error::invalid(field, format!("is called {name:?}"), limit))
}

/// Without user and password.
impl fmt::Debug for MongoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, database, collection, deadline, migrate, clock, write_concern } = self;
        f.debug_struct("MongoOptions")
            .field("hosts", &client.hosts)
            .field("database", database)
            .field("collection", collection)
            .field("deadline", deadline)
            .field("migrate", migrate)
            .field("clock", clock)
            .field("write_concern", write_concern)
            .finish()
    }
}
