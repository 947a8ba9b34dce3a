//! What tells one message from all others on its way through the chain and back.

use std::fmt;

const MARK: &[u8] = b"tok:";
const DIGITS: usize = 7;

/// The number of a conversation, and of a message in it. Shown as `tok:0000012-0000345`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) conversation: usize,
    pub(crate) number: u32,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tok:{:07}-{:07}", self.conversation, self.number)
    }
}

impl Token {
    /// The last token in a text: a question comes after its history.
    pub(crate) fn find_last(text: &[u8]) -> Option<Self> {
        let at = text.windows(MARK.len()).rposition(|window| window == MARK)?;
        let digits = &text[at + MARK.len()..];
        let (conversation, rest) = digits.split_at_checked(DIGITS)?;
        let number = rest.strip_prefix(b"-")?.get(..DIGITS)?;
        Some(Self {
            conversation: parse(conversation)?,
            number: u32::try_from(parse(number)?).ok()?,
        })
    }
}

fn parse(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
