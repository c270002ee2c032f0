//! From a URL to a store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "memory")]
use sync_tracker_core::Error;
use sync_tracker_core::Result;

use crate::any::AnyStore;
use crate::backend::{Backend, find};

/// An open store, of whatever kind.
pub(crate) type Opened = Result<Arc<dyn AnyStore>>;

/// A store being opened.
pub(crate) type Opening<'url> = Pin<Box<dyn Future<Output = Opened> + Send + 'url>>;

/// The stores that there are, be they built in or not.
const BACKENDS: &[Backend] = &[
    Backend {
        schemes: &["memory"],
        feature: "memory",
        #[cfg(feature = "memory")]
        open: Some(|url| Box::pin(memory(url))),
        #[cfg(not(feature = "memory"))]
        open: None,
    },
    Backend {
        schemes: &["mongodb", "mongodb+srv"],
        feature: "mongo",
        #[cfg(feature = "mongo")]
        open: Some(|url| Box::pin(mongo(url))),
        #[cfg(not(feature = "mongo"))]
        open: None,
    },
    Backend {
        schemes: &["postgres", "postgresql"],
        feature: "postgres",
        #[cfg(feature = "postgres")]
        open: Some(|url| Box::pin(postgres(url))),
        #[cfg(not(feature = "postgres"))]
        open: None,
    },
    Backend {
        schemes: &[
            "redis",
            "rediss",
            "redis-sentinel",
            "rediss-sentinel",
            "redis-cluster",
            "rediss-cluster",
        ],
        feature: "redis",
        #[cfg(feature = "redis")]
        open: Some(|url| Box::pin(redis(url))),
        #[cfg(not(feature = "redis"))]
        open: None,
    },
    Backend {
        schemes: &["sqlite"],
        feature: "sqlite",
        #[cfg(feature = "sqlite")]
        open: Some(|url| Box::pin(sqlite(url))),
        #[cfg(not(feature = "sqlite"))]
        open: None,
    },
];

/// Opens the store that a URL names; the table on the [front page](crate) says how each looks.
///
/// Every call of this opens anew: two that open `memory:` or
/// `sqlite::memory:` share nothing. Share the one that you
/// opened, as it is [`Arc`].
///
/// # Errors
///
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the URL names no store, or one whose
/// feature is off, and then it names the feature; else what the store says when it cannot be
/// opened. No error of `open` itself repeats what follows the scheme, which may hold a password.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = sync_tracker::open("oracle://scott:tiger@db").await.unwrap_err();
/// assert_eq!(error.kind(), sync_tracker::ErrorKind::Invalid);
/// assert!(!error.to_string().contains("tiger"));
/// # }
/// ```
pub async fn open(url: &str) -> Result<Arc<dyn AnyStore>> {
    let open = find(BACKENDS, url)?;
    open(url).await
}

#[cfg(feature = "memory")]
async fn memory(url: &str) -> Opened {
    if url == "memory:" {
        Ok(Arc::new(crate::memory::MemoryStore::new()))
    } else {
        Err(Error::invalid("store URL", "has more to it than its scheme", "memory:"))
    }
}

#[cfg(feature = "mongo")]
async fn mongo(url: &str) -> Opened {
    let options = crate::mongo::MongoOptions::from_url(url).await?;
    Ok(Arc::new(options.open().await?))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str) -> Opened {
    let options = crate::postgres::PostgresOptions::from_url(url)?;
    Ok(Arc::new(options.open().await?))
}

#[cfg(feature = "redis")]
async fn redis(url: &str) -> Opened {
    let options = crate::redis::RedisOptions::from_url(url)?;
    Ok(Arc::new(options.open().await?))
}

#[cfg(feature = "sqlite")]
async fn sqlite(url: &str) -> Opened {
    Ok(Arc::new(crate::sqlite::SqliteStore::open(url).await?))
}
