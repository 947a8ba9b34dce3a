//! What holds for every input.

use proptest::prelude::*;

use crate::markdown::telegram::{Entity, EntityKind, MAX_TEXT_UNITS};
use crate::markdown::{discord, parse, slack, telegram, utf16_len};

/// Pieces of Markdown, of which the most interesting texts are made.
fn markdown() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        4 => "[a-zé😀]{1,8} ?",
        4 => prop::sample::select(vec![
            "*", "**", "***", "_", "__", "~~", "`", "``", "```\n", "```rust\n", "~~~\n", "# ", "### ", "#### ",
            "- ", "* ", "1. ", "9) ", "  ", "    ", "\t", "> ", ">> ", "\n", "\n\n", "\n\n\n", "  \n", "\\", "\\*",
            "[x] ", "- [ ] ", "---\n", "===\n", "| ", "|a|b|\n|-|:-:|\n|c|d|\n", "<b>", "</b>", "<!-- ", " -->",
            "<div>\n", "&amp;", "&#32;", "&nbsp;", "[a](https://a.test/b_c)", "[", "](", ")", "](https://a.test)",
            "![x](https://a.test/i.png)", "<https://a.test>", "https://a.test/x_y?z=(1)&@here", "[a]: b\n", "[a]",
            "@everyone", "@here ", "<!channel>", "<!here|x>", "<@&1>", "@", "every", "<!", "\u{200B}", "\r\n", "\u{0}",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => ("[a-z *_`|>\n-]{1,6}", 1_usize..500).prop_map(|(text, count)| text.repeat(count)),
    ];
    prop::collection::vec(fragment, 0..60).prop_map(|fragments| fragments.concat())
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn calls_everybody(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "@everyone",
        "@here",
        "@channel",
        "<!everyone",
        "<!here",
        "<!channel",
        "<@&",
    ]
    .iter()
    .any(|mention| text.contains(mention))
}

fn is_within(inner: &Entity, outer: &Entity) -> bool {
    outer.offset <= inner.offset && inner.offset + inner.length <= outer.offset + outer.length
}

/// Two entities are apart, or the second lies in the first and may do so.
fn may_follow(first: &Entity, second: &Entity) -> bool {
    let apart = first.offset + first.length <= second.offset;
    let in_order =
        (first.offset, second.length) <= (second.offset, first.length) || first.offset < second.offset;
    let may_hold = match first.kind {
        EntityKind::Pre { .. } | EntityKind::Code => false,
        EntityKind::TextLink { .. } => !matches!(second.kind, EntityKind::Code | EntityKind::Pre { .. }),
        EntityKind::Blockquote => second.kind != EntityKind::Blockquote,
        EntityKind::Bold | EntityKind::Italic | EntityKind::Strikethrough => {
            !matches!(second.kind, EntityKind::Code | EntityKind::Pre { .. })
        }
    };
    apart || (in_order && is_within(second, first) && may_hold)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn telegram_takes_every_piece(markdown in markdown()) {
        for piece in telegram::pieces(&parse(&markdown)) {
            let units: Vec<u16> = piece.text.encode_utf16().collect();
            prop_assert!((1..=MAX_TEXT_UNITS).contains(&units.len()));
            prop_assert!(!piece.text.trim().is_empty() && piece.entities.len() <= 100);
            for (index, entity) in piece.entities.iter().enumerate() {
                let covered = units.get(entity.offset..entity.offset + entity.length);
                prop_assert!(entity.length > 0 && covered.is_some_and(|it| String::from_utf16(it).is_ok()));
                for later in &piece.entities[index + 1..] {
                    prop_assert!(may_follow(entity, later), "{:?} {:?}", entity, later);
                }
            }
        }
    }

    #[test]
    fn every_piece_fits_and_calls_nobody(markdown in markdown()) {
        let document = parse(&markdown);
        for (pieces, limit) in [(slack::pieces(&document), 4000), (discord::pieces(&document), 2000)] {
            for piece in pieces {
                prop_assert!((1..=limit).contains(&utf16_len(&piece)), "{}", utf16_len(&piece));
                prop_assert!(!calls_everybody(&piece), "{}", piece);
            }
        }
    }

    #[test]
    fn all_of_a_document_arrives(markdown in markdown()) {
        let document = parse(&markdown);
        let telegram: String = telegram::pieces(&document).into_iter().map(|piece| piece.text).collect();
        let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        prop_assert_eq!(solid(&telegram), solid(&document.text));
    }

    #[test]
    fn no_word_is_lost(
        words in prop::collection::vec(
            (
                "[a-zé]{1,8}",
                prop::sample::select(vec![
                    " ", "\n", "\n\n", "**", "*", "_", " ~~", "~~ ", "\n# ", "\n- ", "\n  - ", "\n1. ", "\n> ",
                    "\n\n    ", " <b>", ": ", "\n---\n", " < ", " * ", "\\", "\\_", " | ", " `x` ",
                ]),
            ),
            0..400,
        ),
    ) {
        let markdown: String = words.iter().map(|(word, sign)| format!("{word}{sign}")).collect();
        // The numbers of lists are counted anew.
        let letters = |text: &str| letters(text).replace(|c: char| c.is_ascii_digit(), "");
        let document = parse(&markdown);
        prop_assert_eq!(letters(&document.text), letters(&markdown));
        for pieces in [slack::pieces(&document), discord::pieces(&document)] {
            let text = pieces.concat().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert_eq!(letters(&text), letters(&document.text));
        }
    }

    #[test]
    fn the_same_text_gives_the_same_pieces(markdown in markdown()) {
        let (one, other) = (parse(&markdown), parse(&markdown));
        prop_assert_eq!(telegram::pieces(&one), telegram::pieces(&other));
        prop_assert_eq!(slack::pieces(&one), slack::pieces(&other));
        prop_assert_eq!(discord::pieces(&one), discord::pieces(&other));
    }
}
