//! Which column of the file holds what.

use std::collections::HashMap;

use csv::StringRecord;

use super::Problem;

/// A field the reader wants, whatever the file calls its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Handle,
    Title,
    Body,
    Vendor,
    Category,
    Type,
    Tags,
    Published,
    Status,
    OptionName(usize),
    OptionValue(usize),
    Sku,
    Barcode,
    Price,
    CompareAt,
    Inventory,
    VariantImage,
    Image,
    ImagePosition,
}

/// How many options a product can have.
pub(super) const OPTIONS: usize = 3;

/// The names of each field's column in lower case, classic layout first. If several are present,
/// the first named here counts.
const NAMES: &[(Field, &[&str])] = &[
    (Field::Handle, &["handle", "url handle"]),
    (Field::Title, &["title"]),
    (Field::Body, &["body (html)", "description"]),
    (Field::Vendor, &["vendor"]),
    (Field::Category, &["product category", "standard product type", "standardized product type"]),
    (Field::Type, &["type", "custom product type"]),
    (Field::Tags, &["tags"]),
    (Field::Published, &["published", "published on online store"]),
    (Field::Status, &["status"]),
    (Field::OptionName(0), &["option1 name"]),
    (Field::OptionName(1), &["option2 name"]),
    (Field::OptionName(2), &["option3 name"]),
    (Field::OptionValue(0), &["option1 value"]),
    (Field::OptionValue(1), &["option2 value"]),
    (Field::OptionValue(2), &["option3 value"]),
    (Field::Sku, &["variant sku", "sku"]),
    (Field::Barcode, &["variant barcode", "barcode"]),
    (Field::Price, &["variant price", "price"]),
    (Field::CompareAt, &["variant compare at price", "compare-at price", "compare at price"]),
    (Field::Inventory, &["variant inventory qty", "inventory quantity"]),
    (Field::VariantImage, &["variant image", "variant image url"]),
    (Field::Image, &["image src", "product image url"]),
    (Field::ImagePosition, &["image position"]),
];

/// The header: where each field is, and what its column is called in this file.
#[derive(Debug)]
pub(super) struct Columns {
    names: Vec<String>,
    places: HashMap<Field, usize>,
}

impl Columns {
    /// Finds the columns in a header, which must name at least the handle and the title.
    pub(super) fn of(header: &StringRecord) -> Result<Self, Problem> {
        let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        let mut places = HashMap::new();
        for &(field, aliases) in NAMES {
            let place = aliases
                .iter()
                .find_map(|alias| names.iter().position(|name| name.eq_ignore_ascii_case(alias)));
            match place {
                Some(place) => {
                    places.insert(field, place);
                }
                None if matches!(field, Field::Handle | Field::Title) => {
                    return Err(Problem::MissingColumn { names: either(aliases) });
                }
                None => {}
            }
        }
        Ok(Self { names, places })
    }

    /// How many columns there are, wanted or not.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The place of a field's column, if the file has it.
    pub(super) fn place(&self, field: Field) -> Option<usize> {
        self.places.get(&field).copied()
    }

    /// The name of a field's column as the file spells it.
    pub(super) fn name(&self, field: Field) -> &str {
        self.place(field).and_then(|place| self.names.get(place)).map_or("", String::as_str)
    }
}

fn either(aliases: &[&str]) -> String {
    aliases.iter().map(|alias| format!("{alias:?}")).collect::<Vec<_>>().join(" or ")
}
