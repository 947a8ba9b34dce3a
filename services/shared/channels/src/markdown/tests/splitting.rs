//! Replies that are longer than a message.

use crate::markdown::{discord, parse, slack, utf16_len};

#[test]
fn a_code_block_is_closed_and_opened_again_with_its_language() {
    let line = "    let x = `1`;\n";
    let markdown = format!("Look:\n\n```rust\n{}```\n\nDone.", line.repeat(150));
    let pieces = discord::pieces(&parse(&markdown));
    assert_eq!(pieces.len(), 2);
    assert!(pieces[0].starts_with("Look:\n\n```rust\n    let") && pieces[0].ends_with("`1`;\n```"));
    assert!(pieces[1].starts_with("```rust\n    let") && pieces[1].ends_with("```\n\nDone."));
    assert_eq!(pieces.concat().matches(line.trim()).count(), 150);
}

#[test]
fn a_style_is_closed_and_opened_again() {
    let pieces = slack::pieces(&parse(&format!("**{}**", "word ".repeat(1000).trim())));
    assert_eq!(pieces.len(), 2);
    for piece in pieces {
        assert!(
            piece.starts_with("*word ") && piece.ends_with(" word*"),
            "{piece}"
        );
    }
}

#[test]
fn signs_and_escapes_count() {
    // Each ampersand is five characters, each star two.
    let slack: Vec<_> = slack::pieces(&parse(&"&".repeat(801)))
        .iter()
        .map(|piece| utf16_len(piece))
        .collect();
    assert_eq!(slack, [4000, 5]);
    let discord: Vec<_> = discord::pieces(&parse(&"\\*".repeat(1001)))
        .iter()
        .map(|piece| utf16_len(piece))
        .collect();
    assert_eq!(discord, [2000, 2]);
}

#[test]
fn a_quotation_goes_on_in_the_next_piece() {
    let pieces = discord::pieces(&parse(&format!("> {}", "word ".repeat(500))));
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.starts_with("> word")));
}

#[test]
fn an_address_is_not_cut() {
    let address = format!("https://a.test/{}", "x".repeat(900));
    for before in [1, 500, 1500, 1990] {
        let text = format!("{}({address})", "y".repeat(before));
        let pieces = discord::pieces(&parse(&text));
        assert!(pieces.iter().any(|piece| piece.contains(&address)), "{before}");
    }
}

#[test]
fn an_address_that_is_too_long_is_text() {
    let address = format!("https://a.test/{}", "x".repeat(5000));
    let pieces = discord::pieces(&parse(&format!("[a]({address})")));
    assert_eq!(pieces.concat(), format!("a ({address})"));
}
