//! A memory store whose calls fail as they are told.

#![allow(dead_code)] // not every test needs every fault

use std::collections::VecDeque;
use std::future;
use std::sync::Mutex;

use async_trait::async_trait;
use sync_tracker_core::{
    Change, Cursor, EntityType, Error, ErrorKind, ExternalId, Filter, Guard, Imported, Key,
    Outcome, Page, PageSize, Removal, Result, Source, SyncRecord, SyncStore,
};
use sync_tracker_memory::MemoryStore;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Nothing was done.
    NotDone(ErrorKind),
    /// It was done, and the reply was lost.
    Done(ErrorKind),
    /// It is done, and never answered.
    Hangs,
}

/// A memory store whose calls fail by plan.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) store: MemoryStore,
    pub(crate) plan: Mutex<VecDeque<Fault>>,
}

impl Faulty {
    pub(crate) fn new(plan: impl IntoIterator<Item = Fault>) -> Self {
        Self { store: MemoryStore::new(), plan: Mutex::new(plan.into_iter().collect()) }
    }

    async fn call<T>(&self, done: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let fault = self.plan.lock().unwrap().pop_front();
        match fault {
            None | Some(Fault::None) => done.await,
            Some(Fault::NotDone(kind)) => Err(Error::new(kind, "not done")),
            Some(Fault::Done(kind)) => {
                done.await?;
                Err(Error::new(kind, "done"))
            }
            Some(Fault::Hangs) => {
                done.await?;
                future::pending().await
            }
        }
    }
}

#[async_trait]
impl SyncStore for Faulty {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        self.call(self.store.apply(key, change)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        self.call(self.store.get(key)).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        self.call(self.store.by_external_id(source, entity_type, id)).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        self.call(self.store.list(filter, after, size)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.call(self.store.put(record)).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        self.call(self.store.remove(key, guard)).await
    }
}
