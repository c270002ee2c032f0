//! What the store sends.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use redis::{Client, Cmd};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::Contestant;
use sync_tracker_benches::ours::Ours;
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Numbers, Operation, PAGE, Workload};
use sync_tracker_core::{ChangeId, ClaimId, EntityRef};
use sync_tracker_redis::RedisStore;

use super::connect;

/// The commands of each call, in their order.
#[derive(Debug)]
pub(crate) struct Sent(Vec<(Operation, usize, Vec<Template>)>);

/// A command, with places for what differs from call to call.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Constant(Vec<u8>),
    /// Of the record at this place of the call.
    EntityId(usize),
    Field(usize),
    ExternalId(usize),
    ChangeId,
    ClaimId,
}

/// What a call is about.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) entities: Vec<EntityRef>,
    pub(crate) external_ids: Vec<String>,
    pub(crate) claim_id: Option<ClaimId>,
}

impl About {
    pub(crate) fn new(
        population: &Population,
        operation: Operation,
        numbers: &[usize],
    ) -> Result<Self, Failure> {
        let key = |number: &usize| match operation {
            Operation::Create => population.new_key(*number),
            _ => population.key(*number),
        };
        let external_id = |number: &usize| Ok(population.external_id(*number)?.to_string());
        Ok(Self {
            entities: numbers
                .iter()
                .map(|it| Ok(key(it)?.entity))
                .collect::<Result<_, Failure>>()?,
            external_ids: match operation {
                Operation::ByExternalId | Operation::MarkSynced => {
                    numbers.iter().map(external_id).collect::<Result<_, Failure>>()?
                }
                _ => Vec::new(),
            },
            claim_id: (operation == Operation::Claim).then(ClaimId::random),
        })
    }

    fn parts(&self) -> HashMap<Vec<u8>, Part> {
        let mut parts = HashMap::new();
        for (at, entity) in self.entities.iter().enumerate() {
            parts.insert(field(entity), Part::Field(at));
            parts.insert(entity.entity_id.as_str().into(), Part::EntityId(at));
        }
        for (at, id) in self.external_ids.iter().enumerate() {
            parts.insert(id.as_bytes().into(), Part::ExternalId(at));
        }
        parts
    }
}

fn field(entity: &EntityRef) -> Vec<u8> {
    format!("{}\0{}", entity.entity_type, entity.entity_id).into()
}

impl Template {
    fn of(words: &[Vec<u8>], parts: &HashMap<Vec<u8>, Part>) -> Self {
        let part = |word: &Vec<u8>| {
            if let Some(part) = parts.get(word) {
                return part.clone();
            }
            let is_claim = || std::str::from_utf8(word).ok()?.parse::<ClaimId>().ok();
            match word.len() {
                8 => Part::ChangeId,
                _ if is_claim().is_some() => Part::ClaimId,
                _ => Part::Constant(word.clone()),
            }
        };
        Self(words.iter().map(part).collect())
    }

    pub(crate) fn command(&self, about: &About) -> Cmd {
        let mut command = Cmd::new();
        for part in &self.0 {
            match (part, &about.claim_id) {
                (Part::Constant(word), _) => command.arg(word),
                (Part::EntityId(at), _) => command.arg(about.entities[*at].entity_id.as_str()),
                (Part::Field(at), _) => command.arg(field(&about.entities[*at])),
                (Part::ExternalId(at), _) => command.arg(&about.external_ids[*at]),
                (Part::ChangeId, Some(claim)) => command.arg(change_id(claim.change_id())),
                (Part::ChangeId, None) => command.arg(change_id(ChangeId::random())),
                (Part::ClaimId, Some(claim)) => command.arg(claim.to_string()),
                (Part::ClaimId, None) => command.arg(ClaimId::random().to_string()),
            };
        }
        command
    }
}

fn change_id(id: ChangeId) -> Vec<u8> {
    id.to_bits().to_be_bytes().into()
}

