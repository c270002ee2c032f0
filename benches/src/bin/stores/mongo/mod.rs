//! The MongoDB store on a client of its own; beside it its own commands on the bare driver, and the
//! least that a program would write by hand. Each has a database of its own on one server.

mod databases;
mod filling;
mod least;
mod same_commands;
mod sent;

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Entrant};
use sync_tracker_benches::ours::Ours;
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Numbers, Operation};
use sync_tracker_mongo::MongoOptions;
use tokio::task::JoinSet;

use self::databases::{Databases, sizes};
use self::least::Least;
use self::same_commands::SameCommands;
use self::sent::Sent;
use crate::field::Field;

/// How many connections clients may have: the best takes part.
const CONNECTIONS: [u32; 3] = [10, 16, 64];

async fn options() -> Result<ClientOptions, Failure> {
    let url = env::var("SYNC_TRACKER_MONGO_URL");
    let url = url.map_err(|_| "SYNC_TRACKER_MONGO_URL names no server")?;
    Ok(ClientOptions::parse(url).await?)
}

pub(crate) async fn field(
    population: Population,
    batch: usize,
    grouped: Option<usize>,
) -> Result<Field, Failure> {
    let options = options().await?;
    let databases = Databases::new(&options, &["ours", "same", "least"]);
    let [ours, same, least] = [0, 1, 2].map(|at| databases.name(at));
    let client = Client::with_options(options.clone())?;

    let store =
        |database: &str| MongoOptions::from_options(options.clone()).database(database.to_owned());
    for database in [ours, same] {
        let store = store(database).open().await?;
        filling::fill(&store, &client.database(database), &population).await?;
    }
    Least::create(&client.database(least), &population).await?;
    client.database("admin").run_command(doc! { "fsync": 1 }).await?;
    let mut bytes = Vec::new();
    for (database, whose) in [(ours, "ours"), (least, "least upsert")] {
        bytes.extend(sizes(&client.database(database), population.size(), whose).await?);
    }

    let numbers = || Numbers::new(population.clone());
    let of_same = numbers();
    let sent = Arc::new(Sent::learn(&options, same, &population, (&of_same, batch)).await?);
    let mut of_store: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    let mut same_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    let mut least_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    for count in CONNECTIONS {
        let mut options = options.clone();
        options.max_pool_size = Some(count);
        let place = usize::try_from(count)?;
        let store = MongoOptions::from_options(options.clone()).database(ours.to_owned());
        let store = Arc::new(store.open().await?);
        of_store.push((place, Arc::new(Ours::new(store, population.clone()).grouped(grouped))));
        let client = Client::with_options(options)?;
        let contestant =
            SameCommands::new(client.database(same), population.clone(), Arc::clone(&sent));
        same_variants.push((place, Arc::new(contestant)));
        let contestant = Least::new(client.database(least), population.clone());
        least_variants.push((place, Arc::new(contestant)));
    }
    let of_store = Entrant::new("ours", of_store, numbers());
    let same_commands = Entrant::new("same commands", same_variants, of_same);
    let same_commands = same_commands.without(&[Operation::Claim]);
    let least_upsert = Entrant::new("least upsert", least_variants, numbers());
    let entrants = vec![of_store, same_commands, least_upsert];
    Ok(Field { entrants, bytes, _place: Some(Box::new(databases)) })
}

/// Tells how many pings a second callers have answered, on the connections that the driver makes.
pub(crate) async fn tell_pings(callers: &[usize], length: Duration) -> Result<(), Failure> {
    let admin = Client::with_options(options().await?)?.database("admin");
    for callers in callers {
        let (start, mut calls) = (Instant::now(), JoinSet::new());
        for _ in 0..*callers {
            let admin = admin.clone();
            calls.spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < length {
                    admin.run_command(doc! { "ping": 1 }).await?;
                    count += 1;
                }
                Ok::<_, mongodb::error::Error>(count)
            });
        }
        let mut pings = 0_u32;
        while let Some(count) = calls.join_next().await {
            pings += count??;
        }
        let rate = f64::from(pings) / start.elapsed().as_secs_f64();
        println!("{callers} callers: {rate:.0} pings per second");
    }
    Ok(())
}
