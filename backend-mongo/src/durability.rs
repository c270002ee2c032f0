//! What the deployment keeps, by its own word.

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::Acknowledgment;
use sync_tracker_core::{Durability, Result, Survival};

use crate::error::{Effect, is_forbidden};
use crate::server::Failed;
use crate::store::MongoStore;

/// What a deployment says of itself.
#[derive(Debug, PartialEq, Eq)]
enum Topology {
    Standalone,
    /// Of so many servers that have data.
    ReplicaSet(usize),
    Sharded,
}

impl MongoStore {
    pub(crate) async fn survival(&self) -> Result<Durability> {
        // What is not in the journal yet is in the memory of the process.
        let journaled = match self.write_concern.journal {
            Some(true) => Survival::Kept,
            Some(false) => Survival::MayBeLost,
            None => Survival::Unknown,
        };
        let copied = match self.write_concern.w {
            Some(Acknowledgment::Majority) => Survival::Kept,
            // It names tags whose servers are known to the set alone.
            Some(Acknowledgment::Custom(_)) => Survival::Unknown,
            _ => Survival::MayBeLost,
        };
        let (on_disk, failover) = match self.topology().await? {
            // The router does not tell how each shard is set up.
            Topology::Sharded => (Survival::Unknown, lower(copied, Survival::Unknown)),
            Topology::ReplicaSet(2..) => (self.is_persistent().await?, copied),
            // There is no other server that could take over with what this one had.
            Topology::ReplicaSet(_) | Topology::Standalone => {
                (self.is_persistent().await?, Survival::MayBeLost)
            }
        };
        let kept = lower(journaled, on_disk);
        Ok(Durability { process_crash: kept, power_loss: kept, failover })
    }

    async fn topology(&self) -> Result<Topology> {
        Ok(topology(&self.ask(doc! { "hello": 1 }).await?.unwrap_or_default()))
    }

    async fn is_persistent(&self) -> Result<Survival> {
        let status = self.ask(engine_only()).await?;
        Ok(status.as_ref().map_or(Survival::Unknown, is_persistent))
    }

    /// Nothing if the user may not ask.
    async fn ask(&self, command: Document) -> Result<Option<Document>> {
        let admin = self.client.database("admin");
        match self.run(Effect::None, async move { admin.run_command(command).await }).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Failed::Refused(cause)) if is_forbidden(&cause) => Ok(None),
            Err(failed) => Err(failed.into_error(Effect::None)),
        }
    }
}

/// Asks for as little of the status as can be.
fn engine_only() -> Document {
    let mut command = doc! { "serverStatus": 1 };
    for section in ["repl", "metrics", "locks", "wiredTiger", "tcmalloc", "transactions"] {
        command.insert(section, 0);
    }
    command
}

fn topology(hello: &Document) -> Topology {
    if hello.get_str("msg").ok() == Some("isdbgrid") {
        return Topology::Sharded;
    }
    if hello.get_str("setName").is_err() {
        return Topology::Standalone;
    }
    let servers = |name: &str| hello.get_array(name).map_or(0, Vec::len);
    Topology::ReplicaSet(servers("hosts") + servers("passives"))
}

/// Two things are needed.
fn lower(one: Survival, other: Survival) -> Survival {
    match (one, other) {
        (Survival::Kept, other) | (other, Survival::Kept) => other,
        (Survival::MayBeLost, _) | (_, Survival::MayBeLost) => Survival::MayBeLost,
        (Survival::Unknown, Survival::Unknown) => Survival::Unknown,
    }
}

fn is_persistent(status: &Document) -> Survival {
    let engine = status.get_document("storageEngine");
    match engine.ok().and_then(|engine| engine.get("persistent")) {
        Some(Bson::Boolean(true)) => Survival::Kept,
        Some(Bson::Boolean(false)) => Survival::MayBeLost,
        _ => Survival::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_servers_and_arbiters_take_over_nothing() {
        let set =
            doc! { "setName": "rs", "hosts": ["a", "b"], "passives": ["c"], "arbiters": ["d"] };
        assert_eq!(topology(&set), Topology::ReplicaSet(3));
        assert_eq!(topology(&doc! { "isWritablePrimary": true }), Topology::Standalone);
        assert_eq!(topology(&doc! { "msg": "isdbgrid" }), Topology::Sharded);
    }

    #[test]
    fn an_engine_that_says_nothing_is_unknown() {
        assert_eq!(is_persistent(&doc! {}), Survival::Unknown);
        let memory = doc! { "storageEngine": { "name": "inMemory", "persistent": false } };
        assert_eq!(is_persistent(&memory), Survival::MayBeLost);
    }
}
