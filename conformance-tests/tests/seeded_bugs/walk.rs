//! Bugs in lists, and in what is told of many records at once.

use serde_json::Value;
use sync_tracker_core::{
    Cursor, EntityRef, Filter, Key, Page, PageSize, Source, Statistics, Status, SyncRecord,
    Timestamp,
};

use crate::bug::Bug;
use crate::key::slot;
use crate::records::Records;

impl Records {
    pub(crate) fn list(
        &mut self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
        now: Timestamp,
    ) -> Page {
        let key = after.and_then(Cursor::key);
        if self.has(Bug::CursorNeedsRecord) && key.is_some_and(|key| self.get(key).is_none()) {
            return Page::default();
        }
        if self.has(Bug::FilteredAfterwards) {
            return self.filtered_afterwards(filter, after, size, now);
        }
        let passing = self.by_slot.values().filter(|record| self.passes(filter, record, now));
        if self.has(Bug::PagesByOffset) && key.is_some() {
            let before = key.and_then(|key| self.offsets.get(key)).copied().unwrap_or(0);
            let page = Page::of(passing.skip(before).cloned(), size);
            return self.counted_off(before, page);
        }
        let skipped = usize::from(self.has(Bug::BoundarySkipped) && key.is_some());
        let rest = passing.filter(|record| self.is_after(after, &record.key)).skip(skipped);
        let mut page = Page::of(rest.cloned(), size);
        if self.has(Bug::NextAfterTheLast) && page.records.len() == size.get() {
            page.next = page.records.last().map(|last| Cursor::after(&last.key));
        }
        if self.has(Bug::PagesCutShort) && page.records.len() > 100 {
            page = Page { records: page.records[..100].to_vec(), next: None };
        }
        self.counted_off(0, page)
    }

    fn counted_off(&mut self, before: usize, page: Page) -> Page {
        if let Some(last) = page.records.last() {
            self.offsets.insert(last.key.clone(), before + page.records.len());
        }
        page
    }

    fn filtered_afterwards(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
        now: Timestamp,
    ) -> Page {
        let source = Filter { source: filter.source.clone(), ..Filter::default() };
        let of_type = Filter { entity_type: filter.entity_type.clone(), ..source };
        let all = self
            .by_slot
            .values()
            .filter(|record| of_type.matches(record, now) && self.is_after(after, &record.key));
        let mut page = Page::of(all.cloned(), size);
        page.records.retain(|record| filter.matches(record, now));
        if page.records.is_empty() {
            page.next = None;
        }
        page
    }

    fn is_after(&self, cursor: Option<&Cursor>, key: &Key) -> bool {
        let Some(cursor) = cursor else { return true };
        match (self.bug, cursor.key()) {
            (Some(Bug::OrderedByLocale), Some(after)) => {
                slot(self.bug, after) < slot(self.bug, key)
            }
            (Some(Bug::BoundaryRepeated), Some(after)) => after <= key,
            (Some(Bug::SourceCursorByPrefix), None) => {
                cursor.precedes(key) && !key.source.as_str().starts_with(cursor.source().as_str())
            }
            _ => cursor.precedes(key),
        }
    }

