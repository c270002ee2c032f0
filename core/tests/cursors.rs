//! Cursors as text.

#![allow(clippy::unwrap_used)]

use sync_tracker_core::{Cursor, ErrorKind, Key, Source};

#[test]
fn a_cursor_is_good_as_text_whatever_the_names() {
    for name in ["a", " ", "a/b", "a:b", "\u{a0}", "é", "e\u{301}", "\"", "\\", "😀", "\u{10ffff}"]
    {
        let key = Key::new(name, "x", name).unwrap();
        for cursor in [Cursor::after(&key), Cursor::after_source(&Source::new(name).unwrap())] {
            let again: Cursor = cursor.to_string().parse().unwrap();
            assert_eq!(again, cursor);
        }
    }
}

#[test]
fn text_that_is_no_cursor_is_refused() {
    for text in ["", "a\u{1f}b", "a\u{1f}b\u{1f}", "a\u{1f}b\u{1f}c\u{1f}d", "a\nb"] {
        let error = text.parse::<Cursor>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
    }
}
