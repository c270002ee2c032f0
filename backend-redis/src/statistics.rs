//! How a source is doing, from its indexes alone.

use redis::Value;
use sync_tracker_core::{EntityType, Result, Source, Statistics, Status};

use crate::answer;
use crate::error::{Effect, unexpected};
use crate::store::RedisStore;

impl RedisStore {
    pub(crate) async fn count(&self, source: &Source) -> Result<Statistics> {
        let args = [self.clock()];
        let answer = self.on_source(source, &self.scripts.statistics, &args, Effect::None).await?;
        let [now, due_now, next_due, oldest_pending, lines] = answer::exactly(answer)?;
        let instant = |value: &Value| match value {
            Value::Nil => Ok(None),
            other => answer::instant(other).map(Some),
        };
        let mut counted = Vec::new();
        for line in answer::list(lines)? {
            let mut line = answer::list(line)?.into_iter();
            let entity_type = EntityType::new(answer::text(line.next().ok_or_else(unexpected)?)?)?;
            // They come in the order of decision, which is that of their digits.
            for (status, count) in Status::ALL.into_iter().zip(line) {
                counted.push((entity_type.clone(), status, answer::count(&count)?));
            }
        }
        Ok(Statistics {
            now: answer::instant(&now)?,
            counts: counted.into_iter().collect(),
            due_now: answer::count(&due_now)?,
            next_due: instant(&next_due)?,
            oldest_pending: instant(&oldest_pending)?,
        })
    }
}
