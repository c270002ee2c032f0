//! Webhooks of the shop.

use std::io;
use std::net::Ipv4Addr;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use sync_tracker::{Handled, JsonValue};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{SHOP, TwoWay, TwoWayError, Weakness};
use crate::client::{Seen, State};
use crate::shop::{EventKind, ShopEvent};

/// Receives webhooks over HTTP until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Listens on a free port of this machine.
    pub async fn start(app: TwoWay) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/webhooks", listener.local_addr()?);
        let router = Router::new().route("/webhooks", post(receive)).with_state(app);
        let serving = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, serving })
    }

    /// Where webhooks are to be sent.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A success only if the event is taken in, or was before: else the shop delivers it again.
async fn receive(Shared(app): Shared<TwoWay>, Json(event): Json<ShopEvent>) -> StatusCode {
    match app.receive(event).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => {
            app.tally.note(|tally| tally.put_off += 1);
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl TwoWay {
    async fn receive(&self, event: ShopEvent) -> Result<(), TwoWayError> {
        let key = event.event_id.clone();
        let seen = seen(event);
        if matches!(self.weakness, Some(Weakness::NoInbox | Weakness::NoVersions)) {
            return self.hear(seen).await;
        }
        let handle = || async { self.hear(seen).await.map(|()| JsonValue::default()) };
        match self.inbox.once(SHOP, key, handle).await? {
            Handled::Now(_) => Ok(()),
            Handled::Before(_) => {
                self.tally.note(|tally| tally.duplicates += 1);
                Ok(())
            }
            Handled::Failed(problem) => Err(problem),
            Handled::InProgress { .. } => Err(TwoWayError::Later("another delivery is at it")),
            Handled::Panicked(message) => Err(TwoWayError::Broken(message)),
            Handled::Overtaken => Err(TwoWayError::Later("another delivery took over")),
        }
    }
}

fn seen(event: ShopEvent) -> Seen {
    let ShopEvent { id, version, kind, product, merged_into, .. } = event;
    let state = match (kind, merged_into) {
        (EventKind::Merged, Some(into)) => State::MergedInto(into),
        (EventKind::Deleted | EventKind::Merged, _) => State::Gone,
        (EventKind::Created | EventKind::Updated | EventKind::Restored, _) => State::There(product),
    };
    Seen { id, version, state }
}
