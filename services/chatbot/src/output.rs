//! What the commands print.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line, as `println` does.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use say;

/// Prints a text. What users and webhooks wrote does not steer the terminal: control characters are left out.
///
/// That nobody reads on, as behind `| head`, is no fault: the command goes on to its end.
pub(crate) fn write(text: Arguments<'_>) {
    let shown = harmless(&text.to_string());
    if let Err(error) = std::io::stdout().write_all(shown.as_bytes())
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Whether something could not be written, as to a full disk.
pub(crate) fn is_incomplete() -> bool {
    LOST.load(Ordering::Relaxed)
}

fn harmless(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_does_not_steer_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\r\u{9b}c\n\td"), "a[2Jbc\n\td");
    }
}
