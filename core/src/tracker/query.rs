//! Questions about the records of a source.

use std::future::IntoFuture;

use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::{Map, Value};

use super::{Call, Tracker};
use crate::error::{Error, Result};
use crate::key::{EntityType, Source};
use crate::metadata::Metadata;
use crate::page::{Cursor, Filter, Page, PageSize};
use crate::record::SyncRecord;
use crate::statistics::Statistics;
use crate::status::Status;

impl Tracker {
    /// Asks for records of the source: a page when it is awaited, or all by
    /// [`stream`](Query::stream).
    ///
    /// ```
    /// # use sync_tracker_core::{Status, Tracker};
    /// # use sync_tracker_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::new(MemoryStore::new());
    /// let failed = tracker.query("shopify").entity_type("product").status(Status::Failed).await?;
    /// assert!(failed.records.is_empty() && failed.next.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn query(&self, source: impl TryInto<Source, Error: Into<Error>>) -> Query {
        let source = source.try_into().map_err(Into::into);
        let filter = source.map(|source| Filter { source: Some(source), ..Filter::default() });
        Query {
            tracker: self.clone(),
            filter,
            metadata: Map::new(),
            after: None,
            size: Ok(PageSize::default()),
        }
    }

    /// How the source is doing: counts by type and status, what is due, what waits.
    ///
    /// # Errors
    ///
    /// As the store's [`statistics`](crate::SyncStore::statistics), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn statistics(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Statistics> {
        let source = source.try_into().map_err(Into::into);
        self.store.statistics(&source?).await
    }
}

/// A query of the records of a source, by default of all, 100 a page.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct Query {
    tracker: Tracker,
    filter: Result<Filter>,
    metadata: Map<String, Value>,
    after: Option<Cursor>,
    size: Result<PageSize>,
}

impl Query {
    fn narrowed(mut self, narrow: impl FnOnce(&mut Filter) -> Result<()>) -> Self {
        if let Ok(filter) = &mut self.filter
            && let Err(error) = narrow(filter)
        {
            self.filter = Err(error);
        }
        self
    }

    /// Only entities of this type.
    pub fn entity_type(self, of: impl TryInto<EntityType, Error: Into<Error>>) -> Self {
        self.narrowed(|filter| {
            filter.entity_type = Some(of.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Only records in this status.
    pub fn status(self, status: Status) -> Self {
        self.narrowed(|filter| {
            filter.status = Some(status);
            Ok(())
        })
    }

    /// Only records that are due: what needs to be synced now.
    pub fn due(self) -> Self {
        self.narrowed(|filter| {
            filter.due = Some(true);
            Ok(())
        })
    }

    /// Only records whose metadata has this value under this top-level key. Said several times,
    /// all of them.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Only what comes after this cursor of an earlier page.
    pub fn after(self, cursor: Cursor) -> Self {
        Self { after: Some(cursor), ..self }
    }

    /// At most this many records a page: 1 to 1,000.
    pub fn page_size(self, records: usize) -> Self {
        Self { size: PageSize::new(records), ..self }
    }

    fn filter(&mut self) -> Result<Filter> {
        let mut filter = std::mem::replace(&mut self.filter, Ok(Filter::default()))?;
        if !self.metadata.is_empty() {
            let wanted = Value::Object(std::mem::take(&mut self.metadata));
            filter.metadata = Some(Metadata::new(wanted)?);
        }
        Ok(filter)
    }

    /// Every record, page after page, ordered by key. What does not change while the stream runs is
    /// on it exactly once.
    #[must_use]
    pub fn stream(mut self) -> BoxStream<'static, Result<SyncRecord>> {
        let filter = self.filter();
        let Self { tracker, after, size, .. } = self;
        let begin = filter.and_then(|filter| Ok((filter, size?)));
        let begin = begin.map(|(filter, size)| Some((filter, size, after)));
        let pages = stream::try_unfold((tracker, begin), |(tracker, next)| async move {
            let Some((filter, size, after)) = next? else { return Ok(None) };
            let page = tracker.store.list(&filter, after.as_ref(), size).await?;
            let next = page.next.map(|cursor| (filter, size, Some(cursor)));
            let records = stream::iter(page.records.into_iter().map(Ok));
            Ok(Some((records, (tracker, Ok(next)))))
        });
        pages
            .flat_map(|page: Result<_>| match page {
                Ok(records) => records.boxed(),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            })
            .boxed()
    }
}

impl IntoFuture for Query {
    type Output = Result<Page>;
    type IntoFuture = Call<'static, Page>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            let filter = self.filter()?;
            self.tracker.store.list(&filter, self.after.as_ref(), self.size?).await
        })
    }
}
