//! Whether every index of a source says what its records say.

use std::collections::BTreeMap;

use sync_tracker_core::{
    Discrepancy, EntityRef, ExternalId, Key, Result, Source, Status, SyncRecord,
};

use crate::answer;
use crate::error::{Effect, unexpected};
use crate::keys::{PAUSE_FIELD, entity_of, field};
use crate::store::{RedisStore, record_at};
use crate::value::status;

/// What is in an index, each with its score or its value.
type Members = BTreeMap<Vec<u8>, Vec<u8>>;

/// How many members one call reads.
const READ: usize = 1_000;

/// How far the statuses of the queue lie apart, as in the scripts.
const APART: i64 = 1 << 50;

/// The indexes as the records have them.
#[derive(Default)]
struct Expected {
    keys: Members,
    states: Members,
    queue: Members,
    former: Members,
    holders: Members,
}

impl Expected {
    fn add(&mut self, record: &SyncRecord) {
        let EntityRef { entity_type, entity_id } = &record.key.entity;
        let (kind, of) = (entity_type.as_str().as_bytes(), entity_id.as_str().as_bytes());
        let field = field(&record.key.entity);
        let zero = || b"0".to_vec();
        self.keys.insert(field.clone(), zero());
        for id in record.external_ids().map(ExternalId::as_str) {
            let id = [kind, b"\0", id.as_bytes()].concat();
            if record.holds_external_ids() {
                self.holders.insert([b"\x01", &id[..]].concat(), of.into());
            } else {
                let deleted = record.deleted_at.map_or(0, |at| at.as_millis());
                let order = format!("{:016}", 1_000_000_000_000_000 - deleted);
                self.former.insert([&id, &b"\0"[..], order.as_bytes(), of].concat(), zero());
            }
        }
        if entity_type.is_reserved() {
            return;
        }
        let is = record.status();
        if is != Status::Synced {
            self.states.insert([&[status(is)], &field[..]].concat(), zero());
        }
        if let Some(lease) = &record.lease {
            let claim = lease.claim_id.to_string();
            self.states.insert([b"c", claim.as_bytes(), b"\0", &field].concat(), zero());
        }
        if let Some(due) = record.due_at() {
            let apart = match is {
                Status::Pending => -APART,
                Status::InProgress => APART,
                _ => 0,
            };
            self.queue.insert(field, (due.as_millis() + apart).to_string().into());
        }
    }
}

impl RedisStore {
    pub(crate) async fn verify_indexes(&self) -> Result<Vec<Discrepancy>> {
        let mut sources = self.registered_sources(false, None).await?;
        sources.extend(self.registered_sources(true, None).await?);
        sources.sort_unstable();
        sources.dedup();
        let mut found = Vec::new();
        for source in &sources {
            self.verify_source(source, &mut found).await?;
        }
        Ok(found)
    }

    async fn verify_source(&self, source: &Source, found: &mut Vec<Discrepancy>) -> Result<()> {
        let [records, keys, states, queue, former] = self.prefix.of(source).all();
        let (mut expected, mut holders) = (Expected::default(), Members::new());
        let mut cursor = 0;
        loop {
            let (next, entries) = self.scan(&records, cursor).await?;
            for (field, value) in entries {
                if field.first() == Some(&1) {
                    holders.insert(field, value);
                } else if field != PAUSE_FIELD {
                    match record_at(source, &field, &value) {
                        Ok(record) => expected.add(&record),
                        Err(error) => found.push(Discrepancy {
                            key: entity_of(&field).map(|entity| entity.in_source(source)),
                            problem: error.to_string(),
                        }),
                    }
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        let mut compare = |name: &str, expected: &Members, there: &Members| {
            for (member, value) in expected {
                if there.get(member) != Some(value) {
                    found.push(discrepancy(source, member, name, "does not have it as it is"));
                }
            }
            for member in there.keys().filter(|member| !expected.contains_key(*member)) {
                found.push(discrepancy(source, member, name, "has what is not so"));
            }
        };
        compare("the index of holders", &expected.holders, &holders);
        for (name, key, expected) in [
            ("the index of keys", keys, &expected.keys),
            ("the index of states", states, &expected.states),
            ("the queue", queue, &expected.queue),
            ("the index of former ids", former, &expected.former),
        ] {
            compare(name, expected, &self.members(&key).await?);
        }
        Ok(())
    }

    /// A whole sorted set, some at a time.
    async fn members(&self, key: &str) -> Result<Members> {
        let mut members = Members::new();
        loop {
            let from = members.len();
            let mut range = redis::cmd("ZRANGE");
            range.arg(key).arg(from).arg(from + READ - 1).arg("WITHSCORES");
            let values = answer::list(self.server.send(&range, Effect::None).await?)?;
            let mut values = values.into_iter();
            while let (Some(member), Some(score)) = (values.next(), values.next()) {
                let score: f64 = answer::text(score)?.parse().map_err(|_| unexpected())?;
                members.insert(answer::present(member)?, format!("{score:.0}").into());
            }
            if members.len() < from + READ {
                return Ok(members);
            }
        }
    }
}

/// Names the record if the member is its field.
fn discrepancy(source: &Source, member: &[u8], name: &str, problem: &str) -> Discrepancy {
    let key: Option<Key> = entity_of(member).map(|entity| entity.in_source(source));
    let shown = String::from_utf8_lossy(member);
    Discrepancy { key, problem: format!("{name} of {source} {problem}: {shown:?}") }
}
