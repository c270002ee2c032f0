//! The least that a program would write by hand to know what is synced: a hash of as many bytes for
//! each entity as the store keeps, another from external ids to entities, and a sorted set of what
//! is pending. A write is one `HSET` of one field, which decides nothing and moves nothing in the
//! sorted set; nothing holds an id, and what was claimed by who died is lost.

use std::time::Instant;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value, cmd, pipe};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Operation, Workload};

use super::connections::Connections;

/// How many commands one pipeline has when the keys are filled.
const FILLED: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Least {
    connections: Connections,
    population: Population,
    keys: Keys,
    value: String,
}

#[derive(Debug)]
struct Keys {
    links: String,
    new: String,
    ids: String,
    pending: String,
}

impl Keys {
    fn new(prefix: &str) -> Self {
        let [links, new, ids, pending] =
            ["links", "new", "ids", "pending"].map(|name| format!("{prefix}:{name}"));
        Self { links, new, ids, pending }
    }
}

fn with<'a>(name: &str, key: &str, args: impl IntoIterator<Item = &'a String>) -> Cmd {
    let mut command = cmd(name);
    command.arg(key);
    args.into_iter().for_each(|arg| {
        command.arg(arg);
    });
    command
}

impl Least {
    pub(crate) fn new(
        connections: Connections,
        population: Population,
        prefix: &str,
        record_bytes: usize,
    ) -> Self {
        let value = "x".repeat(record_bytes);
        Self { connections, population, keys: Keys::new(prefix), value }
    }

    /// Makes the keys with the population.
    pub(crate) async fn fill(
        on: &mut MultiplexedConnection,
        prefix: &str,
        population: &Population,
        record_bytes: usize,
    ) -> Result<(), Failure> {
        let (keys, value) = (Keys::new(prefix), "x".repeat(record_bytes));
        for first in (0..population.size()).step_by(FILLED) {
            let mut pipeline = pipe();
            for number in first..population.size().min(first + FILLED) {
                let id = population.key(number)?.entity.entity_id.to_string();
                pipeline.hset(&keys.links, &id, &value).ignore();
                pipeline.hset(&keys.ids, population.external_id(number)?.to_string(), &id).ignore();
                if population.is_due(number) {
                    pipeline.zadd(&keys.pending, &id, number).ignore();
                }
            }
            pipeline.exec_async(on).await?;
        }
        Ok(())
    }

    fn ids(&self, operation: Operation, numbers: &[usize]) -> Result<Vec<String>, Failure> {
        let id = |number: &usize| {
            Ok(match operation {
                Operation::Create => self.population.new_key(*number)?.entity.entity_id.to_string(),
                Operation::ByExternalId => self.population.external_id(*number)?.to_string(),
                _ => self.population.key(*number)?.entity.entity_id.to_string(),
            })
        };
        numbers.iter().map(id).collect()
    }

    async fn upsert(
        &self,
        on: &mut MultiplexedConnection,
        operation: Operation,
        ids: &[String],
    ) -> Result<usize, Failure> {
        let Keys { links, new, .. } = &self.keys;
        let key = if operation == Operation::Create { new } else { links };
        if let [id] = ids {
            let _: u64 = cmd("HSET").arg(key).arg(id).arg(&self.value).query_async(on).await?;
            return Ok(1);
        }
        let mut pipeline = pipe();
        for id in ids {
            pipeline.cmd("HSET").arg(key).arg(id).arg(&self.value);
        }
        let answers: Vec<u64> = pipeline.query_async(on).await?;
        Ok(answers.len())
    }

    async fn read(&self, on: &mut MultiplexedConnection, ids: &[String]) -> Result<usize, Failure> {
        let links: Vec<Option<String>> = match ids {
            [] => Vec::new(),
            [id] => vec![with("HGET", &self.keys.links, [id]).query_async(on).await?],
            ids => with("HMGET", &self.keys.links, ids).query_async(on).await?,
        };
        Ok(links.iter().flatten().filter(|link| link.len() == self.value.len()).count())
    }

    async fn find(&self, on: &mut MultiplexedConnection, ids: &[String]) -> Result<usize, Failure> {
        let found: Vec<Option<String>> = match ids {
            [id] => vec![with("HGET", &self.keys.ids, [id]).query_async(on).await?],
            ids => with("HMGET", &self.keys.ids, ids).query_async(on).await?,
        };
        self.read(on, &found.into_iter().flatten().collect::<Vec<_>>()).await
    }

    async fn claim(&self, on: &mut MultiplexedConnection, limit: usize) -> Result<Done, Failure> {
        let pending = &self.keys.pending;
        let popped: Vec<(String, f64)> =
            cmd("ZPOPMIN").arg(pending).arg(limit).query_async(on).await?;
        let ids: Vec<_> = popped.iter().map(|(id, _)| id.clone()).collect();
        let records = self.read(on, &ids).await?;
        let begun = Instant::now();
        if !popped.is_empty() {
            let mut back = cmd("ZADD");
            back.arg(pending);
            popped.iter().for_each(|(id, since)| {
                back.arg(*since).arg(id);
            });
            let _: u64 = back.query_async(on).await?;
        }
        Ok(Done { records, apart: begun.elapsed() })
    }
}

#[async_trait]
impl Contestant for Least {
    async fn call(
        &self,
        caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let on = &mut self.connections.of(caller);
        let ids = self.ids(workload.operation, numbers)?;
        let records = match workload.operation {
            Operation::Get => self.read(on, &ids).await?,
            Operation::ByExternalId => self.find(on, &ids).await?,
            Operation::Create | Operation::Update | Operation::MarkSynced => {
                self.upsert(on, workload.operation, &ids).await?
            }
            Operation::Claim => return self.claim(on, workload.batch).await,
            Operation::NeedsSync => {
                let mut first = cmd("ZRANGE");
                first.arg(&self.keys.pending).arg(0).arg(workload.batch - 1);
                let ids: Vec<String> = first.query_async(on).await?;
                self.read(on, &ids).await?
            }
            Operation::Statistics => {
                let mut both = pipe();
                both.hlen(&self.keys.links).zcard(&self.keys.pending);
                let counts: Vec<Value> = both.query_async(on).await?;
                usize::from(counts.len() == 2)
            }
        };
        if records < numbers.len() {
            return Err(format!("{workload}: {records} of {} values", numbers.len()).into());
        }
        Ok(Done::records(records))
    }
}
