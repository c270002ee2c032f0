//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgPool};
use sync_tracker_core::{Error, Result, StoreClock};

use crate::connections::{Connections, Server};
use crate::migrations::{self, Layout};
use crate::names::Names;
use crate::statements::Statements;
use crate::store::PostgresStore;

/// How to open a store: where it is, and what it is called there.
///
/// ```no_run
/// use sync_tracker_postgres::PostgresOptions;
///
/// # async fn open() -> Result<(), sync_tracker_core::Error> {
/// let options = PostgresOptions::from_url("postgres://app@db.example/shop?sslmode=verify-full")?;
/// let store = options.schema("ledger").connections(16).open().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "options open nothing until they are told to"]
pub struct PostgresOptions {
    connect: PgConnectOptions,
    schema: String,
    table: String,
    connections: usize,
    deadline: Duration,
    behind_pooler: bool,
    partitions: u16,
    migrate: bool,
    clock: StoreClock,
}

impl PostgresOptions {
    /// The schema unless it was said otherwise.
    pub const DEFAULT_SCHEMA: &str = "sync_tracker";
    /// The table of records unless it was said otherwise.
    pub const DEFAULT_TABLE: &str = "records";
    /// The most partitions.
    pub const MAX_PARTITIONS: u16 = 1_024;
    /// How many connections unless it was said otherwise. More than 16 make it slower.
    pub const DEFAULT_CONNECTIONS: usize = 8;
    /// How long a call may take unless it was said otherwise.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

    /// A store in the database that a URL names: `postgres://user:password@host:port/database`,
    /// with parameters as libpq knows them, such as `sslmode`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](sync_tracker_core::ErrorKind::Invalid) for any other URL.
    pub fn from_url(url: &str) -> Result<Self> {
        // The cause might quote the password.
        let options = url.parse().map_err(|_| {
            Error::invalid("URL", "is not of a PostgreSQL database", "postgres://host/database")
        })?;
        Ok(Self::from_options(options))
    }

    /// A store in the database that the driver's own options lead to.
    pub fn from_options(connect: PgConnectOptions) -> Self {
        Self {
            connect,
            schema: Self::DEFAULT_SCHEMA.into(),
            table: Self::DEFAULT_TABLE.into(),
            connections: Self::DEFAULT_CONNECTIONS,
            deadline: Self::DEFAULT_DEADLINE,
            behind_pooler: false,
            partitions: 0,
            migrate: true,
            clock: StoreClock::Server,
        }
    }

    /// The schema that the store keeps everything in: `a-z`, `0-9` and `_`, at most 63 bytes.
    pub fn schema(self, name: impl Into<String>) -> Self {
        Self { schema: name.into(), ..self }
    }

    /// The table of records, with whose name those of all others begin: `a-z`, `0-9` and `_`, at
    /// most 40 bytes.
    pub fn table(self, name: impl Into<String>) -> Self {
        Self { table: name.into(), ..self }
    }

    /// How many connections the store holds at most. They are made when they are needed.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// How long a call may take, waiting for a connection and for locks included.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// How many partitions the table of records has, among which the sources are distributed by
    /// their hash; 0 for one table, as it is unless it was said otherwise. It counts when the tables
    /// are made, and changes nothing afterwards.
    ///
    /// All records of a source are in one partition. With partitions the server vacuums and indexes
    /// many sources by parts; one large source gains nothing.
    pub fn partitions(self, partitions: u16) -> Self {
        Self { partitions, ..self }
    }

    /// Whether between the store and the server is a pooler that gives each transaction any of its
    /// connections, such as PgBouncer whose `pool_mode` is `transaction`.
    ///
    /// Nothing is then kept in a session: each statement is in a transaction of its own that sets
    /// what it rests on, and nothing is prepared. A call takes four round trips instead of one.
    pub fn behind_transaction_pooler(self, behind_pooler: bool) -> Self {
        Self { behind_pooler, ..self }
    }

    /// Whether opening makes the tables and brings them up to date, which it does unless it was
    /// said otherwise. For teams with a migration tool of their own there is
    /// [`schema_sql`](Self::schema_sql).
    pub fn migrate(self, migrate: bool) -> Self {
        Self { migrate, ..self }
    }

    /// The clock that the store decides by; the server's unless it was said otherwise.
    pub fn clock(self, clock: StoreClock) -> Self {
        Self { clock, ..self }
    }

