//! Many changes at once: one `update` command writes up to a thousand, and one read tells what
//! became of each. Records that are not there yet are made by one `aggregate` and read, too.
//!
//! These commands answer with numbers, not with records, and others may write between them and the
//! read. So a change notes in its record which call carried it, in a short list of the last ones:
//! that tells what this call applied, even if others came since. What the list does not tell is
//! decided by the record as it is read, and a change that would be applied by now is applied alone.

mod load;
mod making;

use std::collections::HashMap;
use std::mem;

use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use sync_tracker_core::{
    Applied, Change, ChangeId, Error, ErrorKind, Key, Outcome, Refused, Result, SyncRecord,
    Timestamp, waves,
};

use self::load::{Load, Statement, shared};
use crate::answer::{timed, with_time};
use crate::compose::{BATCH_CALLS, makes_record};
use crate::document::decode;
use crate::error::{self, Effect, STORE};
use crate::store::MongoStore;
use crate::value::{self, change_id};

/// How many commands are on their way at the same time. The driver has ten connections by default.
const AT_ONCE: usize = 16;
/// How many changes are on their way at the same time, at most in one command.
const LARGEST: usize = 1_000;
/// How large the changes of one command are, together. The server takes 16 MiB.
const LARGEST_BYTES: usize = 12 << 20;

/// One change of a batch.
#[derive(Clone, Copy)]
struct Item<'a> {
    index: usize,
    key: &'a Key,
    change: &'a Change,
}

/// The answers so far, by the places of their items.
struct Answers(Vec<Option<Result<Outcome>>>);

/// What the commands did not settle.
#[derive(Default)]
struct Open<'a> {
    /// Their statement was refused, perhaps for one of the others in it.
    refused: Vec<Item<'a>>,
    /// There is no record, and they make one.
    absent: Vec<Item<'a>>,
    /// They would be applied by now.
    applicable: Vec<Item<'a>>,
}

impl MongoStore {
    pub(crate) async fn apply_batch(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let mut answers = Answers::to(items.len());
        for wave in waves(items) {
            let item =
                |index: usize| items.get(index).map(|(key, change)| Item { index, key, change });
            let wave: Vec<_> = wave.into_iter().filter_map(item).collect();
            for items in wave.chunks(LARGEST) {
                self.apply_items(items, &mut answers).await;
            }
        }
        answers.into_list()
    }

    async fn apply_items(&self, items: &[Item<'_>], answers: &mut Answers) {
        let mut open = Open::default();
        if let [item] = items {
            open.applicable.push(*item);
        } else {
            let (call, now) = (ChangeId::random(), self.now_of_call());
            match shared(items, call, now) {
                Ok(statements) => self.carry_all(statements, call, &mut open, answers).await,
                // One of them cannot be sent.
                Err(_) => open.refused.extend(items),
            }
            let mut each = Vec::new();
            for item in mem::take(&mut open.refused) {
                match Statement::of(item, call, now) {
                    Ok(statement) => each.push(statement),
                    Err(failed) => answers.note(item, Err(failed)),
                }
            }
            self.carry_all(each, call, &mut open, answers).await;
            let absent = mem::take(&mut open.absent);
            self.make_all(&absent, call, &mut open, answers).await;
        }
        let calls: Vec<_> = open.applicable.iter().map(|item| self.apply_alone(*item)).collect();
        let mut answered = stream::iter(calls).buffer_unordered(AT_ONCE);
        while let Some((item, outcome)) = answered.next().await {
            answers.note(item, outcome);
        }
    }

    async fn apply_alone<'a>(&self, item: Item<'a>) -> (Item<'a>, Result<Outcome>) {
        (item, self.apply_one(item.key, item.change).await)
    }

