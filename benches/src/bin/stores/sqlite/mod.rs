//! The SQLite store; beside it its own statements on the bare driver, and the least that a program
//! would write by hand. Each has a file of its own, with the same settings.

mod connections;
mod least;
mod same_statements;

use std::path::Path;
use std::sync::Arc;

use sqlx::{ConnectOptions, Connection, Row, query};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Entrant};
use sync_tracker_benches::ours::{Ours, fill};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::Numbers;
use sync_tracker_sqlite::SqliteOptions;

use self::connections::Connections;
use self::least::Least;
use self::same_statements::SameStatements;
use crate::field::Field;

/// How many connections code written by hand may have; the best takes part.
const CONNECTIONS: [usize; 4] = [1, 8, 16, 64];

pub(crate) async fn field(population: Population, dir: &Path) -> Result<Field, Failure> {
    let folder = tempfile::Builder::new().prefix("sync-tracker-bench-").tempdir_in(dir)?;
    let [ours, same, least] = ["ours", "same", "least"].map(|name| folder.path().join(name));

    let store = SqliteOptions::file(&ours).open().await?;
    fill(&store, &population).await?;
    let mut bytes = sizes(&ours, population.size(), "ours").await?;
    std::fs::copy(&ours, &same)?;
    Least::create(&least, &population).await?;
    bytes.extend(sizes(&least, population.size(), "least upsert").await?);

    let numbers = || Numbers::new(population.clone());
    let store = Ours::new(Arc::new(store), population.clone());
    let ours = Entrant::new("ours", vec![(0, Arc::new(store))], numbers());
    let mut same_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    let mut least_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    for connections in CONNECTIONS {
        let open = async |path: &Path| Connections::open(path, connections).await;
        let contestant = SameStatements::new(open(&same).await?, population.clone());
        same_variants.push((connections, Arc::new(contestant)));
        let contestant = Least::new(open(&least).await?, population.clone());
        least_variants.push((connections, Arc::new(contestant)));
    }
    let same_statements = Entrant::new("same statements", same_variants, numbers());
    let least_upsert = Entrant::new("least upsert", least_variants, numbers());
    let entrants = vec![ours, same_statements, least_upsert];
    Ok(Field { entrants, bytes, _place: Some(Box::new(folder)) })
}

/// Brings everything from the log into the file, and says how many bytes per record each table and
/// index has in it.
async fn sizes(path: &Path, records: usize, whose: &str) -> Result<Vec<(String, f64)>, Failure> {
    let mut connection = connections::options(path).connect().await?;
    let _ = query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
    let parts = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC";
    let mut sizes = Vec::new();
    for row in query(parts).fetch_all(&mut connection).await? {
        let (name, bytes): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let per_record = bytes as f64 / records as f64;
        sizes.push((format!("{whose}: {name}"), per_record));
    }
    connection.close().await?;
    let all = sizes.iter().map(|(_, bytes)| bytes).sum();
    sizes.insert(0, (format!("{whose}: all"), all));
    Ok(sizes)
}
