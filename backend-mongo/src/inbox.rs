//! The inbox: one document for each message, one command for each call.
//!
//! Translates `InboxEntry` of core. What a call did follows from the document as it leaves it.

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, bson, doc};
use mongodb::options::ReturnDocument;
use sync_tracker_core::{
    BeginInbox, Begun, Error, ErrorKind, InboxStore, JsonValue, Millis, Result, Settled, Source,
    Ticket, Timestamp, Token,
};

use crate::error::{self, Effect, STORE, unexpected};
use crate::expression::{
    Now, all, any, cond, equal, greater, highest, literal, lowest, or_else, plus, switch,
};
use crate::store::{MongoStore, named};
use crate::value::{change_id, whole};

const BEGUN: &str = "begun";
const ABANDONED: &str = "abandoned";
const COMPLETED: &str = "completed";

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl InboxStore for MongoStore {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        let id = of_message(request.source(), request.key().as_str());
        let update = begin(request, self.now_of_call());
        let left = self.step(Entries::Inbox, id, update, true).await.map_err(named("begin"))?;
        let left = left.ok_or_else(unexpected).map_err(named("begin"))?;
        begun(&left, request).map_err(named("begin"))
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let set = doc! {
            "state": COMPLETED,
            "outcome": literal(outcome.as_value().to_string()),
            "until": self.now_of_call().plus_millis(remember_for),
        };
        self.settle(ticket, COMPLETED, set).await.map_err(named("complete"))
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        let set = doc! { "state": ABANDONED };
        self.settle(ticket, ABANDONED, set).await.map_err(named("abandon"))
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        let now = self.now_of_call().expression();
        let until = bson!({ "$subtract": [now, Bson::Int64(whole(grace.get()))] });
        let expired = doc! {
            "_id.source": source.as_str(),
            "until": { "$type": "date" },
            "$expr": { "$lt": ["$until", until] },
        };
        let inbox = self.inbox.clone();
        let delete = async move { inbox.delete_many(expired).await };
        let deleted = self.run(Effect::Write, delete).await;
        let deleted = deleted.map_err(|failed| failed.into_error(Effect::Write));
        Ok(deleted.map_err(named("forget expired"))?.deleted_count)
    }
}

impl MongoStore {
    async fn settle(&self, ticket: &Ticket, state: &str, set: Document) -> Result<Settled> {
        let token = whole(ticket.token.get());
        let is_ours = all(vec![
            equal("$token".into(), Bson::Int64(token)),
            equal("$state".into(), BEGUN.into()),
        ]);
        let changed = bson!({ "$mergeObjects": ["$$ROOT", set] });
        let update = vec![doc! { "$replaceWith": cond(is_ours, changed, "$$ROOT".into()) }];
        let id = of_message(&ticket.source, ticket.key.as_str());
        let left = self.step(Entries::Inbox, id, update, false).await?;
        let is_settled = left.is_some_and(|left| {
            left.get_i64("token").ok() == Some(token) && left.get_str("state").ok() == Some(state)
        });
        Ok(if is_settled { Settled::Done } else { Settled::Lost })
    }

    /// Changes one entry, and gives it as it is then; nothing if there is none.
    pub(crate) async fn step(
        &self,
        entries: Entries,
        id: Document,
        update: Vec<Document>,
        may_create: bool,
    ) -> Result<Option<Document>> {
        for _ in 0..TRIES {
            let collection = match entries {
                Entries::Inbox => self.inbox.clone(),
                Entries::Checkpoints => self.checkpoints.clone(),
                Entries::Pauses => self.pauses.clone(),
            };
            let (id, update) = (id.clone(), update.clone());
            let step = async move {
                collection
                    .find_one_and_update(doc! { "_id": id }, update)
                    .upsert(may_create)
                    .return_document(ReturnDocument::After)
                    .await
            };
            match self.run(Effect::Write, step).await {
                Ok(left) => return Ok(left),
                Err(failed) if failed.is_duplicate() => {}
                Err(failed) => return Err(failed.into_error(Effect::Write)),
            }
        }
        Err(error::contended())
    }
}

/// How often an entry is to be made that others make at the same time.
const TRIES: u32 = 8;

/// Where an entry is.
#[derive(Clone, Copy)]
pub(crate) enum Entries {
    Inbox,
    Checkpoints,
    Pauses,
}

fn of_message(source: &Source, key: &str) -> Document {
    doc! { "source": source.as_str(), "key": key }
}

/// Translates `InboxEntry::begin`.
fn begin(request: &BeginInbox, now: Now) -> Vec<Document> {
    let id = Bson::Int64(change_id(request.id()));
    let lease_ends = now.plus_millis(request.lease());
    let is = |state: &str| equal("$state".into(), state.into());
    let by_this_call = equal("$begun_by".into(), id.clone());
    let lasts = greater("$until".into(), now.expression());
    let is_repeated = all(vec![is(BEGUN), by_this_call.clone()]);
    let is_taken = all(vec![
        lasts,
        any(vec![is(BEGUN), is(COMPLETED), all(vec![is(ABANDONED), by_this_call])]),
    ]);
    let renewed = bson!({ "$mergeObjects": [
        "$$ROOT",
        { "until": highest("$until".into(), lease_ends.clone()) },
    ] });
    let micros = bson!({ "$multiply": [now.millis(), Bson::Int64(1_000)] });
    let least = lowest(highest(micros, Bson::Int64(0)), Bson::Int64(whole(Token::MAX.get())));
    let next = plus(or_else("$token".into(), Bson::Int64(0)), 1);
    let granted = bson!({
        "_id": "$_id",
        "token": highest(next, least),
        "begun_by": id,
        "until": lease_ends,
        "state": BEGUN,
        "outcome": Bson::Null,
    });
    let cases = vec![(is_repeated, renewed), (is_taken, "$$ROOT".into())];
    vec![doc! { "$replaceWith": switch(cases, granted) }]
}

fn begun(left: &Document, request: &BeginInbox) -> Result<Begun> {
    let state = left.get_str("state").map_err(|_| corrupt())?;
    let until = left.get_datetime("until").map_err(|_| corrupt())?;
    let until = Timestamp::from_millis(until.timestamp_millis())?;
    if state == COMPLETED {
        return Ok(Begun::Done(json(left.get_str("outcome").map_err(|_| corrupt())?)?));
    }
    let by_this_call = left.get_i64("begun_by").ok() == Some(change_id(request.id()));
    if state != BEGUN || !by_this_call {
        return Ok(Begun::InProgress { until });
    }
    let token = left.get_i64("token").map_err(|_| corrupt())?;
    Ok(Begun::Fresh(Ticket {
        source: request.source().clone(),
        key: request.key().clone(),
        token: Token::new(token.try_into().map_err(|_| corrupt())?)?,
    }))
}

pub(crate) fn corrupt() -> Error {
    error::error(ErrorKind::Corrupt, "an entry does not decode")
}

/// JSON as it was written.
pub(crate) fn json(text: &str) -> Result<JsonValue> {
    serde_json::from_str(text).map_err(|cause| {
        Error::new(ErrorKind::Corrupt, "a value is not JSON").in_store(STORE).caused_by(cause)
    })
}
