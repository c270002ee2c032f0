//! The catalogue, as a person edits it between the starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;
use sync_tracker_examples::catalog;

/// Handles, and the price of each.
#[derive(Default)]
pub(crate) struct Catalogue(BTreeMap<String, u32>);

impl Catalogue {
    /// So many products are new, and so many others get another price.
    pub(crate) fn grow(&mut self, new: usize, changed: usize, rng: &mut StdRng) {
        let known = self.0.len();
        for _ in 0..changed.min(known) {
            let at = rng.random_range(0..known);
            if let Some(price) = self.0.values_mut().nth(at) {
                *price += 1;
            }
        }
        self.0.extend((known..known + new).map(|at| (format!("product-{at:05}"), 1)));
    }

    pub(crate) fn write(&self, file: &Path) {
        let mut csv = "Handle,Title,Variant Price\n".to_owned();
        for (handle, price) in &self.0 {
            writeln!(csv, "{handle},The {handle},{price}.00").expect("text");
        }
        fs::write(file, csv).expect("written");
    }

    /// What the shop should have, by handle.
    pub(crate) fn products(&self, file: &Path) -> Vec<(String, Value)> {
        let products = catalog::read(file).expect("read");
        assert_eq!(products.len(), self.0.len());
        let content = |product| serde_json::to_value(product).expect("JSON");
        products.iter().map(|product| (product.handle.clone(), content(product))).collect()
    }
}
