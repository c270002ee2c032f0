//! Databases on the server that go when what was measured there is done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mongodb::bson::{Bson, doc};
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use sync_tracker_benches::Failure;
use tokio::runtime::Builder;

/// One for each of those who take part.
#[derive(Debug)]
pub(crate) struct Databases {
    options: ClientOptions,
    names: Vec<String>,
}

impl Databases {
    /// Names that nobody else on the server has. Nothing is made yet.
    pub(crate) fn new(options: &ClientOptions, whose: &[&str]) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let name = |whose: &&str| format!("bench_{process}_{number}_{whose}");
        Self { options: options.clone(), names: whose.iter().map(name).collect() }
    }

    pub(crate) fn name(&self, at: usize) -> &str {
        &self.names[at]
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let (options, names) = (self.options.clone(), self.names.clone());
        // The runtime of the program is in the way.
        let dropping = thread::spawn(move || -> Result<(), Failure> {
            Builder::new_current_thread().enable_all().build()?.block_on(async {
                let client = Client::with_options(options)?;
                for name in names {
                    client.database(&name).drop().await?;
                }
                Ok(())
            })
        });
        let dropped = dropping.join().unwrap_or_else(|_| Err("a panic".into()));
        if let Err(failure) = dropped {
            eprintln!("stores: the databases {:?} are left: {failure}", self.names);
        }
    }
}

/// How many bytes per record the collections and each index of a database have on disk.
pub(crate) async fn sizes(
    database: &Database,
    records: usize,
    whose: &str,
) -> Result<Vec<(String, f64)>, Failure> {
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    let per_record = |bytes: i64| bytes as f64 / records as f64;
    let mut sizes = Vec::new();
    for collection in database.list_collection_names().await? {
        let told = database.run_command(doc! { "collStats": &collection }).await?;
        let storage = told.get("storageSize").and_then(number).ok_or("no size")?;
        sizes.push((format!("{whose}: {collection}"), per_record(storage)));
        for (index, bytes) in told.get_document("indexSizes")? {
            let bytes = number(bytes).ok_or("an index without a size")?;
            sizes.push((format!("{whose}: {collection}.{index}"), per_record(bytes)));
        }
    }
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all = sizes.iter().map(|(_, bytes)| bytes).sum();
    sizes.insert(0, (format!("{whose}: all"), all));
    Ok(sizes)
}

fn number(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(value) => Some((*value).into()),
        Bson::Int64(value) => Some(*value),
        #[allow(clippy::cast_possible_truncation)] // a whole number of bytes
        Bson::Double(value) => Some(*value as i64),
        _ => None,
    }
}
