//! Many changes at once: one `update` command writes up to a thousand, and one read tells what
//! became of each.
//!
//! The command answers with numbers, not with records, and others may write between it and the read.
//! So a change notes in its record which call carried it, in a short list of the last ones: that
//! tells what this call applied, even if others came since. What the list does not tell is decided
//! by the record as it is read, and a change that would be applied by now is applied alone.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::bson::{
    Document, RawArrayBuf, RawDocumentBuf, cstr, doc, serialize_to_raw_document_buf,
};
use sync_tracker_core::{
    Applied, Change, ChangeId, Error, ErrorKind, Key, Outcome, Refused, Result, SyncRecord,
    Timestamp, waves,
};

use crate::answer::{timed, with_time};
use crate::compose::{BATCH_CALLS, Composed, Write, compose};
use crate::document::decode;
use crate::error::{self, Effect, STORE, unexpected};
use crate::store::MongoStore;
use crate::value::{self, change_id};

/// How many commands are on their way at the same time. The driver has ten connections by default.
pub(crate) const AT_ONCE: usize = 16;
/// How many changes one command carries.
const LARGEST: usize = 1_000;
/// How large the changes of one command are, together. The server takes 16 MiB.
const LARGEST_BYTES: usize = 12 << 20;

type Items = [(Key, Change)];

/// One change of a batch, on its way.
struct Item<'a> {
    index: usize,
    key: &'a Key,
    change: &'a Change,
    call: ChangeId,
    may_create: bool,
}

/// What one command carries.
#[derive(Default)]
struct Load<'a> {
    items: Vec<Item<'a>>,
    updates: RawArrayBuf,
    bytes: usize,
}

/// What the server says of a command.
#[derive(Default)]
struct Written {
    /// The answers to the changes that were not carried out, by their places.
    refused: HashMap<usize, Error>,
    /// The places of the changes that made a record.
    created: HashSet<usize>,
}

/// What became of one change. Nothing: it was not applied, and may be by now.
type Settled = Option<Result<Outcome>>;

impl MongoStore {
    pub(crate) async fn apply_batch(&self, items: &Items) -> Vec<Result<Outcome>> {
        let mut outcomes: Vec<Option<Result<Outcome>>> = Vec::new();
        outcomes.resize_with(items.len(), || None);
        for wave in waves(items) {
            let mut load = Load::default();
            for index in wave {
                let Some((key, change)) = items.get(index) else { continue };
                let call = ChangeId::random();
                let write = Write { change: change.id(), call, in_batch: true };
                let Composed { pipeline, may_create } = compose(change, write, self.now_of_call());
                let update =
                    doc! { "q": { "_id": value::key(key) }, "u": pipeline, "upsert": may_create };
                let update = match RawDocumentBuf::try_from(&update) {
                    Ok(update) => update,
                    Err(cause) => {
                        note(&mut outcomes, key, index, Err(error::unsendable(cause)));
                        continue;
                    }
                };
                if load.is_full_for(&update) {
                    self.carry(std::mem::take(&mut load), &mut outcomes).await;
                }
                load.add(Item { index, key, change, call, may_create }, update);
            }
            self.carry(load, &mut outcomes).await;
        }
        let unanswered =
            || Err(Error::new(ErrorKind::Internal, "an item has no outcome").in_store(STORE));
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect()
    }

    /// Carries changes to the server, and notes the outcomes.
    async fn carry(&self, load: Load<'_>, outcomes: &mut [Option<Result<Outcome>>]) {
        let Load { items, updates, .. } = load;
        let mut open = Vec::new();
        if items.len() < 2 {
            open = items;
        } else {
            let settled = match self.write_all(updates).await {
                Ok(written) => self.read_back(&items, written).await,
                Err(failed) => Err(failed),
            };
            match settled {
                Ok(settled) => {
                    for (item, settled) in items.into_iter().zip(settled) {
                        match settled {
                            Some(outcome) => note(outcomes, item.key, item.index, outcome),
                            None => open.push(item),
                        }
                    }
                }
                Err(failed) => {
                    for item in items {
                        let error = Error::new(failed.kind(), failed.to_string());
                        note(outcomes, item.key, item.index, Err(error));
                    }
                }
            }
        }
        let calls: Vec<_> = open.iter().map(|item| self.apply_alone(item)).collect();
        let mut answered = stream::iter(calls).buffer_unordered(AT_ONCE);
        while let Some((item, outcome)) = answered.next().await {
            note(outcomes, item.key, item.index, outcome);
        }
    }

