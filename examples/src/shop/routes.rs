//! The addresses of the shop, and how its answers become HTTP.

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::SharedClerk;
use super::clerk::{Answer, Delivery, Request};

/// In bytes of JSON.
const LARGEST_PRODUCT: usize = 16 << 20;

/// The header that tells a create from every other, and is the same when it is sent again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// In products.
const LARGEST_PAGE: usize = 250;

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
        .route("/listing", get(list))
        .layer(DefaultBodyLimit::max(LARGEST_PRODUCT))
        .with_state(clerk)
}

#[derive(Debug, Deserialize)]
struct ByHandle {
    handle: String,
}

async fn create(
    State(clerk): State<SharedClerk>,
    headers: HeaderMap,
    Json(product): Json<Value>,
) -> Response {
    let key = headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).map(str::to_owned);
    serve(&clerk, Request::Create(product, key)).await
}

async fn update(
    State(clerk): State<SharedClerk>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(product): Json<Value>,
) -> Response {
    match only_if(&headers) {
        Ok(version) => serve(&clerk, Request::Update(id, product, version)).await,
        Err(BadTag) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn delete(
    State(clerk): State<SharedClerk>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match only_if(&headers) {
        Ok(version) => serve(&clerk, Request::Delete(id, version)).await,
        Err(BadTag) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// An `If-Match` that is no tag of this shop's.
struct BadTag;

/// The version in `If-Match: "3"`, if the header is there.
fn only_if(headers: &HeaderMap) -> Result<Option<u64>, BadTag> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = tag.to_str().map_err(|_| BadTag)?;
    let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or(BadTag)?;
    version.parse().map(Some).map_err(|_| BadTag)
}

#[derive(Debug, Deserialize)]
struct Page {
    after: Option<String>,
    size: usize,
}

async fn list(
    State(clerk): State<SharedClerk>,
    Query(Page { after, size }): Query<Page>,
) -> Response {
    serve(&clerk, Request::List { after, size: size.clamp(1, LARGEST_PAGE) }).await
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
