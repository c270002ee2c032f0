//! What the server is set up to keep.

use redis::Value;
use sync_tracker_core::{Durability, Error, ErrorKind, Result, Survival};

use crate::error::{Effect, STORE};
use crate::server::Call;
use crate::store::RedisStore;

impl RedisStore {
    /// Refuses a server that throws keys away when it is full.
    pub(crate) async fn check_server(&self) -> Result<()> {
        let mut info = redis::cmd("INFO");
        info.arg("memory");
        let answer = self.server.send_to_all(&info).await?;
        for text in texts(&answer) {
            let policy = text.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
            if policy.is_some_and(|policy| policy.trim() != "noeviction") {
                let message = "the server throws keys away when it is full; \
                    set maxmemory-policy to noeviction";
                return Err(Error::new(ErrorKind::Unsupported, message).in_store(STORE));
            }
        }
        self.check_rights().await
    }

    /// Refuses a user who may not do all that scripts do: one who may do some of it would write
    /// half a change. A server that takes no writes now says nothing about rights.
    async fn check_rights(&self) -> Result<()> {
        let keys = [self.prefix.rights()];
        let script = &self.scripts.rights;
        let call = Call { script, keys: &keys, args: &[], effect: Effect::None };
        match self.server.call(call).await {
            // Within a script a missing right has no code of its own.
            Err(error) if error.kind() == ErrorKind::Internal => {
                let message = "the user may not do all that the store does";
                let refused = Error::new(ErrorKind::Unsupported, message);
                Err(refused.in_store(STORE).caused_by(error))
            }
            Err(error) if !error.is_retryable() => Err(error),
            _ => Ok(()),
        }
    }

    /// By the settings of every master, if the user may read them.
    pub(crate) async fn survival(&self) -> Result<Durability> {
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg("append*");
        let answer = match self.server.send_to_all(&get).await {
            Ok(answer) => answer,
            // Many services do not let their users read settings.
            Err(error) if !error.is_retryable() => {
                return Ok(Durability { failover: Survival::MayBeLost, ..Durability::default() });
            }
            Err(error) => return Err(error),
        };
        let words = texts(&answer);
        let values = |name: &str| -> Vec<&str> {
            let pairs = words.windows(2).filter(|pair| pair.first().is_some_and(|it| it == name));
            pairs.filter_map(|pair| pair.get(1).map(String::as_str)).collect()
        };
        let (logs, syncs) = (values("appendonly"), values("appendfsync"));
        let is_known = !logs.is_empty() && logs.len() == syncs.len();
        let keeps = |good: &[&str]| {
            if !is_known {
                Survival::Unknown
            } else if logs.iter().all(|log| *log == "yes") && syncs.iter().all(|s| good.contains(s))
            {
                Survival::Kept
            } else {
                Survival::MayBeLost
            }
        };
        Ok(Durability {
            // With `everysec` a write to the log waits while the disk is slow, with `no` never.
            process_crash: keeps(&["always", "no"]),
            power_loss: keeps(&["always"]),
            // Replicas follow later, whatever a write waited for.
            failover: Survival::MayBeLost,
        })
    }
}

/// The texts in an answer, of one server or of several.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::BulkString(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Map(pairs) => pairs.iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => Vec::new(),
    }
}
