//! A product while its rows are coming in.

use super::columns::{Field, OPTIONS};
use super::row::Row;
use super::{Problem, Product, Variant};

/// What is about the product itself comes from its first row; each row may add a variant, a
/// picture, or both.
pub(super) struct Draft {
    product: Product,
    option_names: [Option<String>; OPTIONS],
    /// The values of each variant's options, in step with the product's variants.
    option_values: Vec<[Option<String>; OPTIONS]>,
    /// Each picture with its position; those without one come last.
    images: Vec<(i64, String)>,
}

impl Draft {
    /// Starts a product from its first row, which must have a title.
    pub(super) fn open(handle: &str, row: &Row) -> Result<Self, Problem> {
        let title = row
            .owned(Field::Title)
            .ok_or_else(|| Problem::MissingTitle { line: row.line(), handle: handle.to_owned() })?;
        let product = Product {
            handle: handle.to_owned(),
            title,
            body_html: row.exact(Field::Body).to_owned(),
            vendor: row.owned(Field::Vendor),
            category: row.owned(Field::Category),
            product_type: row.owned(Field::Type),
            tags: tags(row.exact(Field::Tags)),
            published: row.yes_or_no(Field::Published),
            status: row.text(Field::Status).map(str::to_lowercase),
            variants: Vec::new(),
            images: Vec::new(),
        };
        Ok(Self {
            product,
            option_names: Default::default(),
            option_values: Vec::new(),
            images: Vec::new(),
        })
    }

    /// Takes the variant and the picture of a row, the product's first one included.
    pub(super) fn add(&mut self, row: &Row) -> Result<(), Problem> {
        for (index, name) in self.option_names.iter_mut().enumerate() {
            if name.is_none() {
                *name = row.owned(Field::OptionName(index));
            }
        }
        if has_variant(row) {
            self.product.variants.push(variant(row)?);
            self.option_values.push(option_values(row));
        }
        if let Some(address) = row.owned(Field::Image) {
            let position = row.whole_number(Field::ImagePosition).unwrap_or(i64::MAX);
            if self.images.iter().all(|(_, known)| *known != address) {
                self.images.push((position, address));
            }
        }
        Ok(())
    }

    /// The product, once all its rows are in: option names may be given after the first variant.
    pub(super) fn finish(mut self) -> Product {
        for (variant, values) in self.product.variants.iter_mut().zip(self.option_values) {
            let pairs = self.option_names.iter().zip(values).enumerate();
            variant.options = pairs
                .filter_map(|(index, (name, value))| {
                    let name = name.clone().unwrap_or_else(|| format!("Option {}", index + 1));
                    value.map(|value| (name, value))
                })
                .collect();
        }
        self.images.sort_by_key(|(position, _)| *position);
        self.product.images = self.images.into_iter().map(|(_, address)| address).collect();
        self.product
    }
}

/// A row without any of these only adds a picture.
fn has_variant(row: &Row) -> bool {
    let own = [Field::Sku, Field::Price, Field::CompareAt, Field::Barcode];
    let options = (0..OPTIONS).map(Field::OptionValue);
    own.into_iter().chain(options).any(|field| row.text(field).is_some())
}

fn variant(row: &Row) -> Result<Variant, Problem> {
    Ok(Variant {
        sku: row.owned(Field::Sku),
        price: row.price(Field::Price)?,
        compare_at: row.price(Field::CompareAt)?,
        barcode: row.owned(Field::Barcode),
        inventory: row.whole_number(Field::Inventory),
        image: row.owned(Field::VariantImage),
        options: Vec::new(),
    })
}

fn option_values(row: &Row) -> [Option<String>; OPTIONS] {
    std::array::from_fn(|index| row.owned(Field::OptionValue(index)))
}

fn tags(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}