    /// Carries statements to the server, in as many commands as it takes.
    async fn carry_all<'a>(
        &self,
        statements: Vec<Statement<'a>>,
        call: ChangeId,
        open: &mut Open<'a>,
        answers: &mut Answers,
    ) {
        let mut load = Load::default();
        for statement in statements {
            if load.is_full_for(&statement) {
                self.carry(mem::take(&mut load), call, open, answers).await;
            }
            load.add(statement);
        }
        self.carry(load, call, open, answers).await;
    }

    /// Carries one command to the server, and sees what became of its items.
    async fn carry<'a>(
        &self,
        load: Load<'a>,
        call: ChangeId,
        open: &mut Open<'a>,
        answers: &mut Answers,
    ) {
        let items = load.items();
        if items.is_empty() {
            return;
        }
        let (statements, written) = match self.write(load).await {
            Ok(written) => written,
            Err(failed) => return answers.fail(&items, &failed),
        };
        let mut found = match self.read_back(&items, call).await {
            Ok(found) => found,
            Err(failed) => return answers.fail(&items, &failed),
        };
        let mut seen = Vec::new();
        let mut noted = 0;
        for (place, statement) in statements.iter().enumerate() {
            let refused = written.refused(place);
            for item in &statement.items {
                let found = found.of(*item);
                noted += usize::from(refused.is_none() && found.is_noted());
                seen.push((*item, found, refused, statement.is_shared));
            }
        }
        // Else a record that was changed is removed by now, or others changed it many times.
        let is_all_told = noted >= written.applied;
        for (item, found, refused, is_shared) in seen {
            match (found, refused) {
                (Found::Told(outcome), _) if outcome.is_applied() => {
                    answers.note(item, Ok(*outcome));
                }
                (_, Some(_)) if is_shared => open.refused.push(item),
                // Alone it may pass, or is told who has its external id.
                (_, Some(error)) if error.is_retryable() => open.applicable.push(item),
                (_, Some(error)) => answers.note(item, Err(copy(error))),
                (_, None) if !is_all_told => answers.note(item, Err(perhaps_applied())),
                (Found::Told(outcome), None) => answers.note(item, Ok(*outcome)),
                (Found::Applicable, None) => open.applicable.push(item),
                (Found::Absent, None) if makes_record(item.change) => open.absent.push(item),
                (Found::Absent, None) => answers.note(item, Ok(item.refused_without_record())),
            }
        }
    }

    /// Records with the server's time, after a write that may have changed them.
    pub(crate) async fn read_written(&self, ids: Vec<Document>) -> Result<Vec<RawDocumentBuf>> {
        let records = self.records.clone();
        let read = async move {
            let found = records.find(doc! { "_id": { "$in": ids } }).projection(with_time());
            // One more than there can be: then the server knows that these are all.
            found.batch_size(value::whole_u32(LARGEST + 1)).await?.try_collect().await
        };
        let found = self.run(Effect::Write, read).await;
        found.map_err(|failed| failed.into_error(Effect::Write))
    }

    async fn read_back(&self, items: &[Item<'_>], call: ChangeId) -> Result<ReadBack> {
        let ids: Vec<_> = items.iter().map(|item| value::key(item.key)).collect();
        let mut records = HashMap::new();
        for answer in &self.read_written(ids).await? {
            let (now, document) = timed(answer)?;
            let now = self.clock.explicit_now().unwrap_or(now);
            let (record, arm) = (decode(document)?, noted_arm(document, call));
            records.insert(record.key.clone(), (now, arm, record));
        }
        Ok(ReadBack(records))
    }
}

impl Answers {
    fn to(items: usize) -> Self {
        let mut answers = Vec::new();
        answers.resize_with(items, || None);
        Self(answers)
    }

    fn note(&mut self, item: Item<'_>, outcome: Result<Outcome>) {
        if let Some(place) = self.0.get_mut(item.index) {
            let named =
                |error: Error| error.in_operation("apply many").in_store(STORE).for_key(item.key);
            *place = Some(outcome.map_err(named));
        }
    }

    fn fail(&mut self, items: &[Item<'_>], failed: &Error) {
        for item in items {
            self.note(*item, Err(copy(failed)));
        }
    }

    fn into_list(self) -> Vec<Result<Outcome>> {
        let unanswered =
            || Err(Error::new(ErrorKind::Internal, "an item has no outcome").in_store(STORE));
        self.0.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect()
    }
}

/// Of what no record tells.
fn perhaps_applied() -> Error {
    error::error(ErrorKind::Unknown, "the record was removed or changed before it could be read")
}

/// The same for another item.
fn copy(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string())
}

/// Records after a call: the time of the server, the arm that the call carried out, and the record.
struct ReadBack(HashMap<Key, (Timestamp, Option<u8>, SyncRecord)>);

/// What a record tells of a change.
enum Found {
    Told(Box<Outcome>),
    /// It was not applied, and would be by now.
    Applicable,
    Absent,
}

impl Found {
    /// Whether the record tells that this very call applied the change.
    fn is_noted(&self) -> bool {
        let Self::Told(outcome) = self else { return false };
        matches!(&**outcome, Outcome::Applied(Applied { replayed: false, .. }))
    }
}

impl ReadBack {
    fn of(&mut self, item: Item<'_>) -> Found {
        let Some((now, noted, record)) = self.0.remove(item.key) else { return Found::Absent };
        let told = match noted {
            Some(arm) => Outcome::Applied(Applied { record, arm: Some(arm), replayed: false }),
            None => match item.change.settle(item.key, Some(&record), now, |_| None) {
                Outcome::Applied(Applied { replayed: false, .. }) => return Found::Applicable,
                told => told,
            },
        };
        Found::Told(Box::new(told))
    }
}

impl Item<'_> {
    fn refused_without_record(self) -> Outcome {
        let reason = self.change.explain(self.key, None, Timestamp::MIN);
        Outcome::Refused(Refused { reason, record: None })
    }
}

/// The arm that a call carried out, if the record remembers it.
pub(crate) fn noted_arm(document: &RawDocument, call: ChangeId) -> Option<u8> {
    let calls = document.get_array(BATCH_CALLS).ok()?;
    let mut calls = calls.into_iter().filter_map(|call| call.ok()?.as_document());
    let ours = calls.find(|it| it.get_i64("call").ok() == Some(change_id(call)))?;
    ours.get_i64("arm").ok()?.try_into().ok()
}
