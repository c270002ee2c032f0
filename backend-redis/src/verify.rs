//! Whether every index of a source says what its records say.

use std::collections::BTreeMap;

use sync_tracker_core::{
    Discrepancy, EntityRef, ExternalId, Key, Result, Source, Status, SyncRecord,
};

use crate::answer;
use crate::error::{Effect, unexpected};
use crate::keys::{
    OF_CLAIM, OF_FORMER, OF_KEYS, OF_QUEUE, OF_STATUS, PAUSE_FIELD, due, entity_of, field,
};
use crate::store::{RedisStore, record_at};
use crate::value::status;

/// What is in the index, each with its score, or in the hash.
type Members = BTreeMap<Vec<u8>, Vec<u8>>;

/// How many members one call reads.
const READ: usize = 1_000;

/// The index and the holders as the records have them.
#[derive(Default)]
struct Expected {
    index: Members,
    holders: Members,
}

impl Expected {
    fn add(&mut self, record: &SyncRecord) {
        let EntityRef { entity_type, entity_id } = &record.key.entity;
        let (kind, of) = (entity_type.as_str().as_bytes(), entity_id.as_str().as_bytes());
        let field = field(&record.key.entity);
        let mut indexed = |parts: &[&[u8]]| {
            self.index.insert(parts.concat(), b"0".into());
        };
        indexed(&[OF_KEYS, &field]);
        for id in record.external_ids().map(ExternalId::as_str) {
            let id = [kind, b"\0", id.as_bytes()].concat();
            if record.holds_external_ids() {
                self.holders.insert([b"\x01", &id[..]].concat(), of.into());
            } else {
                let deleted = record.deleted_at.map_or(0, |at| at.as_millis());
                let order = format!("{:016}", 1_000_000_000_000_000 - deleted);
                indexed(&[OF_FORMER, &id, b"\0", order.as_bytes(), of]);
            }
        }
        if entity_type.is_reserved() {
            return;
        }
        let is = record.status();
        if is != Status::Synced {
            indexed(&[OF_STATUS, &[status(is)], &field]);
        }
        if let Some(lease) = &record.lease {
            indexed(&[OF_CLAIM, lease.claim_id.to_string().as_bytes(), b"\0", &field]);
        }
        if let Some(at) = record.due_at() {
            indexed(&[OF_QUEUE, &[status(is)], &due(at), &field]);
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
        let [records, index] = self.prefix.of(source).all();
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
        compare("the index", &expected.index, &self.members(&index).await?);
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

/// Names the record if the member is that of the order of keys.
fn discrepancy(source: &Source, member: &[u8], name: &str, problem: &str) -> Discrepancy {
    let field = member.strip_prefix(OF_KEYS);
    let key: Option<Key> = field.and_then(entity_of).map(|entity| entity.in_source(source));
    let shown = String::from_utf8_lossy(member);
    Discrepancy { key, problem: format!("{name} of {source} {problem}: {shown:?}") }
}