    async fn apply_alone<'a>(&self, item: &'a Item<'a>) -> (&'a Item<'a>, Result<Outcome>) {
        (item, self.apply_one(item.key, item.change).await)
    }

    async fn write_all(&self, updates: RawArrayBuf) -> Result<Written> {
        let command = self.update_command(updates)?;
        let database = self.database.clone();
        let write = async move { database.run_raw_command(command).await };
        let answer = self.run(Effect::Write, write).await;
        let answer = answer.map_err(|failed| failed.into_error(Effect::Write))?;
        if answer.contains_key("writeConcernError") {
            return Err(error::unacknowledged());
        }
        Written::read(&answer)
    }

    fn update_command(&self, updates: RawArrayBuf) -> Result<RawDocumentBuf> {
        let mut command = RawDocumentBuf::new();
        command.append(cstr!("update"), self.records.name());
        command.append(cstr!("updates"), updates);
        command.append(cstr!("ordered"), false);
        let concern = serialize_to_raw_document_buf(&self.write_concern);
        command.append(cstr!("writeConcern"), concern.map_err(error::unsendable)?);
        Ok(command)
    }

    /// Records with the server's time, after a write that may have changed them.
    pub(crate) async fn read_written(&self, ids: Vec<Document>) -> Result<Vec<Document>> {
        let records = self.records.clone();
        let read = async move {
            let found = records.find(doc! { "_id": { "$in": ids } }).projection(with_time());
            // One more than there can be: then the server knows that these are all.
            found.batch_size(value::whole_u32(LARGEST + 1)).await?.try_collect().await
        };
        let found = self.run(Effect::Write, read).await;
        found.map_err(|failed| failed.into_error(Effect::Write))
    }

    /// What became of each change, as far as it can be told.
    async fn read_back(&self, items: &[Item<'_>], written: Written) -> Result<Vec<Settled>> {
        let ids: Vec<_> = items.iter().map(|item| value::key(item.key)).collect();
        let found = self.read_written(ids).await?;
        let mut records = HashMap::new();
        for answer in &found {
            let (now, document) = timed(answer)?;
            let record = decode(document)?;
            records.insert(record.key.clone(), (now, document, record));
        }
        let Written { mut refused, created } = written;
        let settle = |(place, item): (usize, &Item<'_>)| match refused.remove(&place) {
            // Alone it may pass, or is told who has its external id.
            Some(error) if error.is_retryable() => None,
            Some(error) => Some(Err(error)),
            None => match records.remove(item.key) {
                Some((now, document, record)) => {
                    let now = self.clock.explicit_now().unwrap_or(now);
                    item.settled(now, document, record)
                }
                None => item.without_record(created.contains(&place)),
            },
        };
        Ok(items.iter().enumerate().map(settle).collect())
    }
}

fn note(
    outcomes: &mut [Option<Result<Outcome>>],
    key: &Key,
    index: usize,
    outcome: Result<Outcome>,
) {
    if let Some(place) = outcomes.get_mut(index) {
        let named = |error: Error| error.in_operation("apply many").in_store(STORE).for_key(key);
        *place = Some(outcome.map_err(named));
    }
}

impl<'a> Load<'a> {
    fn is_full_for(&self, update: &RawDocumentBuf) -> bool {
        self.items.len() >= LARGEST || self.bytes + update.as_bytes().len() > LARGEST_BYTES
    }

    fn add(&mut self, item: Item<'a>, update: RawDocumentBuf) {
        self.items.push(item);
        self.bytes += update.as_bytes().len();
        self.updates.push(update);
    }
}

impl Written {
    fn read(answer: &Document) -> Result<Self> {
        let mut written = Self::default();
        let list = |name: &str| answer.get_array(name).into_iter().flatten();
        for refused in list("writeErrors") {
            let refused = refused.as_document().ok_or_else(unexpected)?;
            written.refused.insert(place(refused)?, error::of_item(refused)?);
        }
        for created in list("upserted") {
            let created = created.as_document().ok_or_else(unexpected)?;
            written.created.insert(place(created)?);
        }
        Ok(written)
    }
}

fn place(of: &Document) -> Result<usize> {
    let place = of.get_i32("index").map_err(|_| unexpected())?;
    place.try_into().map_err(|_| unexpected())
}

impl Item<'_> {
    /// What became of the change, by the record as it is now.
    fn settled(&self, now: Timestamp, document: &Document, record: SyncRecord) -> Settled {
        let outcome = match noted_arm(document, self.call) {
            Some(arm) => Outcome::Applied(Applied { record, arm: Some(arm), replayed: false }),
            None => match self.change.settle(self.key, Some(&record), now, |_| None) {
                Outcome::Applied(Applied { replayed: false, .. }) => return None,
                told => told,
            },
        };
        Some(Ok(outcome))
    }

    /// The key has no record (any more).
    fn without_record(&self, was_created: bool) -> Settled {
        if was_created || self.may_create {
            let message = "the record was removed before it could be read";
            return Some(Err(error::error(ErrorKind::Unknown, message)));
        }
        let reason = self.change.explain(self.key, None, Timestamp::MIN);
        Some(Ok(Outcome::Refused(Refused { reason, record: None })))
    }
}

/// The arm that a call carried out, if the record remembers it.
pub(crate) fn noted_arm(document: &Document, call: ChangeId) -> Option<u8> {
    let calls = document.get_array(BATCH_CALLS).ok()?;
    let mut calls = calls.iter().filter_map(|call| call.as_document());
    let ours = calls.find(|it| it.get_i64("call").ok() == Some(change_id(call)))?;
    ours.get_i64("arm").ok()?.try_into().ok()
}
