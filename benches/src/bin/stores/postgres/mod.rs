//! The PostgreSQL store on connections of its own; beside it its own statements on the bare driver,
//! and the least that a program would write by hand. Each has a schema of its own on one server.

mod connections;
mod filling;
mod least;
mod same_statements;
mod schemas;
mod sent;

use std::env;
use std::sync::Arc;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Row, query};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Entrant};
use sync_tracker_benches::ours::Ours;
use sync_tracker_benches::population::Population;
use sync_tracker_benches::server::Server;
use sync_tracker_benches::workload::Numbers;
use sync_tracker_postgres::PostgresOptions;

use self::connections::Connections;
use self::least::Least;
use self::same_statements::SameStatements;
use self::schemas::{Schemas, settle, sizes};
use self::sent::Sent;
use crate::field::Field;

/// How many connections code written by hand may have; the best takes part. The store has the
/// number that it has unless it is told otherwise.
const CONNECTIONS: [usize; 4] = [1, 8, 16, 64];

pub(crate) async fn field(
    population: Population,
    grouped: Option<usize>,
) -> Result<Field, Failure> {
    let url = env::var("SYNC_TRACKER_POSTGRES_URL");
    let url = url.map_err(|_| "SYNC_TRACKER_POSTGRES_URL names no server")?;
    let options = connections::settings(url.parse()?);
    let schemas = Schemas::new(&options, &["ours", "same", "least"]);
    let [ours, same, least] = [0, 1, 2].map(|at| schemas.name(at));
    let mut by_hand = options.connect().await?;

    let store = PostgresOptions::from_url(&url)?.schema(ours).open().await?;
    PostgresOptions::from_url(&url)?.schema(same).open().await?;
    filling::fill(&store, &mut by_hand, [ours, same], &population).await?;
    Least::create(&mut by_hand, least, &population).await?;
    let mut bytes = Vec::new();
    for (schema, whose) in [(ours, "ours"), (least, "least upsert")] {
        settle(&mut by_hand, schema).await?;
        bytes.extend(sizes(&mut by_hand, schema, population.size(), whose).await?);
    }
    settle(&mut by_hand, same).await?;

    let server = server(&mut by_hand).await?;
    let numbers = || Numbers::new(population.clone());
    let of_store = Ours::new(Arc::new(store), population.clone()).grouped(grouped);
    let of_store = Entrant::new("ours", vec![(0, Arc::new(of_store))], numbers()).on(server);
    let of_same = numbers();
    let sent = Arc::new(Sent::learn(&options, same, &population, &of_same).await?);
    let most = CONNECTIONS.into_iter().max().unwrap_or(1);
    let connections = Connections::new(&options, most);
    let mut same_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    let mut least_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    for count in CONNECTIONS {
        let some = || connections.first(count);
        let contestant = SameStatements::new(some(), population.clone(), Arc::clone(&sent));
        same_variants.push((count, Arc::new(contestant)));
        let contestant = Least::new(some(), population.clone(), least);
        least_variants.push((count, Arc::new(contestant)));
    }
    let same_statements = Entrant::new("same statements", same_variants, of_same).on(server);
    let least_upsert = Entrant::new("least upsert", least_variants, numbers()).on(server);
    let entrants = vec![of_store, same_statements, least_upsert];
    Ok(Field { entrants, bytes, _place: Some(Box::new(schemas)) })
}

/// Whose processor time is told, if the server is on this machine.
async fn server(on: &mut PgConnection) -> Result<Option<Server>, Failure> {
    let process: i32 = query("SELECT pg_backend_pid()").fetch_one(on).await?.try_get(0)?;
    Ok(Server::of(process.unsigned_abs(), "postgres"))
}
