//! Whether a store's indexes agree with its records.

use std::collections::BTreeMap;
use std::fmt;

use crate::counts::Counts;
use crate::error::Result;
use crate::key::{EntityType, ExternalId, Key, Source};
use crate::ledger::first_found;
use crate::page::Filter;
use crate::record::SyncRecord;
use crate::status::Status;
use crate::store::{SyncStore, all};

/// A place where a store disagrees with itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// The record, if it is about one.
    pub key: Option<Key>,
    /// What disagrees.
    pub problem: String,
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

/// Compares what the other calls of a store say with the walk over all of its records: what
/// [`SyncStore::verify`] does by default, for stores that know more to compare.
///
/// # Errors
///
/// The first error of a read.
pub async fn verify<S: SyncStore + ?Sized>(store: &S) -> Result<Vec<Discrepancy>> {
    let records = all(store, &Filter::default()).await?;
    let mut found = Discrepancies::default();
    found.check_order(&records);
    for record in &records {
        found.check_record(store, record).await?;
    }
    found.check_external_ids(store, &records).await?;
    let mut counts: BTreeMap<Source, Counts> = BTreeMap::new();
    for record in &records {
        counts.entry(record.key.source.clone()).or_default().add(record);
    }
    for (source, counts) in &counts {
        found.check_source(store, source, counts).await?;
    }
    found.check_filters(store, &records).await?;
    Ok(found.0)
}

#[derive(Default)]
struct Discrepancies(Vec<Discrepancy>);

impl Discrepancies {
    fn expect(&mut self, holds: bool, key: Option<&Key>, problem: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Discrepancy { key: key.cloned(), problem: problem() });
        }
    }

    fn check_order(&mut self, records: &[SyncRecord]) {
        for pair in records.windows(2) {
            self.expect(pair[0].key < pair[1].key, Some(&pair[1].key), || {
                format!("is listed after {}", pair[0].key)
            });
        }
    }

    async fn check_record<S: SyncStore + ?Sized>(
        &mut self,
        store: &S,
        record: &SyncRecord,
    ) -> Result<()> {
        let key = Some(&record.key);
        if let Err(error) = record.check_invariants() {
            self.expect(false, key, || error.to_string());
        }
        let got = store.get(&record.key).await?;
        self.expect(got.as_ref() == Some(record), key, || "is listed and got differently".into());
        let of_entity = store.records_of(&record.key.entity).await?;
        let there = of_entity.iter().any(|other| other.key == record.key);
        self.expect(there, key, || "is not found among the records of its entity".into());
        Ok(())
    }

    async fn check_external_ids<S: SyncStore + ?Sized>(
        &mut self,
        store: &S,
        records: &[SyncRecord],
    ) -> Result<()> {
        let mut carriers: BTreeMap<(&Source, &EntityType, &ExternalId), Vec<&SyncRecord>> =
            BTreeMap::new();
        for record in records {
            let Key { source, entity } = &record.key;
            for id in record.external_ids() {
                carriers.entry((source, &entity.entity_type, id)).or_default().push(record);
            }
        }
        for ((source, entity_type, id), carriers) in carriers {
            let holders = carriers.iter().filter(|record| record.holds_external_ids()).count();
            let key = carriers.first().map(|record| &record.key);
            self.expect(holders <= 1, key, || format!("external id {id} has {holders} holders"));
            let found = store.by_external_id(source, entity_type, id).await?;
            let expected = first_found(carriers.iter().copied());
            self.expect(found.as_ref() == expected, key, || {
                format!("external id {id} leads to {:?}", found.as_ref().map(|found| &found.key))
            });
        }
        Ok(())
    }

    async fn check_source<S: SyncStore + ?Sized>(
        &mut self,
        store: &S,
        source: &Source,
        expected: &Counts,
    ) -> Result<()> {
        let listed = store.sources().await?.contains(source);
        self.expect(listed, None, || format!("source {source} has records and is not listed"));
        let counted = store.statistics(source).await?.counts;
        self.expect(counted == *expected, None, || {
            format!("counts of {source}: {counted:?} instead of {expected:?}")
        });
        Ok(())
    }

    async fn check_filters<S: SyncStore + ?Sized>(
        &mut self,
        store: &S,
        records: &[SyncRecord],
    ) -> Result<()> {
        for status in Status::ALL {
            let filter = Filter { status: Some(status), ..Filter::default() };
            let listed = all(store, &filter).await?;
            let expected = records.iter().filter(|record| record.status() == status);
            self.expect(listed.iter().eq(expected), None, || {
                format!("the list of {status} disagrees with the records")
            });
        }
        // Time passes in between: what becomes due is in both, in this order.
        let mut due = all(store, &Filter { due: Some(false), ..Filter::default() }).await?;
        due.extend(all(store, &Filter { due: Some(true), ..Filter::default() }).await?);
        due.sort_by(|a, b| a.key.cmp(&b.key));
        due.dedup_by(|a, b| a.key == b.key);
        self.expect(due.as_slice() == records, None, || {
            "what is due and what is not are not all the records".into()
        });
        Ok(())
    }
}
