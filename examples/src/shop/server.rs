//! The connections of the shop. Each is served by hand, because a reply can only be lost here.

use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::SharedClerk;
use super::routes::{LostReply, ReplyTo, router};

/// How long requests in progress may take once the shop is closing.
const LAST_ORDERS: Duration = Duration::from_secs(1);

/// Makes hyper close a connection without having written a byte of the answer.
#[derive(Debug, Error)]
#[error("the reply was lost on purpose")]
struct ReplyLost;

/// Serves all who come until `closed` resolves, be it that its sender is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    clerk: SharedClerk,
    mut closed: oneshot::Receiver<()>,
) {
    let router = router(clerk.clone());
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let served = connection(stream, router.clone(), clerk.clone());
                    connections.spawn(graceful.watch(served));
                }
                // Out of file descriptors, or a client gone before its turn.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = &mut closed => break,
        }
    }
    drop(listener);
    // What is left after that is aborted with the set.
    let _ = tokio::time::timeout(LAST_ORDERS, graceful.shutdown()).await;
}

/// One connection, kept alive over any number of requests.
fn connection(
    stream: TcpStream,
    router: Router,
    clerk: SharedClerk,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    // A small answer need not wait for company; where this cannot be set it is only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answered = router.clone().oneshot(request);
        let clerk = clerk.clone();
        async move {
            let Ok(response) = answered.await;
            deliver(response, &clerk)
        }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service)
}

fn deliver(response: Response, clerk: &SharedClerk) -> Result<Response, ReplyLost> {
    if response.extensions().get::<LostReply>().is_some() {
        return Err(ReplyLost);
    }
    if let Some(&ReplyTo(seq)) = response.extensions().get() {
        clerk.lock().delivered(seq);
    }
    Ok(response)
}
