//! Tokens in texts.

use crate::token::Token;

fn token(conversation: usize, number: u32) -> Token {
    Token { conversation, number }
}

#[test]
fn of_several_tokens_the_last_is_found() {
    let text = format!("{} said, {} asked.", token(1, 2), token(1_000_000, 345));
    assert_eq!(Token::find_last(text.as_bytes()), Some(token(1_000_000, 345)));
}

#[test]
fn what_is_no_token_is_none() {
    for text in [
        "",
        "tok:",
        "tok:0000001-000000",
        "tok:0000001 0000001",
        "tok:000000x-0000001",
    ] {
        assert_eq!(Token::find_last(text.as_bytes()), None, "{text}");
    }
}
