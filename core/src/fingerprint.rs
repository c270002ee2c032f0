//! Fingerprints of content: a hash of its canonical form.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::remote::Fingerprint;

/// Makes fingerprints of content, leaving out what changes without meaning.
///
/// The content becomes JSON in its canonical form: [RFC 8785], but that integers are written
/// exactly, where the standard lets 2^53 and 2^53 + 1 fall together. That is hashed by SHA-256. So
/// neither the order of fields nor `1.0` for `1` makes a difference.
///
/// Both sides have to leave out the same fields, and the tag should change when these do: contents
/// are only compared with fingerprints of the same tag.
///
/// ```
/// use serde_json::json;
/// use sync_tracker_core::Fingerprinter;
///
/// let products = Fingerprinter::new().without_field("updated_at").without("/links/self");
/// let ours = products.of(&json!({ "price": 1, "sku": "a", "updated_at": "today" }))?;
/// let theirs = products.of(&json!({ "sku": "a", "price": 1.0, "links": { "self": "…" } }))?;
/// assert_ne!(ours, theirs, "an empty object is not the same as none");
/// let theirs = products.of(&json!({ "sku": "a", "price": 1.0, "updated_at": null }))?;
/// assert_eq!(ours, theirs);
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
///
/// [RFC 8785]: https://www.rfc-editor.org/rfc/rfc8785
#[derive(Clone, Debug)]
pub struct Fingerprinter {
    tag: Box<str>,
    fields: BTreeSet<Box<str>>,
    pointers: Vec<Box<str>>,
}

impl Fingerprinter {
    /// The deepest content, in levels.
    pub const MAX_DEPTH: usize = 128;

    /// Leaves nothing out, and tags `sha256`.
    #[must_use]
    pub fn new() -> Self {
        Self { tag: "sha256".into(), fields: BTreeSet::new(), pointers: Vec::new() }
    }

    /// Leaves out fields of this name, wherever they are.
    #[must_use]
    pub fn without_field(mut self, name: impl Into<Box<str>>) -> Self {
        self.fields.insert(name.into());
        self
    }

    /// Leaves out the field that this JSON pointer ([RFC 6901]) leads to, if it is there:
    /// `/links/self`. A pointer into an array leaves nothing out.
    ///
    /// [RFC 6901]: https://www.rfc-editor.org/rfc/rfc6901
    #[must_use]
    pub fn without(mut self, pointer: impl Into<Box<str>>) -> Self {
        self.pointers.push(pointer.into());
        self
    }

    /// Tags `sha256-` and this, which names what is left out: `sha256-2`.
    #[must_use]
    pub fn tagged(self, variant: &str) -> Self {
        Self { tag: format!("sha256-{variant}").into(), ..self }
    }

    /// The fingerprint of a content.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the content is no JSON: a map whose
    /// keys are no text, a number that is not finite; if it is nested deeper than 128 levels; or if
    /// the tag is too long or has a colon or control characters.
    pub fn of(&self, content: &(impl Serialize + ?Sized)) -> Result<Fingerprint, Error> {
        let mut content = serde_json::to_value(content).map_err(|error| {
            Error::invalid("content", "is not JSON", "what serde_json can write").caused_by(error)
        })?;
        for pointer in &self.pointers {
            remove(&mut content, pointer);
        }
        let mut canonical = String::new();
        self.write(&mut canonical, &content, 0)?;
        let mut text = format!("{}:", self.tag);
        for byte in Sha256::digest(canonical.as_bytes()) {
            // Writing to text does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        if self.tag.contains(':') {
            return Err(Error::invalid("fingerprint tag", "has a colon", "text without colons"));
        }
        Fingerprint::new(text)
    }

    fn write(&self, to: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > Self::MAX_DEPTH {
            return Err(Error::invalid("content", "is nested too deep", "128 levels"));
        }
        match value {
            Value::Array(items) => {
                to.push('[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        to.push(',');
                    }
                    self.write(to, item, depth + 1)?;
                }
                to.push(']');
            }
            Value::Object(fields) => {
                to.push('{');
                for (number, (name, value)) in self.in_order(fields).into_iter().enumerate() {
                    if number > 0 {
                        to.push(',');
                    }
                    write_text(to, name);
                    to.push(':');
                    self.write(to, value, depth + 1)?;
                }
                to.push('}');
            }
            Value::Number(number) => write_number(to, number),
            Value::String(text) => write_text(to, text),
            Value::Bool(_) | Value::Null => to.push_str(&value.to_string()),
        }
        Ok(())
    }

    /// The fields that count, ordered by their names as UTF-16.
    fn in_order<'a>(&self, fields: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value)> {
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .filter(|(name, _)| !self.fields.contains(*name))
            .collect();
        fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        fields
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

