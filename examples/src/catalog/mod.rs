//! Reads the product export of a shop: one CSV file, several rows to a product.
//!
//! Both layouts of the export are understood, the classic one (`Handle`, `Body (HTML)`,
//! `Variant Price`, …) and the newer one (`URL handle`, `Description`, `Price`, …). Columns are
//! found by name, whatever their order; the ones not listed in `columns` are ignored.

mod columns;
mod draft;
mod error;
mod price;
mod product;
mod records;
mod row;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

pub use error::{CatalogError, Problem};
pub use price::Price;
pub use product::{Product, Variant};

use columns::{Columns, Field};
use draft::Draft;
use records::Records;
use row::Row;

/// Reads the products of the file at `path`, in the order in which the file first names them.
pub fn read(path: &Path) -> Result<Vec<Product>, CatalogError> {
    File::open(path).map_err(CatalogError::from).and_then(parse).map_err(|error| error.at(path))
}

/// Reads the products of a CSV text: UTF-8 with or without a byte order mark, lines ended by LF or
/// CRLF.
///
/// The rows of a product are found by its handle and need not be adjacent. A row may end early
/// (spreadsheets drop trailing empty fields), but may not hold more values than the header has
/// columns. The whole text is held in memory while it is read.
pub fn parse(mut reader: impl Read) -> Result<Vec<Product>, CatalogError> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(products(records::decode(&bytes)?)?)
}

fn products(text: &str) -> Result<Vec<Product>, Problem> {
    let mut records = Records::new(text);
    let header = records.next().ok_or(Problem::Empty)??;
    let columns = Arc::new(Columns::of(&header.fields)?);

    let mut drafts: Vec<Draft> = Vec::new();
    let mut by_handle: HashMap<String, usize> = HashMap::new();
    for record in records {
        let row = Row::new(record?, Arc::clone(&columns))?;
        let handle = row.text(Field::Handle).ok_or(Problem::MissingHandle { line: row.line() })?;
        match by_handle.get(handle) {
            Some(&index) => drafts[index].add(&row)?,
            None => {
                by_handle.insert(handle.to_owned(), drafts.len());
                let mut draft = Draft::open(handle, &row)?;
                draft.add(&row)?;
                drafts.push(draft);
            }
        }
    }
    if drafts.is_empty() {
        return Err(Problem::NoProducts);
    }
    Ok(drafts.into_iter().map(Draft::finish).collect())
}
