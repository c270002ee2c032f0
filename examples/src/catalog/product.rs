//! What the catalogue says about a product.

use serde::Serialize;

use super::Price;

/// One product with its variants and pictures. Empty fields of the export are absent here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Product {
    /// The name of the product in addresses; unique in a catalogue.
    pub handle: String,
    /// The name of the product for people.
    pub title: String,
    /// The description, HTML, exactly as exported; empty if there is none.
    pub body_html: String,
    /// Who makes or sells it.
    pub vendor: Option<String>,
    /// Its place in the shop system's own taxonomy.
    pub category: Option<String>,
    /// Its type, in the merchant's words.
    pub product_type: Option<String>,
    /// The tags, in the order of the export.
    pub tags: Vec<String>,
    /// Whether it is shown in the online store.
    pub published: Option<bool>,
    /// `active`, `draft`, `archived`, …: in lower case.
    pub status: Option<String>,
    /// The variants, in the order of the export.
    pub variants: Vec<Variant>,
    /// The addresses of the pictures, by their positions, each once.
    pub images: Vec<String>,
}

/// One thing of a product that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// The merchant's number for it.
    pub sku: Option<String>,
    /// What it costs.
    pub price: Option<Price>,
    /// What it cost before, shown struck through.
    pub compare_at: Option<Price>,
    /// The bar code, as text: leading zeros count.
    pub barcode: Option<String>,
    /// How many there are; below zero when more were sold.
    pub inventory: Option<i64>,
    /// The address of its own picture.
    pub image: Option<String>,
    /// Name and value of each option, such as `Size` and `M`. A product without options exports
    /// the single pair `Title`, `Default Title`.
    pub options: Vec<(String, String)>,
}
