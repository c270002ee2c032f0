//! The clerk behind the counter: takes one request at a time and decides everything about it.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::events::{EventKind, Outbox};
use super::faults::Faults;
use super::journal::{Journal, Line};
use super::log::{Kind, ShopLog};
use super::schedule::{Blacklist, Schedule};
use super::shelf::{Shelf, Stocked};
use super::watch::{Moment, Watch};

/// What a client asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// With an idempotency key, if one is told.
    Create(Value, Option<String>),
    /// Only if it has this version, if one is told.
    Update(String, Value, Option<u64>),
    /// Only if it has this version, if one is told.
    Delete(String, Option<u64>),
    Get(String),
    Find(String),
    List {
        after: Option<String>,
        size: usize,
    },
}

/// What becomes of a request. By then all that is to be done is done and in the log.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body; null is none.
    pub(super) body: Value,
    pub(super) retry_after: Option<Duration>,
    /// The number of the change, if one was made.
    pub(super) seq: Option<u64>,
    pub(super) delivery: Delivery,
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    AtOnce,
    After(Duration),
    Lost,
}

#[derive(Debug)]
pub(super) struct Clerk {
    throttle: Schedule,
    error: Schedule,
    invalid: Blacklist,
    lost_reply: Schedule,
    slow: Schedule,
    retry_after: Duration,
    slow_by: Duration,
    pub(super) shelf: Shelf,
    log: ShopLog,
    /// What was made under which idempotency key.
    made: HashMap<String, String>,
    /// Where events go, of a shop that tells them. Such a shop also has each
    /// handle once, and honours idempotency keys.
    pub(super) outbox: Option<Outbox>,
    journal: Option<Journal>,
    watch: Watch,
}

impl Clerk {
    pub(super) fn new(faults: &Faults) -> Self {
        Self {
            throttle: Schedule::new(faults.throttle),
            error: Schedule::new(faults.error),
            invalid: Blacklist::new(faults.invalid),
            lost_reply: Schedule::new(faults.lost_reply),
            slow: Schedule::new(faults.slow),
            retry_after: faults.retry_after,
            slow_by: faults.slow_by,
            shelf: Shelf::new(),
            log: ShopLog::default(),
            made: HashMap::new(),
            outbox: None,
            journal: None,
            watch: Watch::default(),
        }
    }

    /// Tells events from now on, and has each handle once.
    pub(super) fn telling(self, outbox: Outbox) -> Self {
        Self { outbox: Some(outbox), ..self }
    }

    /// Keeps the changes in a file, and begins with those that are in it.
    pub(super) fn keeping(mut self, file: &Path) -> io::Result<Self> {
        let (journal, lines) = Journal::open(file)?;
        for line in lines {
            self.make(line).ok_or_else(|| io::Error::other("a change of what is not there"))?;
        }
        self.journal = Some(journal);
        Ok(self)
    }

    /// Tells of each change.
    pub(super) fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    pub(super) fn log(&self) -> &ShopLog {
        &self.log
    }

    pub(super) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Notes that the answer to a change goes out.
    pub(super) fn delivered(&mut self, seq: u64) {
        self.log.delivered(seq);
        self.watch.tell(Moment::Answered, seq);
    }

    /// Does what is asked, or what the faults make of it.
    pub(super) fn serve(&mut self, request: Request) -> Answer {
        self.log.requests += 1;
        if self.throttle.next() {
            self.log.faults.throttled += 1;
            let refused = error(429, None, "too many requests");
            return Answer { retry_after: Some(self.retry_after), ..refused };
        }
        if self.error.next() {
            self.log.faults.errors += 1;
            return error(500, None, "something went wrong here");
        }
        let can_be_lost = matches!(request, Request::Create(..));
        let answer = match request {
            Request::Create(product, key) => self.create(product, key),
            Request::Update(id, product, only_if) => self.update(&id, product, only_if),
            Request::Delete(id, only_if) => self.delete(&id, only_if),
            Request::Get(id) => self.get(&id),
            Request::Find(handle) => self.find(&handle),
            Request::List { after, size } => self.list(after.as_deref(), size),
        };
        let delivery = match answer.status {
            200..300 => self.delivery(can_be_lost),
            _ => Delivery::AtOnce,
        };
        Answer { delivery, ..answer }
    }

    fn create(&mut self, product: Value, key: Option<String>) -> Answer {
        let handle = match self.valid_handle(&product) {
            Ok(handle) => handle,
            Err(refused) => return refused,
        };
        if self.outbox.is_some() {
            if let Some(made) = key.as_ref().and_then(|key| self.made.get(key)) {
                return answer(409, json!({ "taken_by": made, "same_key": true }));
            }
            if let Some(taken) = self.shelf.with_handle(&handle).next() {
                return answer(409, json!({ "taken_by": taken.id, "same_key": false }));
            }
        }
        let id = self.shelf.next_id();
        let line = Line { kind: Kind::Create, id: id.clone(), handle, product };
        let answer = self.change(201, line);
        if let (Some(key), Some(_)) = (key, answer.seq) {
            self.made.insert(key, id);
        }
        answer
    }

