//! What a pick picks from: the values that mean something where a step is taken, those next to
//! them, and the ends of their ranges.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};
use sync_tracker_core::{
    ChangeId, ClaimId, ExternalId, Fingerprint, Incarnation, Key, Ledger, Metadata, RemoteVersion,
    RetryTable, Revision, SyncRecord, Timestamp, Token, Version,
};

use super::pick::Pick;
use super::universe::{METADATA_KEYS, Universe, metadata_values};

/// What happened so far that a later step may come back to.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The leases that claims granted, as they were granted.
    pub(super) leases: Vec<SyncRecord>,
    /// How many ids were given out.
    ids: u64,
}

impl Memory {
    /// An id that is new, and the same in every run of the sequence. Its bits are mixed, so that
    /// half of them are negative as signed numbers.
    pub(super) fn change_id(&mut self) -> ChangeId {
        self.ids += 1;
        ChangeId::from_bits(mixed(self.ids))
    }

    pub(super) fn claim_id(&mut self) -> ClaimId {
        let label = ["", "worker", "é#'\\"][usize::from(self.ids.to_le_bytes()[0] % 3)];
        format!("{label}#{}", self.change_id()).parse().expect("a claim id")
    }
}

/// The finaliser of `splitmix64`: every bit depends on every bit.
pub(super) fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The record that a step is about, among the others.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) universe: &'a Universe,
    pub(super) ledger: &'a Ledger,
    pub(super) memory: &'a mut Memory,
    pub(super) key: Key,
    pub(super) record: Option<SyncRecord>,
    pub(super) now: Timestamp,
}

/// The number itself, those next to it, and the smallest.
fn around(number: u64) -> [u64; 5] {
    [number, number + 1, number.saturating_sub(1), 0, 1]
}

/// The instant itself and those next to it.
pub(super) fn around_instant(instant: Timestamp) -> Vec<Timestamp> {
    let millis = instant.as_millis();
    [millis, millis - 1, millis + 1]
        .into_iter()
        .filter_map(|millis| Timestamp::from_millis(millis).ok())
        .collect()
}

