//! What the commands print.

use std::fmt::Arguments;
use std::io::Write as _;

/// Prints a line, as `println` does. What is cut off, as by `| head`, is no fault: the command goes on to its end.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use say;

/// Prints a text as it is. If nobody reads it any more there is nobody to tell.
pub(crate) fn write(text: Arguments<'_>) {
    let _read = std::io::stdout().write_fmt(text);
}
