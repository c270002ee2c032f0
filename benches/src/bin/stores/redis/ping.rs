//! Round trips that do nothing, as many as the least needs: what no program is faster than.

use async_trait::async_trait;
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::workload::{Operation, Workload};

use super::connections::Connections;

#[derive(Debug)]
pub(crate) struct Ping(Connections);

impl Ping {
    pub(crate) fn new(connections: Connections) -> Self {
        Self(connections)
    }
}

#[async_trait]
impl Contestant for Ping {
    /// A batch is a pipeline of as many; a page and a claim are one, whatever is in them.
    async fn call(
        &self,
        caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let mut connection = self.0.of(caller);
        let ping = redis::cmd("PING");
        if numbers.len() > 1 {
            let mut pipeline = redis::pipe();
            for _ in numbers {
                pipeline.add_command(ping.clone());
            }
            let answers: Vec<String> = pipeline.query_async(&mut connection).await?;
            return Ok(Done::records(answers.len()));
        }
        let _: String = ping.query_async(&mut connection).await?;
        Ok(Done::records(match workload.operation {
            Operation::Claim | Operation::NeedsSync => workload.batch,
            _ => 1,
        }))
    }
}
