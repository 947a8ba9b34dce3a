//! What Telegram gets.

use serde_json::{Value, json};

use super::TOUR;
use crate::markdown::parse;
use crate::markdown::telegram::{MAX_TEXT_UNITS, pieces};

/// The text of the only piece, and its entities with the text that they cover.
fn sent(markdown: &str) -> (String, Vec<Value>) {
    let mut pieces = pieces(&parse(markdown));
    assert_eq!(pieces.len(), 1, "{markdown}");
    let piece = pieces.remove(0);
    let units: Vec<u16> = piece.text.encode_utf16().collect();
    let covered = piece.entities.iter().map(|entity| {
        let mut value = serde_json::to_value(entity).unwrap();
        let range = entity.offset..entity.offset + entity.length;
        let fields = value.as_object_mut().unwrap();
        fields.remove("offset");
        fields.remove("length");
        fields.insert("of".to_owned(), String::from_utf16(&units[range]).unwrap().into());
        value
    });
    (piece.text, covered.collect())
}

fn text(markdown: &str) -> String {
    sent(markdown).0
}

#[test]
fn formats_stand_beside_the_text() {
    let bold = |of: &str| json!({"type": "bold", "of": of});
    let italic = |of: &str| json!({"type": "italic", "of": of});
    let code = |of: &str| json!({"type": "code", "of": of});
    let link = |of: &str, url: &str| json!({"type": "text_link", "of": of, "url": url});
    for (markdown, text, entities) in [
        ("plain", "plain", vec![]),
        ("a **b** c", "a b c", vec![bold("b")]),
        ("😀 *b* __c__", "😀 b c", vec![italic("b"), bold("c")]),
        ("**a *b***", "a b", vec![bold("a b"), italic("b")]),
        ("~~x~~", "x", vec![json!({"type": "strikethrough", "of": "x"})]),
        ("**a\nb**", "a\nb", vec![bold("a"), bold("b")]),
        ("## A **b** c", "A b c", vec![bold("A b c")]),
        // Code takes no other format.
        ("**a `b` c**", "a b c", vec![bold("a"), code("b"), bold("c")]),
        ("**`b`**", "b", vec![code("b")]),
        ("[`b`](https://a.test/)", "b", vec![link("b", "https://a.test/")]),
        ("[a](https://a.test)", "a", vec![link("a", "https://a.test/")]),
        // Telegram finds these by itself.
        ("<https://a.test/x_y_z>", "https://a.test/x_y_z", vec![]),
        ("https://a.test/x_y_z.", "https://a.test/x_y_z.", vec![]),
        (
            "> a **b**",
            "a b",
            vec![json!({"type": "blockquote", "of": "a b"}), bold("b")],
        ),
        (
            "```py\n  x\n```",
            "  x",
            vec![json!({"type": "pre", "language": "py", "of": "  x"})],
        ),
        ("    x", "x", vec![json!({"type": "pre", "of": "x"})]),
    ] {
        assert_eq!(sent(markdown), (text.to_owned(), entities), "{markdown}");
    }
}

#[test]
fn what_telegram_has_no_form_for_is_readable() {
    for (markdown, expected) in [
        ("- a\n- b\n  - c\n    d\n- e", "• a\n• b\n  • c\n    d\n• e"),
        ("9. a\n10. b\n    - c", "9. a\n10. b\n    • c"),
        ("1. a\n\n   b\n\n2. c", "1. a\n\n   b\n\n2. c"),
        ("- [x] a\n- [ ] b", "• [x] a\n• [ ] b"),
        ("a\n\n---\n\nb", "a\n\n──────────\n\nb"),
        ("![cat](https://a.test/c.png)", "cat (https://a.test/c.png)"),
        ("![](https://a.test/c.png)", "https://a.test/c.png"),
        ("[![cat](https://a.test/c.png)](https://a.test)", "cat"),
        (
            "<b>x</b>\n\n<div>\ny\n</div>\n\nz",
            "<b>x</b>\n\n<div>\ny\n</div>\n\nz",
        ),
        ("[a](./b.md) [c](#d) [](e)", "a (./b.md) c (#d) e"),
        ("[a@b.test](mailto:a@b.test) <a@b.test>", "a@b.test a@b.test"),
        // A word that claims to be another address.
        (
            "[https://bank.test](https://evil.test)",
            "https://bank.test (https://evil.test)",
        ),
        ("[https://a.test](https://a.test/)", "https://a.test"),
        ("- a\n\n  ```\n  x\n  ```\n- b", "• a\n\nx\n\n• b"),
        ("- > a\n- b", "• \na\n\n• b"),
        ("a\\* \\_ &amp; &lt;", "a* _ & <"),
        (
            "2 * 3 * 4, snake_case_name, 5*, #tag",
            "2 * 3 * 4, snake_case_name, 5*, #tag",
        ),
        ("a\nb  \nc", "a\nb\nc"),
        // Nothing but markup.
        (">", ">"),
        ("```\n\n```", "```\n\n```"),
    ] {
        assert_eq!(text(markdown), expected, "{markdown}");
    }
    assert_eq!(pieces(&parse(" \n\n \n")), []);
}

#[test]
fn a_table_is_aligned_text() {
    let markdown = "| Name | N | C |\n|---|--:|:-:|\n| [ab](https://a.test) | 1 | **x** |\n| c | 200 |\n";
    let expected = "\
Name                |   N | C
--------------------+-----+--
ab (https://a.test) |   1 | x
c                   | 200";
    assert_eq!(
        sent(markdown),
        (expected.to_owned(), vec![json!({"type": "pre", "of": expected})])
    );
}

#[test]
fn what_looks_like_an_unused_definition_is_kept() {
    for (markdown, expected) in [
        (
            "a\n\n[WARN]: disk\n[WARN]: full\n\nb",
            "a\n\n[WARN]: disk\n[WARN]: full\n\nb",
        ),
        ("[1]: https://a.test", "[1]: https://a.test"),
        ("see [1]\n\n[1]: https://a.test \"t\"\n[2]: b", "see 1\n\n[2]: b"),
    ] {
        assert_eq!(text(markdown), expected, "{markdown}");
    }
}

#[test]
fn a_bit_of_everything_reads_well() {
    let expected = "\
Title with code

Some bold, italic, both, gone and a link.

• one
• two
  1. first
  2. second
     more
• [x] done
• [ ] open

quoted

deeper

still

fn main() {
    a < b && c;
}

Name | Count
-----+------
ab   |     1
c    |    20

──────────

A cat (https://a.test/cat.png) <b>raw</b> 2 * 3 < 7";
    assert_eq!(text(TOUR), expected);
}

#[test]
fn a_piece_has_no_more_entities_than_telegram_shows() {
    let pieces = pieces(&parse(&"**a** b\n".repeat(150)));
    assert_eq!(pieces.len(), 2);
    assert_eq!(pieces[0].entities.len(), 100);
    assert_eq!(pieces[1].entities.len(), 50);
}

#[test]
fn a_cut_format_goes_on_in_the_next_piece() {
    let code = "let x = 1;\n".repeat(MAX_TEXT_UNITS / 11 + 1);
    let pieces = pieces(&parse(&format!(
        "```rust\n{code}```\n\n**{}**",
        "b ".repeat(3000).trim()
    )));
    let kinds: Vec<_> = pieces
        .iter()
        .map(|piece| {
            piece
                .entities
                .iter()
                .map(|entity| serde_json::to_value(entity).unwrap()["type"].clone())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(kinds, [vec!["pre"], vec!["pre", "bold"], vec!["bold"]]);
    assert!(pieces[1].text.starts_with("let x = 1;"));
}
