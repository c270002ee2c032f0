//! Talks to the shop over HTTP, and never sends a request twice by itself.

mod error;
mod failure;
mod read;
#[cfg(test)]
mod retry_tests;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::header::{IF_MATCH, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use error::ShopError;
pub use read::{Listing, Seen, State};

/// A client of one shop. Clones share their connections.
#[derive(Debug, Clone)]
pub struct ShopClient {
    http: Client,
    products: Url,
    listing: Url,
}

/// A product as the shop names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Remote {
    /// The shop's id for the product: opaque.
    pub id: String,
    /// Grows with each update.
    pub version: u64,
}

#[derive(Deserialize)]
struct Found {
    products: Vec<Remote>,
}

#[derive(Deserialize)]
struct Refusal {
    error: Refused,
}

#[derive(Deserialize)]
struct Taken {
    taken_by: String,
    same_key: bool,
}

#[derive(Deserialize)]
struct Merged {
    merged_into: String,
}

#[derive(Default, Deserialize)]
struct Refused {
    field: Option<String>,
    message: Option<String>,
}

impl ShopClient {
    /// A client of the shop at `base_url`. Each request may take as long as `timeout`, its answer
    /// included.
    ///
    /// Nothing is sent again without the caller's knowledge: retries and redirects are off. One
    /// repeat is left to the connection pool and does no harm: a request that was queued on a
    /// reused connection, and of which not a byte was written when that connection closed, goes
    /// out on a new one.
    pub fn new(base_url: &str, timeout: Duration) -> Result<Self, ShopError> {
        let setup = |reason: String| ShopError::Setup { reason };
        let mut products = Url::parse(base_url).map_err(|error| setup(error.to_string()))?;
        products
            .path_segments_mut()
            .map_err(|()| setup(format!("{base_url:?} is not the address of a shop")))?
            .pop_if_empty()
            .push("products");
        let mut listing = products.clone();
        if let Ok(mut path) = listing.path_segments_mut() {
            path.pop().push("listing");
        }
        let http = Client::builder()
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .build()
            .map_err(|error| setup(error.to_string()))?;
        Ok(Self { http, products, listing })
    }

    /// Makes a product. To do this twice is to have it twice: after [`ShopError::NoAnswer`], look
    /// with [`find`](Self::find) first, unless the shop has each handle once.
    pub async fn create(&self, product: &(impl Serialize + Sync)) -> Result<Remote, ShopError> {
        let request = self.http.post(self.products.clone()).json(product);
        read(send(request).await?).await
    }

    /// Makes a product, once for each key, of a shop that honours these: sent again, it is
    /// [`ShopError::Taken`] by what was made at first, even if that is gone by now.
    pub async fn create_once(
        &self,
        key: Uuid,
        product: &(impl Serialize + Sync),
    ) -> Result<Remote, ShopError> {
        let request = self.http.post(self.products.clone()).json(product);
        read(send(request.header("Idempotency-Key", key.to_string())).await?).await
    }

    /// Replaces a product.
    pub async fn update(
        &self,
        id: &str,
        product: &(impl Serialize + Sync),
    ) -> Result<Remote, ShopError> {
        read(send(self.one(Method::PUT, id).json(product)).await?).await
    }

    /// Replaces a product if it has this version, else [`ShopError::Moved`].
    pub async fn update_if(
        &self,
        id: &str,
        version: u64,
        product: &(impl Serialize + Sync),
    ) -> Result<Remote, ShopError> {
        let request = self.one(Method::PUT, id).header(IF_MATCH, format!("\"{version}\""));
        read(send(request.json(product)).await?).await
    }

    /// Removes a product.
    pub async fn delete(&self, id: &str) -> Result<(), ShopError> {
        send(self.one(Method::DELETE, id)).await.map(drop)
    }

    /// Removes a product if it has this version, else [`ShopError::Moved`].
    pub async fn delete_if(&self, id: &str, version: u64) -> Result<(), ShopError> {
        let request = self.one(Method::DELETE, id).header(IF_MATCH, format!("\"{version}\""));
        send(request).await.map(drop)
    }

    /// The product with this handle; if there are several, the one whose id sorts first.
    pub async fn find(&self, handle: &str) -> Result<Option<Remote>, ShopError> {
        let mut url = self.products.clone();
        url.query_pairs_mut().append_pair("handle", handle);
        let found: Found = read(send(self.http.get(url)).await?).await?;
        Ok(found.products.into_iter().min_by(|a, b| a.id.cmp(&b.id)))
    }

    fn one(&self, method: Method, id: &str) -> RequestBuilder {
        let mut url = self.products.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(id);
        }
        self.http.request(method, url)
    }
}

/// Sends a request once. The response is a success, its body not yet read.
async fn send(request: RequestBuilder) -> Result<Response, ShopError> {
    let response = request.send().await.map_err(|error| ShopError::from_transport(&error))?;
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::TOO_MANY_REQUESTS => {
            Err(ShopError::Throttled { retry_after: retry_after(&response) })
        }
        StatusCode::UNPROCESSABLE_ENTITY => Err(invalid(response).await),
        StatusCode::NOT_FOUND => Err(ShopError::NotFound),
        StatusCode::PRECONDITION_FAILED => Err(ShopError::Moved),
        StatusCode::CONFLICT => {
            let Taken { taken_by, same_key } = read(response).await?;
            Err(ShopError::Taken { by: taken_by, same_key })
        }
        StatusCode::GONE => {
            let Merged { merged_into } = read(response).await?;
            Err(ShopError::Merged { into: merged_into })
        }
        status if status.is_server_error() => Err(ShopError::Server { status: status.as_u16() }),
        status => Err(ShopError::Rejected { status: status.as_u16() }),
    }
}

/// A success that cannot be read tells no more than silence does.
async fn read<T: for<'de> Deserialize<'de>>(response: Response) -> Result<T, ShopError> {
    response.json().await.map_err(|error| ShopError::from_transport(&error))
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The status alone says that the product was refused; the reason is told if it arrives.
async fn invalid(response: Response) -> ShopError {
    let refused =
        response.json::<Refusal>().await.map_or_else(|_| Refused::default(), |it| it.error);
    ShopError::Invalid {
        field: refused.field.unwrap_or_default(),
        message: refused.message.unwrap_or_default(),
    }
}