    fn update(&mut self, id: &str, product: Value, only_if: Option<u64>) -> Answer {
        let handle = match self.valid_handle(&product) {
            Ok(handle) => handle,
            Err(refused) => return refused,
        };
        if let Err(refused) = self.met(id, only_if) {
            return refused;
        }
        self.change(200, Line { kind: Kind::Update, id: id.to_owned(), handle, product })
    }

    fn delete(&mut self, id: &str, only_if: Option<u64>) -> Answer {
        if let Err(refused) = self.met(id, only_if) {
            return refused;
        }
        let Some(stocked) = self.shelf.get(id) else {
            return not_found();
        };
        let (handle, product) = (stocked.handle.clone(), Value::Null);
        self.change(204, Line { kind: Kind::Delete, id: id.to_owned(), handle, product })
    }

    /// Makes a change of what is there, and writes it down before.
    fn change(&mut self, status: u16, line: Line) -> Answer {
        if let Some(Err(problem)) = self.journal.as_mut().map(|journal| journal.write(&line)) {
            return error(500, None, &format!("cannot write it down: {problem}"));
        }
        let Some((seq, body)) = self.make(line) else {
            return not_found();
        };
        self.watch.tell(Moment::Made, seq);
        Answer { seq: Some(seq), ..answer(status, body) }
    }

    /// Makes a change, if there is what it changes. Gives its number and what to answer.
    fn make(&mut self, line: Line) -> Option<(u64, Value)> {
        let Line { kind, id, handle, product } = line;
        let outbox = self.outbox.as_ref();
        let body = match kind {
            Kind::Create if id != self.shelf.next_id() => return None,
            Kind::Create => {
                let made = self.shelf.add(handle.clone(), product);
                tell(outbox, EventKind::Created, made);
                id_and_version(made)
            }
            Kind::Update => {
                let updated = self.shelf.replace(&id, handle.clone(), product)?;
                tell(outbox, EventKind::Updated, updated);
                id_and_version(updated)
            }
            Kind::Delete => {
                tell(outbox, EventKind::Deleted, self.shelf.remove(&id)?);
                Value::Null
            }
        };
        Some((self.log.accept(kind, &id, &handle), body))
    }

    fn get(&self, id: &str) -> Answer {
        match self.shelf.get(id) {
            Some(stocked) => answer(200, json!(stocked)),
            None => self.gone(id),
        }
    }

    fn list(&self, after: Option<&str>, size: usize) -> Answer {
        let (products, more) = self.shelf.page(after, size);
        let next = products.last().filter(|_| more).map(|last| &last.id);
        answer(200, json!({ "products": products, "next": next }))
    }

    /// Whether the product is there, and has the version that a change was made conditional on.
    fn met(&self, id: &str, only_if: Option<u64>) -> Result<(), Answer> {
        match (self.shelf.get(id), only_if) {
            (None, _) => Err(self.gone(id)),
            (Some(stocked), Some(version)) if stocked.version != version => {
                Err(error(412, None, "has another version"))
            }
            (Some(_), _) => Ok(()),
        }
    }

    fn gone(&self, id: &str) -> Answer {
        match self.shelf.merged_into(id) {
            Some(winner) => answer(410, json!({ "merged_into": winner })),
            None => not_found(),
        }
    }

    fn find(&self, handle: &str) -> Answer {
        let found = self.shelf.with_handle(handle).map(|stocked| {
            json!({ "id": stocked.id, "version": stocked.version, "handle": stocked.handle })
        });
        answer(200, json!({ "products": found.collect::<Vec<_>>() }))
    }

    /// The handle of a product that can be sold, else the refusal.
    fn valid_handle(&mut self, product: &Value) -> Result<String, Answer> {
        for field in ["handle", "title"] {
            if product[field].as_str().is_none_or(str::is_empty) {
                return Err(error(422, Some(field), "is missing"));
            }
        }
        let handle = product["handle"].as_str().unwrap_or_default();
        if self.invalid.has(handle) {
            self.log.faults.invalid += 1;
            return Err(error(422, Some("title"), "is not allowed in this shop"));
        }
        Ok(handle.to_owned())
    }

    fn delivery(&mut self, can_be_lost: bool) -> Delivery {
        if can_be_lost && self.lost_reply.next() {
            self.log.faults.lost_replies += 1;
            Delivery::Lost
        } else if self.slow.next() {
            self.log.faults.slow += 1;
            Delivery::After(self.slow_by)
        } else {
            Delivery::AtOnce
        }
    }
}

fn answer(status: u16, body: Value) -> Answer {
    Answer { status, body, retry_after: None, seq: None, delivery: Delivery::AtOnce }
}

fn tell(outbox: Option<&Outbox>, kind: EventKind, stocked: &Stocked) {
    if let Some(outbox) = outbox {
        outbox.tell(kind, stocked);
    }
}

fn id_and_version(stocked: &Stocked) -> Value {
    json!({ "id": stocked.id, "version": stocked.version })
}

fn not_found() -> Answer {
    error(404, None, "no such product")
}

fn error(status: u16, field: Option<&str>, message: &str) -> Answer {
    answer(status, json!({ "error": { "field": field, "message": message } }))
}
