//! The Redis store on its one connection; beside it what it sends on the bare driver, the least
//! that a program would write by hand, and nothing but round trips. Each has keys of its own on one
//! server, so what they write is as durable.

mod connections;
mod least;
mod ping;
mod place;
mod same_scripts;
mod sent;

use std::env;
use std::sync::Arc;

use redis::Client;
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Entrant};
use sync_tracker_benches::ours::{Ours, fill};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::server::Server;
use sync_tracker_benches::workload::Numbers;
use sync_tracker_redis::RedisOptions;

use self::connections::Connections;
use self::least::Least;
use self::ping::Ping;
use self::place::Place;
use self::same_scripts::SameScripts;
use self::sent::Sent;
use crate::field::Field;

/// How many connections code written by hand may have; the best takes part. On each, any number of
/// calls are on their way at the same time.
const CONNECTIONS: [usize; 4] = [1, 8, 16, 64];

pub(crate) async fn field(
    population: Population,
    batch: usize,
    grouped: Option<usize>,
) -> Result<Field, Failure> {
    let url = env::var("SYNC_TRACKER_REDIS_URL");
    let url = url.map_err(|_| "SYNC_TRACKER_REDIS_URL names no server")?;
    let place = Place::new(&url).await?;
    let [ours, same, least] = ["ours", "same", "least"].map(|whose| place.prefix(whose));
    let mut by_hand = connect(place.client()).await?;

    let store = RedisOptions::from_url(&url)?.prefix(&ours).open().await?;
    fill(&store, &population).await?;
    place::copy(&mut by_hand, &ours, &same).await?;
    let record = place::record_bytes(&mut by_hand, &ours, &population).await?;
    Least::fill(&mut by_hand, &least, &population, record).await?;
    let mut bytes = Vec::new();
    for (prefix, whose) in [(&ours, "ours"), (&least, "least upsert")] {
        bytes.extend(place::sizes(&mut by_hand, prefix, population.size(), whose).await?);
    }

    let server = Server::alone(place::process(&mut by_hand).await?, "redis-server");
    let numbers = || Numbers::new(population.clone());
    let of_store = Ours::new(Arc::new(store), population.clone()).grouped(grouped);
    let of_store = Entrant::new("ours", vec![(0, Arc::new(of_store))], numbers()).on(server);
    let of_same = numbers();
    let same_store = RedisOptions::from_url(&url)?.prefix(&same).open().await?;
    let same_store = Arc::new(same_store);
    let sent = Sent::learn(place.client(), &same_store, &same, &population, &of_same, batch);
    let sent = Arc::new(sent.await?);
    let most = CONNECTIONS.into_iter().max().unwrap_or(1);
    let connections = Connections::open(place.client(), most).await?;
    let mut same_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    let mut least_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    let mut ping_variants: Vec<(usize, Arc<dyn Contestant>)> = Vec::new();
    for count in CONNECTIONS {
        let some = || connections.first(count);
        let (store, sent) = (Arc::clone(&same_store), Arc::clone(&sent));
        let contestant = SameScripts::new(some(), population.clone(), store, sent);
        same_variants.push((count, Arc::new(contestant)));
        let contestant = Least::new(some(), population.clone(), &least, record);
        least_variants.push((count, Arc::new(contestant)));
        ping_variants.push((count, Arc::new(Ping::new(some()))));
    }
    let same_scripts = Entrant::new("same scripts", same_variants, of_same).on(server);
    let least_upsert = Entrant::new("least upsert", least_variants, numbers()).on(server);
    let ping = Entrant::new("PING", ping_variants, numbers()).on(server);
    let entrants = vec![of_store, same_scripts, least_upsert, ping];
    Ok(Field { entrants, bytes, _place: Some(Box::new(place)) })
}

/// A connection for questions.
async fn connect(client: &Client) -> Result<redis::aio::MultiplexedConnection, Failure> {
    let unlimited = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    Ok(client.get_multiplexed_async_connection_with_config(&unlimited).await?)
}
