//! Pausing sources.

use std::future::IntoFuture;
use std::time::Duration;

use super::{Call, Tracker};
use crate::error::{Error, Result};
use crate::events::Event;
use crate::key::Source;
use crate::pause::{Pause, PauseReason, PauseRequest};
use crate::time::Millis;

impl Tracker {
    /// Pauses the source: no worker is granted its records, until it is resumed or the pause is
    /// over. Leases that were granted run on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sync_tracker_core::Tracker;
    /// # use sync_tracker_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::new(MemoryStore::new());
    /// tracker.pause("shopify").lasting(Duration::from_secs(60)).because("maintenance").await?;
    /// assert!(tracker.paused("shopify").await?.is_some());
    /// tracker.resume("shopify").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self, source: impl TryInto<Source, Error: Into<Error>>) -> PauseSource {
        let source = source.try_into().map_err(Into::into);
        PauseSource { tracker: self.clone(), source, lasting: None, reason: PauseReason::default() }
    }

    /// Ends the pause of the source.
    ///
    /// # Errors
    ///
    /// As the store's [`resume`](crate::SyncStore::resume), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn resume(&self, source: impl TryInto<Source, Error: Into<Error>>) -> Result<()> {
        let source = source.try_into().map_err(Into::into);
        let source = source?;
        self.store.resume(&source).await?;
        self.events.tell(|| Event::Resumed(source));
        Ok(())
    }

    /// The pause of the source, if it lasts.
    ///
    /// # Errors
    ///
    /// As the store's [`paused`](crate::SyncStore::paused), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn paused(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Option<Pause>> {
        let source = source.try_into().map_err(Into::into);
        self.store.paused(&source?).await
    }
}

/// A pause to be begun, by default without end.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct PauseSource {
    tracker: Tracker,
    source: Result<Source>,
    lasting: Option<Duration>,
    reason: PauseReason,
}

impl PauseSource {
    /// For this long from now, by the store's clock: at most 3,650 days.
    pub fn lasting(self, span: Duration) -> Self {
        Self { lasting: Some(span), ..self }
    }

    /// Why, for people: up to 1 KiB.
    pub fn because(self, reason: impl AsRef<str>) -> Self {
        Self { reason: PauseReason::new(reason), ..self }
    }
}

impl IntoFuture for PauseSource {
    type Output = Result<()>;
    type IntoFuture = Call<'static, ()>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { tracker, source, lasting, reason } = self;
        Box::pin(async move {
            let (source, span) = (source?, lasting.map(Millis::try_from).transpose()?);
            tracker.store.pause(&source, &PauseRequest { span, reason }).await?;
            tracker.events.tell(|| Event::Paused(source));
            Ok(())
        })
    }
}
