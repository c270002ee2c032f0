//! What the reader accepts, and what it says about the rest.

use super::*;

const CLASSIC: &str = "Handle,Title,Body (HTML),Vendor,Standard Product Type,Custom Product Type,\
    Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,\
    Variant Grams,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Barcode,\
    Image Src,Image Position,Variant Image,Status";
const NEWER: &str = "Title,URL handle,Description,Vendor,Product category,Type,Tags,\
    Published on online store,Status,SKU,Barcode,Option1 name,Option1 value,Option1 Linked To,\
    Option2 name,Option2 value,Option2 Linked To,Price,Compare-at price,Inventory quantity,\
    Product image URL,Image position,Variant image URL";

fn accepted(csv: &str) -> Vec<Product> {
    parse(csv.as_bytes()).unwrap()
}

fn refused(csv: &str) -> String {
    let message = parse(csv.as_bytes()).unwrap_err().to_string();
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn both_layouts_of_the_export_say_the_same() {
    let classic = format!(
        "{CLASSIC}\n\
         cup,Cup,<b>Hot</b>,Kiln,Home > Cups,Cups,\"a, b\",true,Size,S,Glaze,Matt,C-1,300,4,9.5,\
         12,0123,http://x/2.png,2,http://x/v.png,active\n\
         cup,,,,,,,,,L,,Gloss,C-2,400,-1,11,,,http://x/1.png,1,,\n"
    );
    let newer = format!(
        "{NEWER}\n\
         Cup,cup,<b>Hot</b>,Kiln,Home > Cups,Cups,\"a, b\",TRUE,Active,C-1,0123,Size,S,,Glaze,\
         Matt,,9.50,12.00,4,http://x/2.png,2,http://x/v.png\n\
         ,cup,,,,,,,,C-2,,,L,,,Gloss,,11.00,,-1,http://x/1.png,1,\n"
    );
    let products = accepted(&classic);
    assert_eq!(products, accepted(&newer));

    let [cup] = products.as_slice() else { panic!("one product: {products:?}") };
    assert_eq!((cup.handle.as_str(), cup.title.as_str()), ("cup", "Cup"));
    assert_eq!(cup.body_html, "<b>Hot</b>");
    assert_eq!(cup.vendor.as_deref(), Some("Kiln"));
    assert_eq!(cup.category.as_deref(), Some("Home > Cups"));
    assert_eq!(cup.product_type.as_deref(), Some("Cups"));
    assert_eq!(cup.tags, ["a", "b"]);
    assert_eq!((cup.published, cup.status.as_deref()), (Some(true), Some("active")));
    assert_eq!(cup.images, ["http://x/1.png", "http://x/2.png"]);
    let [small, large] = cup.variants.as_slice() else { panic!("two variants: {cup:?}") };
    assert_eq!(small.sku.as_deref(), Some("C-1"));
    assert_eq!(small.barcode.as_deref(), Some("0123"));
    assert_eq!(small.price.as_ref().map(Price::as_str), Some("9.50"));
    assert_eq!(small.compare_at.as_ref().map(Price::as_str), Some("12.00"));
    assert_eq!((small.inventory, large.inventory), (Some(4), Some(-1)));
    assert_eq!(small.image.as_deref(), Some("http://x/v.png"));
    assert_eq!(small.options, [pair("Size", "S"), pair("Glaze", "Matt")]);
    assert_eq!(large.options, [pair("Size", "L"), pair("Glaze", "Gloss")]);
    assert_eq!((&large.compare_at, &large.barcode), (&None, &None));
}

#[test]
fn columns_are_found_by_name_in_any_order_and_case_and_unknown_ones_are_ignored() {
    let products =
        accepted("Included / Moon,VARIANT PRICE, title ,Gift Card,handle\nyes,5,Cup,no,cup\n");
    assert_eq!(products[0].title, "Cup");
    assert_eq!(products[0].variants[0].price.as_ref().unwrap().as_str(), "5.00");
}

#[test]
fn rows_of_a_product_need_not_be_adjacent_and_products_keep_their_first_order() {
    let products =
        accepted("Handle,Title,Variant SKU\nb,Bowl,B-1\na,Axe,A-1\nb,,B-2\nc,Cup,C-1\na,,A-2\n");
    let read: Vec<_> = products
        .iter()
        .map(|it| (it.handle.as_str(), it.variants.len(), it.variants[1..].first()))
        .collect();
    assert_eq!(
        read.iter().map(|it| (it.0, it.1)).collect::<Vec<_>>(),
        [("b", 2), ("a", 2), ("c", 1)]
    );
    assert_eq!(read[0].2.unwrap().sku.as_deref(), Some("B-2"));
}

#[test]
fn a_row_with_only_a_picture_adds_no_variant_and_a_picture_counts_once() {
    let products = accepted(
        "Handle,Title,Variant Price,Image Src,Image Position\n\
         a,Axe,5,http://x/1.png,1\na,,,http://x/2.png,2\na,,,http://x/1.png,3\na,,,,\n",
    );
    assert_eq!(products[0].variants.len(), 1);
    assert_eq!(products[0].images, ["http://x/1.png", "http://x/2.png"]);
}

#[test]
fn a_product_can_be_without_variants_and_an_option_without_a_name() {
    let products = accepted("Handle,Title,Option2 Value\na,Axe,\nb,Bowl,Deep\n");
    assert!(products[0].variants.is_empty());
    assert_eq!(products[1].variants[0].options, [pair("Option 2", "Deep")]);
}

#[test]
fn quotes_commas_and_line_breaks_in_a_field_are_kept_exactly() {
    let products = accepted(
        "Handle,Title,Body (HTML)\na,\"Axe, \"\"sharp\"\"\",\"<p>\r\n one</p>\n\n\"\n\
         b,5\" nail,\"\"",
    );
    assert_eq!(products[0].title, "Axe, \"sharp\"");
    assert_eq!(products[0].body_html, "<p>\r\n one</p>\n\n");
    assert_eq!(products[1].title, "5\" nail");
    assert_eq!(products[1].body_html, "");
}

#[test]
fn a_byte_order_mark_crlf_and_blank_lines_make_no_difference() {
    let plain = accepted("Handle,Title\na,Axe\nb,Bowl\n");
    assert_eq!(accepted("\u{feff}Handle,Title\r\na,Axe\r\nb,Bowl\r\n"), plain);
    assert_eq!(accepted("\u{feff}\"Handle\",Title\na,Axe\nb,Bowl"), plain);
    assert_eq!(accepted("\n\nHandle,Title\na,Axe\n\n,\nb,Bowl\n\n  \n,,,\n\r\n"), plain);
}

#[test]
fn a_row_may_end_early_but_not_hold_more_than_the_header() {
    let products = accepted("Handle,Title,Vendor,Tags\na,Axe\nb,Bowl,Kiln,,,\n");
    assert_eq!(products[0].vendor, None);
    assert_eq!(products[1].vendor.as_deref(), Some("Kiln"));
    assert_eq!(
        refused("Handle,Title\na,Axe\nb,Bowl,more\n"),
        "line 3: 3 fields, but the header has 2 columns"
    );
}

#[test]
fn lines_are_counted_right_after_line_breaks_of_every_kind() {
    let lf = "Handle,Title,Variant Price\na,\"A\n\nxe\",1\n\nb,Bowl,two\n";
    for line_end in ["\n", "\r\n", "\r"] {
        let message = refused(&lf.replace('\n', line_end));
        assert!(message.starts_with("line 6: "), "{message}");
    }
    let in_a_long_row = "Handle,Title,Variant Price\na,\"A\n\nxe\",x\n";
    assert!(refused(in_a_long_row).starts_with("line 2: "));
}

#[test]
fn a_long_file_keeps_its_line_numbers() {
    let mut csv = "Handle,Title,Body (HTML),Variant Price\r\n".to_owned();
    for number in 0..5_000 {
        csv.push_str(&format!("p{number},Öl {number},\"one\r\ntwo, \"\"three\"\"\",1.0\r\n"));
    }
    assert_eq!(accepted(&csv).len(), 5_000);
    csv.push_str("last,Last,,none\r\n");
    assert!(refused(&csv).starts_with("line 10002: "));
}

#[test]
fn a_bad_value_is_named_with_its_line_column_and_text() {
    let header = "Handle,Title,Variant Price,Variant Inventory Qty,Published";
    let bad = |row: &str| refused(&format!("{header}\na,Axe,1,1,true\n{row}\n"));
    assert_eq!(
        bad("b,Bowl,\"1,234.50\",,"),
        "line 3: \"Variant Price\" is \"1,234.50\", expected a price such as 1234.50"
    );
    assert!(bad(&format!("b,Bowl,\"{}\n\",,", "9é".repeat(50))).contains("9é…\""));
    assert!(bad("a,,-3,,").contains("\"-3\""));
}

#[test]
fn what_the_sync_does_not_rest_on_may_be_anything() {
    let header = "Handle,Title,Variant Price,Variant Inventory Qty,Published";
    for (row, inventory, published) in [
        ("a,Axe,1,3,TRUE", Some(3), Some(true)),
        ("a,Axe,1,-3.0,false", Some(-3), Some(false)),
        ("a,Axe,1,many,WAHR", None, None),
        ("a,Axe,1,1.5,", None, None),
    ] {
        let products = accepted(&format!("{header}\n{row}\n"));
        let [product] = products.as_slice() else { panic!("one product") };
        assert_eq!(product.variants[0].inventory, inventory);
        assert_eq!(product.published, published);
    }
}

#[test]
fn a_header_without_handle_or_title_is_refused_by_name() {
    assert_eq!(
        refused("Title,Vendor\nAxe,Kiln\n"),
        "the header has no column named \"handle\" or \"url handle\""
    );
    assert_eq!(refused("Handle\na\n"), "the header has no column named \"title\"");
}

#[test]
fn rows_without_a_handle_and_products_without_a_title_are_refused() {
    assert_eq!(refused("Handle,Title\na,Axe\n ,Bowl\n"), "line 3: the row has no handle");
    assert_eq!(
        refused("Handle,Title\na,Axe\nb,\nb,Bowl\n"),
        "line 3: the first row of \"b\" has no title"
    );
}

#[test]
fn a_quote_that_is_not_closed_or_closes_too_early_is_found() {
    let problem = "a quoted field is not closed, or text follows its closing quote";
    for csv in [
        "Handle,Title\na,Axe\nb,\"Bowl\nc,Cup\n",
        "Handle,Title\na,Axe\nb,\"Bowl\nc,\"Cup\"\nd,Dish\n",
        "Handle,Title\na,Axe\nb,\"Bowl\" deep\n",
        "Handle,Title\na,Axe\nb,\"",
    ] {
        assert_eq!(refused(csv), format!("line 3: {problem}"), "{csv:?}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused_with_its_line() {
    let error = parse(&b"Handle,Title\na,Axe\nb,\"B\no\xfcl\"\n"[..]).unwrap_err();
    assert_eq!(error.to_string(), "line 4: the text is not valid UTF-8");
    assert_eq!((error.problem().line(), error.path()), (Some(4), None));
}

#[test]
fn files_with_nothing_in_them_are_refused() {
    assert_eq!(refused(""), "the file is empty");
    assert_eq!(refused("\u{feff}\r\n\n"), "the file is empty");
    assert_eq!(refused("Handle,Title\n\n,\n"), "there is a header but no product below it");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let path = Path::new("sample/no-such-catalog.csv");
    let error = read(path).unwrap_err();
    assert!(error.to_string().starts_with("sample/no-such-catalog.csv: cannot be read: "));
    assert!(matches!(error.problem(), Problem::Io(_)));
    assert_eq!(error.path(), Some(path));
}

#[test]
fn the_sample_is_a_good_catalogue() {
    let products = accepted(include_str!("../../sample/catalog.csv"));
    assert_eq!(products.len(), 12);
    assert_eq!(products.iter().map(|it| it.variants.len()).sum::<usize>(), 21);
    assert_eq!(products[0].images.len(), 3);
    assert!(products[0].body_html.contains("inside.</p>\n<p>"));
    assert!(products[1].body_html.contains("\"wash cold\""));
    assert!(products[3].images[1].ends_with("-2.jpg"));
    assert_eq!(products[6].variants[0].sku, None);
}

#[test]
fn products_become_json_with_prices_as_text() {
    let products = accepted("Handle,Title,Option1 Name,Option1 Value,Price\na,Axe,Size,L,7.0\n");
    let json = serde_json::to_value(&products[0]).unwrap();
    assert_eq!(json["variants"][0]["price"], "7.00");
    assert_eq!(json["variants"][0]["options"], serde_json::json!([["Size", "L"]]));
    assert_eq!(json["vendor"], serde_json::Value::Null);
}