    fn passes(&self, filter: &Filter, record: &SyncRecord, now: Timestamp) -> bool {
        match (self.bug, &filter.metadata) {
            (Some(Bug::StatusOfLeasesOld), _) => {
                let unleased = SyncRecord { lease: None, ..record.clone() };
                let other = Filter { status: None, ..filter.clone() };
                let by_status = Filter { status: filter.status, ..any_type(record) };
                other.matches(record, now) && by_status.matches(&unleased, now)
            }
            (Some(Bug::DueListIgnoresLeases), _) => {
                let leased = record.status() == Status::InProgress;
                filter.matches(record, now) && !(filter.due == Some(true) && leased)
            }
            (Some(Bug::DueListedLate), _) => filter.matches(record, just_before(now)),
            (Some(Bug::DueForgottenWithStatus), _) if filter.status.is_some() => {
                Filter { due: None, ..filter.clone() }.matches(record, now)
            }
            (Some(Bug::MetadataForgottenWithClaim), _) if filter.claim_id.is_some() => {
                Filter { metadata: None, ..filter.clone() }.matches(record, now)
            }
            (Some(Bug::ClaimFilterIgnored), _) => {
                Filter { claim_id: None, ..filter.clone() }.matches(record, now)
            }
            (Some(Bug::MetadataFilterLoose), Some(wanted)) => {
                Filter { metadata: None, ..filter.clone() }.matches(record, now)
                    && wanted.iter().all(|(key, value)| {
                        record.metadata.get(key).is_some_and(|there| is_within(value, there))
                    })
            }
            (Some(Bug::MetadataFilterAny), Some(wanted)) => {
                Filter { metadata: None, ..filter.clone() }.matches(record, now)
                    && wanted.iter().any(|(key, value)| record.metadata.get(key) == Some(value))
            }
            _ => filter.matches(record, now),
        }
    }

    pub(crate) fn statistics(&self, source: &Source, now: Timestamp) -> Statistics {
        let mut statistics = Statistics::new(now);
        let all = self.has(Bug::AllSourcesCounted);
        let reserved_too = self.has(Bug::ReservedCounted);
        let counted = |record: &&SyncRecord| {
            let hidden = record.key.entity.entity_type.is_reserved() && !reserved_too;
            !hidden && (all || record.key.source == *source)
        };
        self.by_slot.values().filter(counted).for_each(|record| statistics.add(record));
        self.drift.iter().filter(counted).for_each(|record| statistics.counts.add(record));
        let of = |status| {
            self.by_slot.values().filter(counted).filter(move |record| record.status() == status)
        };
        if self.has(Bug::LeasedWaitsLongest) {
            let leased = of(Status::InProgress).filter_map(|record| record.pending_since);
            statistics.oldest_pending = leased.chain(statistics.oldest_pending).min();
        }
        if self.has(Bug::NextDueUnleased) {
            let failed = of(Status::Failed).filter_map(|record| record.retry_at);
            statistics.next_due = failed.filter(|due| *due > now).min();
        }
        let mut counted_ones = self.by_slot.values().filter(counted);
        if self.has(Bug::NextDueIsNow) && counted_ones.any(|one| one.due_at() == Some(now)) {
            statistics.next_due = Some(now);
        }
        statistics
    }

    pub(crate) fn sources(&self) -> Vec<Source> {
        let listed = |record: &&SyncRecord| {
            !(self.has(Bug::TombstonesHaveNoSource) && record.is_tombstone())
        };
        let records = self.by_slot.values().filter(listed);
        let mut sources: Vec<_> = records.map(|record| record.key.source.clone()).collect();
        sources.dedup_by(|next, one| {
            let folded = |source: &Source| source.as_str().to_lowercase();
            next == one || self.has(Bug::SourcesFolded) && folded(next) == folded(one)
        });
        if self.has(Bug::SourcesBackwards) {
            sources.reverse();
        }
        sources
    }

    pub(crate) fn records_of(&self, entity: &EntityRef) -> Vec<SyncRecord> {
        let any_type = self.has(Bug::EntityByIdAlone);
        let found = self.by_slot.values().filter(|record| {
            let there = &record.key.entity;
            there == entity || any_type && there.entity_id == entity.entity_id
        });
        let most = if self.has(Bug::EntityOfOneSource) { 1 } else { usize::MAX };
        found.take(most).cloned().collect()
    }
}

fn just_before(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis() - 1).expect("within range")
}

/// A filter that passes every record of the type of this one.
fn any_type(record: &SyncRecord) -> Filter {
    Filter { entity_type: Some(record.key.entity.entity_type.clone()), ..Filter::default() }
}

/// Whether a value is the other one or a part of it.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|there| is_within(value, there))),
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|value| whole.iter().any(|there| is_within(value, there)))
        }
        _ => part == whole,
    }
}
