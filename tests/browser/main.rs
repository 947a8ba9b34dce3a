//! The ground that tests of the console's pages stand on: a real browser, the whole platform, and looks at a page.
//!
//! `make browser` runs it, and `make test` where there is a browser. `ground` shows that each of the helpers finds what
//! it is there to find: an error in the console, a fault of accessibility, a text that became part of a page. `pages`
//! does on each page what people come for.
//!
//! The binaries must be built: `cargo build --workspace --bins`.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is a test's report, in its helper functions too"
)]

mod axe;
mod browser;
mod driver;
mod fixture;
mod ground;
mod hostile;
mod keyboard;
mod look;
mod pages;