impl Scene<'_> {
    /// Every record of the universe that there is.
    pub(super) fn records(&self) -> Vec<&SyncRecord> {
        self.universe.keys.iter().filter_map(|key| self.ledger.get(key)).collect()
    }

    /// What was granted for this key before.
    fn granted(&self) -> impl Iterator<Item = &SyncRecord> {
        self.memory.leases.iter().rev().filter(|lease| lease.key == self.key).take(3)
    }

    fn number(&self, pick: Pick, of: impl Fn(&SyncRecord) -> u64) -> u64 {
        let own = self.record.iter();
        let candidates: Vec<_> = own.chain(self.granted()).flat_map(|r| around(of(r))).collect();
        if candidates.is_empty() { pick.of(&[0, 1]) } else { pick.of(&candidates) }
    }

    pub(super) fn version(&self, pick: Pick) -> Version {
        Version::new(self.number(pick, |record| record.version.get())).unwrap()
    }

    pub(super) fn revision(&self, pick: Pick) -> Revision {
        let number = self.number(pick, |record| match pick.also().below(3) {
            0 => record.synced_revision.get(),
            _ => record.revision.get(),
        });
        Revision::new(number).unwrap()
    }

    pub(super) fn synced_revision(&self, pick: Pick) -> Revision {
        Revision::new(self.number(pick, |record| record.synced_revision.get())).unwrap()
    }

    pub(super) fn incarnation(&self, pick: Pick) -> Incarnation {
        Incarnation::new(self.number(pick, |record| record.incarnation.get())).unwrap()
    }

    pub(super) fn token(&self, pick: Pick) -> Token {
        Token::new(self.number(pick, |record| record.token.get())).unwrap()
    }

    pub(super) fn attempts(&self, pick: Pick) -> u32 {
        let attempts = self.record.as_ref().map_or(0, |record| record.attempts);
        pick.of(&[attempts, attempts.saturating_add(1), attempts.saturating_sub(1), 0, u32::MAX])
    }

    /// The first of the record's own ids, then all.
    pub(super) fn external_id(&self, pick: Pick) -> ExternalId {
        let own = self.record.iter().flat_map(|record| record.external_ids().take(3));
        pick.of(&own.chain(&self.universe.external_ids).cloned().collect::<Vec<_>>())
    }

    /// The record's base and echoes, then all.
    pub(super) fn fingerprint(&self, pick: Pick) -> Fingerprint {
        let own = self.record.iter().flat_map(|record| record.base.iter().chain(&record.echoes));
        let own = own.take(3);
        pick.of(&own.chain(&self.universe.fingerprints).cloned().collect::<Vec<_>>())
    }

    /// What was accepted and what was seen, next to them, the same as another kind, and the ends.
    pub(super) fn remote_version(&self, pick: Pick) -> RemoteVersion {
        let mut candidates = Vec::new();
        for known in
            self.record.iter().flat_map(|r| r.remote_version.iter().chain(r.remote_seen.iter()))
        {
            candidates.push(known.clone());
            match known {
                RemoteVersion::Sequence(number) => {
                    candidates.push(RemoteVersion::Sequence(number.saturating_add(1)));
                    candidates.push(RemoteVersion::Sequence(number.saturating_sub(1)));
                    candidates.push(RemoteVersion::opaque(number.to_string()).unwrap());
                }
                RemoteVersion::Timestamp(instant) => {
                    candidates
                        .extend(around_instant(*instant).into_iter().map(RemoteVersion::Timestamp));
                    candidates.push(RemoteVersion::Sequence(instant.as_millis()));
                }
                RemoteVersion::Opaque(text) => {
                    candidates.push(RemoteVersion::opaque(format!("{text}0")).unwrap());
                }
            }
        }
        // Three in four are about what is there.
        if !candidates.is_empty() && pick.also().below(4) > 0 {
            return pick.of(&candidates);
        }
        candidates.extend([0, 5, i64::MIN, i64::MAX, 1 << 53].map(RemoteVersion::Sequence));
        candidates.extend([self.now, Timestamp::MIN].map(RemoteVersion::Timestamp));
        candidates.extend(["5", "W/\"é\""].map(|tag| RemoteVersion::opaque(tag).unwrap()));
        pick.of(&candidates)
    }

    /// A table that ends before, at or after the next attempt.
    pub(super) fn table(&self, pick: Pick) -> RetryTable {
        let attempts = self.record.as_ref().map_or(0, |record| record.attempts);
        let attempts = usize::try_from(attempts.min(40)).expect("it is small");
        let entries =
            pick.of(&[attempts + 1, attempts, attempts.saturating_sub(1), attempts + 2, 0]);
        let mut wait = pick;
        let waits = (0..entries).map(|_| {
            wait = wait.also();
            wait.span()
        });
        RetryTable::new(waits.collect::<Vec<_>>()).unwrap()
    }

    /// A claim that was made before, or a new one.
    pub(super) fn claim_id(&mut self, pick: Pick) -> ClaimId {
        let leases = self.records().into_iter().chain(self.memory.leases.iter().rev().take(4));
        let mut claims: Vec<_> =
            leases.filter_map(|record| Some(record.lease.as_ref()?.claim_id.clone())).collect();
        claims.push(self.memory.claim_id());
        pick.of(&claims)
    }

    /// Up to `keys` keys, among them some that the record has got.
    pub(super) fn metadata(&self, pick: Pick, keys: RangeInclusive<usize>) -> Metadata {
        let mut map = Map::new();
        let values = metadata_values();
        let mut pick = pick;
        for _ in 0..keys.start() + pick.below(keys.end() - keys.start() + 1) {
            pick = pick.also();
            // One in three is an object that is much like others.
            let value: Value = match pick.also().also().below(3) {
                0 => json!({ pick.also().of(&["a", "b"]): pick.below(2) }),
                _ => pick.also().of(&values),
            };
            map.insert(self.metadata_key(pick), value);
        }
        Metadata::new(Value::Object(map)).unwrap()
    }

    pub(super) fn metadata_key(&self, pick: Pick) -> String {
        let record = self.record.iter();
        let own = record.flat_map(|record| record.metadata.iter().map(|(key, _)| key));
        pick.of(&own.chain(METADATA_KEYS).collect::<Vec<_>>()).to_owned()
    }

    /// Now, the ends of the range, what is due and what was, and the instants next to them.
    pub(super) fn instant(&self, pick: Pick) -> Timestamp {
        let mut candidates = around_instant(self.now);
        let dues = self.records().into_iter().filter_map(SyncRecord::due_at);
        candidates.extend(dues.flat_map(around_instant));
        candidates.extend([Timestamp::MIN, Timestamp::MAX]);
        candidates.extend([-1, 0].into_iter().filter_map(|m| Timestamp::from_millis(m).ok()));
        pick.of(&candidates)
    }
}