    /// The whole schema as plain SQL, for a database where it is not yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](sync_tracker_core::ErrorKind::Invalid) if a name breaks its limit.
    pub fn schema_sql(&self) -> Result<String> {
        Ok(self.layout()?.as_sql())
    }

    /// Opens the store on connections of its own. Needs a tokio runtime with its timer enabled.
    ///
    /// # Errors
    ///
    /// - [`Invalid`](sync_tracker_core::ErrorKind::Invalid): a name breaks its limit.
    /// - [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable): there is no connection.
    /// - [`Unsupported`](sync_tracker_core::ErrorKind::Unsupported): the server refuses the role,
    ///   or the schema is of a newer major version.
    pub async fn open(self) -> Result<PostgresStore> {
        let connect = if self.behind_pooler {
            // A pooler knows none of these, and refuses a client that sends them.
            self.connect.clone().extra_float_digits(None)
        } else {
            pinned(self.connect.clone(), self.deadline)
        };
        let connect =
            connect.statement_cache_capacity(Statements::MAX_SHAPES).disable_statement_logging();
        let connections = Connections::held(connect, self.connections, self.deadline);
        self.open_with(connections).await
    }

    /// Opens the store on a pool of the application's, which is used as it is: its settings, its
    /// size, its tests of connections.
    ///
    /// The isolation level has to be `READ COMMITTED`, PostgreSQL's own default. Where it is
    /// stricter, calls that meet others are
    /// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable) after a few tries.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_on(self, pool: PgPool) -> Result<PostgresStore> {
        let connections = Connections::pool(pool, self.deadline);
        self.open_with(connections).await
    }

    fn layout(&self) -> Result<Layout> {
        let names = Names::new(&self.schema, &self.table)?;
        if self.partitions > Self::MAX_PARTITIONS {
            let limit = format!("{}", Self::MAX_PARTITIONS);
            return Err(Error::invalid("partitions", format!("are {}", self.partitions), limit));
        }
        Ok(Layout { names, partitions: self.partitions })
    }

    async fn open_with(self, connections: Connections) -> Result<PostgresStore> {
        let layout = self.layout()?;
        let connections = if self.behind_pooler {
            connections.in_frames(&frame(self.deadline))
        } else {
            connections
        };
        if self.migrate {
            let migrated = migrations::migrate(&connections, &layout).await;
            migrated.map_err(|error| error.in_operation("migrate"))?;
        }
        let statements = Arc::new(Statements::new(layout.names));
        Ok(PostgresStore { connections, statements, clock: self.clock })
    }
}

/// What a role or a database may have set otherwise, and statements rest on.
fn settings(deadline: Duration) -> [(&'static str, String); 8] {
    let limit = deadline.as_millis().clamp(1, 86_400_000).to_string();
    [
        ("synchronous_commit", "on".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("search_path", "pg_catalog".to_owned()),
        ("statement_timeout", limit.clone()),
        ("lock_timeout", "0".to_owned()),
        ("idle_in_transaction_session_timeout", limit),
        ("jit", "off".to_owned()),
        // A plan is kept while a table grows that it was right to read whole.
        ("enable_seqscan", "off".to_owned()),
    ]
}

/// Sets them for every session.
fn pinned(options: PgConnectOptions, deadline: Duration) -> PgConnectOptions {
    options.options(settings(deadline)).options([
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_read_only", "off"),
        ("default_transaction_deferrable", "off"),
    ])
}

/// Begins a transaction that has them.
fn frame(deadline: Duration) -> String {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let set = |(name, value): (&str, String)| format!("; SET LOCAL {name} = '{value}'");
    settings(deadline).map(set).iter().fold(begin.to_owned(), |frame, set| frame + set)
}

/// Without the password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connect,
            schema,
            table,
            connections,
            deadline,
            behind_pooler,
            partitions,
            migrate,
            clock,
        } = self;
        f.debug_struct("PostgresOptions")
            .field("server", &Server(connect))
            .field("schema", schema)
            .field("table", table)
            .field("connections", connections)
            .field("deadline", deadline)
            .field("behind_pooler", behind_pooler)
            .field("partitions", partitions)
            .field("migrate", migrate)
            .field("clock", clock)
            .finish()
    }
}