impl Fingerprint {
    /// The fingerprint of a content, with nothing left out; see [`Fingerprinter`].
    ///
    /// # Errors
    ///
    /// As [`Fingerprinter::of`].
    ///
    /// ```
    /// use sync_tracker_core::Fingerprint;
    ///
    /// let large = Fingerprint::of(&9_007_199_254_740_992_u64)?;
    /// assert_ne!(large, Fingerprint::of(&9_007_199_254_740_993_u64)?);
    /// # Ok::<(), sync_tracker_core::Error>(())
    /// ```
    pub fn of(content: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        Fingerprinter::new().of(content)
    }
}

fn remove(content: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    let name = name.replace("~1", "/").replace("~0", "~");
    if let Some(Value::Object(fields)) = content.pointer_mut(parent) {
        fields.remove(&name);
    }
}

/// As JSON.stringify of ECMAScript writes it, which is how serde_json does.
fn write_text(to: &mut String, text: &str) {
    to.push_str(&Value::from(text).to_string());
}

fn write_number(to: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            to.push_str(ryu_js::Buffer::new().format_finite(float));
        }
        _ => to.push_str(&number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(content: &Value) -> String {
        let mut text = String::new();
        Fingerprinter::new().write(&mut text, content, 0).unwrap();
        text
    }

    #[test]
    fn the_example_of_the_standard_is_written_as_there() {
        let content: Value = serde_json::from_str(
            r#"{
                "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
                "literals": [null, true, false]
            }"#,
        )
        .unwrap();
        let expected = concat!(
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        assert_eq!(canonical(&content), expected);
    }

    #[test]
    fn names_are_ordered_as_the_standard_orders_them() {
        let content = json!({
            "\u{20ac}": "Euro Sign",
            "\r": "Carriage Return",
            "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\u{1f600}": "Emoji: Grinning Face",
            "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let text = canonical(&content);
        let places = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
            .map(|word| text.find(word).unwrap());
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn integers_are_exact_and_integral_floats_are_integers() {
        let exact = [
            (json!(9_007_199_254_740_992_i64), "9007199254740992"),
            (json!(9_007_199_254_740_993_i64), "9007199254740993"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(i64::MIN), "-9223372036854775808"),
            (json!(1.0), "1"),
            (json!(-0.0), "0"),
            (json!(1e21), "1e+21"),
            (json!(5e-324), "5e-324"),
        ];
        for (number, written) in exact {
            assert_eq!(canonical(&number), written);
        }
    }

    #[test]
    fn an_empty_array_is_not_an_empty_object_and_null_is_not_nothing() {
        let contents = [json!([]), json!({}), json!(null), json!({ "a": null }), json!("")];
        let prints: BTreeSet<_> =
            contents.iter().map(|content| Fingerprint::of(content).unwrap()).collect();
        assert_eq!(prints.len(), contents.len());
    }

    #[test]
    fn what_is_left_out_makes_no_difference_and_everything_else_does() {
        let products =
            Fingerprinter::new().without_field("at").without("/links/a~1b").without("gone");
        let of = |content: Value| products.of(&content).unwrap();
        let plain = of(json!({ "items": [{ "n": 1 }], "links": {} }));
        assert_eq!(
            plain,
            of(json!({ "items": [{ "n": 1, "at": 5 }], "links": { "a/b": 1 }, "at": 6 }))
        );
        assert_ne!(plain, of(json!({ "items": [{ "n": 1 }], "links": { "a": 1 } })));
        assert_ne!(plain, of(json!({ "items": [{ "n": 2 }], "links": {} })));
    }

    #[test]
    fn the_tag_names_the_algorithm_and_the_variant() {
        let print = Fingerprint::of("").unwrap();
        assert_eq!(
            print.as_str(),
            "sha256:12ae32cb1ec02d01eda3581b127c1fee3b0dc53572ed6baf239721a03d82e126"
        );
        let other = Fingerprinter::new().tagged("2").of("").unwrap();
        assert!(other.as_str().starts_with("sha256-2:12ae"));
        assert!(Fingerprinter::new().tagged("a:b").of("").is_err());
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_invalid() {
        assert!(Fingerprint::of(&std::collections::BTreeMap::from([(vec![1], 2)])).is_err());
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(Fingerprint::of(&nested(Fingerprinter::MAX_DEPTH)).is_ok());
        assert!(Fingerprint::of(&nested(Fingerprinter::MAX_DEPTH + 1)).is_err());
    }
}
