//! What the store sends by hand: the same scripts with the same arguments on the bare driver, and
//! each answer taken apart as far as the driver does it. What the store is slower, it adds: reading
//! records from their bytes is part of that.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::Value;
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Operation, PAGE, Workload};
use sync_tracker_core::{Filter, PageSize, SyncStore, rules};
use sync_tracker_redis::RedisStore;

use super::connections::Connections;
use super::sent::{About, Sent, Template};

#[derive(Debug)]
pub(crate) struct SameScripts {
    connections: Connections,
    population: Population,
    /// Gives back what was claimed, which does not count.
    store: Arc<RedisStore>,
    sent: Arc<Sent>,
}

/// No record has fewer bytes, and nothing else in an answer has so many.
const LEAST_RECORD: usize = 48;

impl SameScripts {
    pub(crate) fn new(
        connections: Connections,
        population: Population,
        store: Arc<RedisStore>,
        sent: Arc<Sent>,
    ) -> Self {
        Self { connections, population, store, sent }
    }

    async fn answer(
        &self,
        caller: usize,
        sent: &Template,
        about: &About,
    ) -> Result<Value, Failure> {
        let command = sent.command(about);
        Ok(command.query_async(&mut self.connections.of(caller)).await?)
    }

    async fn give_back(&self, about: &About) -> Result<(), Failure> {
        let source = Some(self.population.source().clone());
        let filter = Filter { source, claim_id: about.claim_id.clone(), ..Filter::default() };
        let claimed = self.store.list(&filter, None, PageSize::new(PAGE)?).await?;
        let back = claimed.records.into_iter().map(|it| (it.key, rules::release(it.token)));
        for outcome in self.store.apply_many(&back.collect::<Vec<_>>()).await {
            let _ = outcome?;
        }
        Ok(())
    }
}

/// How many records an answer has.
fn records(answer: &Value) -> Result<usize, Failure> {
    Ok(match std::hint::black_box(answer) {
        Value::BulkString(bytes) => usize::from(bytes.len() >= LEAST_RECORD),
        Value::Array(values) => {
            let mut all = 0;
            for value in values {
                all += records(value)?;
            }
            all
        }
        Value::Int(refused) if *refused < 0 => return Err("a change was refused".into()),
        _ => 0,
    })
}

#[async_trait]
impl Contestant for SameScripts {
    async fn call(
        &self,
        caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let Workload { operation, batch, .. } = workload;
        let about = About::new(&self.population, operation, numbers)?;
        let sent = self.sent.of(operation, batch)?;
        let mut answers = Vec::with_capacity(sent.len());
        if matches!(operation, Operation::Claim | Operation::NeedsSync) {
            for template in sent {
                answers.push(self.answer(caller, template, &about).await?);
            }
        } else {
            let all = sent.iter().map(|template| self.answer(caller, template, &about));
            answers = try_join_all(all).await?;
        }
        let mut found = 0;
        for answer in &answers {
            found += records(answer)?;
        }
        match operation {
            Operation::Claim => {
                let begun = Instant::now();
                self.give_back(&about).await?;
                return Ok(Done { records: found, apart: begun.elapsed() });
            }
            // One more tells whether there is a further page.
            Operation::NeedsSync => found = found.min(batch),
            Operation::Statistics => found = 1,
            _ => {}
        }
        if found < numbers.len() {
            return Err(format!("{workload}: {found} of {} records", numbers.len()).into());
        }
        Ok(Done::records(found))
    }
}