impl Sent {
    /// Lets a store make each call, and asks the server what came. So the scripts and arguments are
    /// those that the store sends, whatever they are.
    pub(crate) async fn learn(
        client: &Client,
        store: &Arc<RedisStore>,
        prefix: &str,
        population: &Population,
        numbers: &Numbers,
        batch: usize,
    ) -> Result<Self, Failure> {
        let (mut on, monitor) = (connect(client).await?, client.get_async_monitor().await?);
        let mut lines = pin!(monitor.into_on_message::<String>());
        let ours = Ours::new(Arc::clone(store) as Arc<_>, population.clone());
        let mut sent = Self(Vec::new());
        for operation in Operation::ALL {
            let batches = match operation {
                Operation::Claim | Operation::NeedsSync => vec![PAGE],
                Operation::Statistics => vec![1],
                _ => vec![1, batch],
            };
            for batch in batches {
                let workload = Workload { operation, batch, callers: 1 };
                // At first the server may not know a script, and is sent its text.
                let first = numbers.next(workload).ok_or("nothing to learn from")?;
                ours.call(0, workload, &first).await?;
                let mark = format!("{prefix}:mark-{}", sent.0.len());
                let called = numbers.next(workload).ok_or("nothing to learn from")?;
                redis::cmd("ECHO").arg(format!("{mark}-begin")).exec_async(&mut on).await?;
                ours.call(0, workload, &called).await?;
                redis::cmd("ECHO").arg(format!("{mark}-end")).exec_async(&mut on).await?;
                let parts = About::new(population, operation, &called)?.parts();
                let mut templates = Vec::new();
                let mut has_begun = false;
                loop {
                    let line = lines.next().await.ok_or("the server no longer tells")?;
                    let Some(words) = words(&line) else { continue };
                    let is = |end: &str| words.get(1) == Some(&format!("{mark}-{end}").into());
                    if is("end") {
                        break;
                    }
                    let prefix = prefix.as_bytes();
                    let is_ours = words.iter().any(|word| word.starts_with(prefix));
                    if has_begun && is_ours {
                        templates.push(Template::of(&words, &parts));
                    }
                    has_begun = has_begun || is("begin");
                }
                if operation == Operation::Claim {
                    // What follows gives back what was claimed.
                    let is_claim =
                        |it: &Template| it.0.iter().any(|it| matches!(it, Part::ClaimId));
                    templates.retain(is_claim);
                }
                if templates.is_empty() {
                    return Err(format!("{workload} sent nothing").into());
                }
                sent.0.push((operation, batch, templates));
            }
        }
        Ok(sent)
    }

    /// The commands of a call about so many records.
    pub(crate) fn of(&self, operation: Operation, batch: usize) -> Result<&[Template], Failure> {
        let found = self.0.iter().find(|it| it.0 == operation && it.1 == batch);
        let (_, _, templates) = found.ok_or("a call that nothing was learned of")?;
        Ok(templates)
    }
}

/// The words of a command as the server shows it; `None` if a script called it.
fn words(line: &str) -> Option<Vec<Vec<u8>>> {
    let (_, rest) = line.split_once('[')?;
    let (from, rest) = rest.split_once("] ")?;
    if from.ends_with(" lua") {
        return None;
    }
    let (mut words, mut bytes) = (Vec::new(), rest.bytes());
    while bytes.next()? == b'"' {
        let mut word = Vec::new();
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' => word.push(match bytes.next()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    b'x' => {
                        let digits = [bytes.next()?, bytes.next()?];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                    }
                    other => other,
                }),
                other => word.push(other),
            }
        }
        words.push(word);
        if bytes.next().is_none() {
            return Some(words);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_the_server_shows_them() {
        let line = r#"1.5 [0 127.0.0.1:7] "HSET" "a\x00\"b\\" "" "\n\xff""#;
        let read: Vec<Vec<u8>> =
            vec![b"HSET".into(), b"a\0\"b\\".into(), b"".into(), b"\n\xff".into()];
        assert_eq!(words(line), Some(read));
        assert_eq!(words(r#"1.5 [0 lua] "GET" "a""#), None);
        assert_eq!(words("OK"), None);
    }
}
