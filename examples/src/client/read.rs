//! Reading products, one and all.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{ShopClient, ShopError, read, send};

/// What was seen of a product of the shop.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The shop's id for it.
    pub id: String,
    /// Its version, or that of its removal, if the shop tells it.
    pub version: Option<u64>,
    /// What is there.
    pub state: State,
}

/// What is there of a product.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The product, unless only its existence was told.
    There(Option<Value>),
    /// Nothing.
    Gone,
    /// It was merged into the product with this id.
    MergedInto(String),
}

/// A page of all products.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The products, in the order of their ids.
    pub products: Vec<Seen>,
    /// Where the next page begins; none after the last one.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    version: u64,
    product: Value,
}

impl From<Listed> for Seen {
    fn from(Listed { id, version, product }: Listed) -> Self {
        Self { id, version: Some(version), state: State::There(Some(product)) }
    }
}

#[derive(Deserialize)]
struct Page {
    products: Vec<Listed>,
    next: Option<String>,
}

impl ShopClient {
    /// The product as it is now.
    pub async fn look(&self, id: &str) -> Result<Seen, ShopError> {
        let gone = |state| Seen { id: id.to_owned(), version: None, state };
        match send(self.one(Method::GET, id)).await {
            Ok(response) => read::<Listed>(response).await.map(Seen::from),
            Err(ShopError::NotFound) => Ok(gone(State::Gone)),
            Err(ShopError::Merged { into }) => Ok(gone(State::MergedInto(into))),
            Err(problem) => Err(problem),
        }
    }

    /// A page of all products: from the beginning, or after a page that was read.
    pub async fn list(&self, after: Option<&str>, size: usize) -> Result<Listing, ShopError> {
        let mut url = self.listing.clone();
        url.query_pairs_mut().append_pair("size", &size.to_string());
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        let Page { products, next } = read(send(self.http.get(url)).await?).await?;
        Ok(Listing { products: products.into_iter().map(Seen::from).collect(), next })
    }
}
