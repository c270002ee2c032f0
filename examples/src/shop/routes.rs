//! The addresses of the shop, and how its answers become HTTP.

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::SharedClerk;
use super::clerk::{Answer, Delivery, Request};

/// In bytes of JSON.
const LARGEST_PRODUCT: usize = 16 << 20;

/// Marks a response that must not be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct LostReply;

/// Marks the response to a change, by the number of the change.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplyTo(pub(super) u64);

pub(super) fn router(clerk: SharedClerk) -> Router {
    Router::new()
        .route("/products", post(create).get(find))
        .route("/products/{id}", get(fetch).put(update).delete(delete))
        .layer(DefaultBodyLimit::max(LARGEST_PRODUCT))
        .with_state(clerk)
}

#[derive(Debug, Deserialize)]
struct ByHandle {
    handle: String,
}

async fn create(State(clerk): State<SharedClerk>, Json(product): Json<Value>) -> Response {
    serve(&clerk, Request::Create(product)).await
}

async fn update(
    State(clerk): State<SharedClerk>,
    Path(id): Path<String>,
    Json(product): Json<Value>,
) -> Response {
    serve(&clerk, Request::Update(id, product)).await
}

async fn delete(State(clerk): State<SharedClerk>, Path(id): Path<String>) -> Response {
    serve(&clerk, Request::Delete(id)).await
}

async fn fetch(State(clerk): State<SharedClerk>, Path(id): Path<String>) -> Response {
    serve(&clerk, Request::Get(id)).await
}

async fn find(
    State(clerk): State<SharedClerk>,
    Query(ByHandle { handle }): Query<ByHandle>,
) -> Response {
    serve(&clerk, Request::Find(handle)).await
}

/// The change is made before anything is awaited: a client that hangs up cannot undo it.
async fn serve(clerk: &SharedClerk, request: Request) -> Response {
    let answer = clerk.lock().serve(request);
    if let Delivery::After(delay) = answer.delivery {
        tokio::time::sleep(delay).await;
    }
    response(answer)
}

fn response(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match answer.body {
        Value::Null => status.into_response(),
        body => (status, Json(body)).into_response(),
    };
    if let Some(wait) = answer.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(seq) = answer.seq {
        response.extensions_mut().insert(ReplyTo(seq));
    }
    if answer.delivery == Delivery::Lost {
        response.extensions_mut().insert(LostReply);
    }
    response
}
