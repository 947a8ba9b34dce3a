//! Texts that try to become part of a page, and a look at a page for whether one did.

mod corpus;

use serde::Deserialize;

pub(crate) use corpus::{CORPUS, Place};

use crate::browser::Browser;

/// Looks at the page from inside.
const LOOK: &str = include_str!("hostile/look.js");

/// What a page shows of what became of the texts.
#[derive(Debug, Deserialize)]
struct Look {
    /// `window.hostile`, which every text that runs sets; none as it should be.
    hostile: Option<String>,
    /// Elements and attributes that a text may have made, as HTML.
    made: Vec<String>,
    /// What was fetched from elsewhere.
    foreign: Vec<String>,
    /// All text, and the values of all fields, less control characters.
    text: String,
}

/// All that speaks against the page that is open, where `put_in` are the texts that it is to show.
pub(crate) async fn findings(browser: &Browser, put_in: &[String]) -> Vec<String> {
    if let Some(text) = browser.dialog().await {
        browser.dismiss_dialog().await;
        return vec![format!("a dialog was opened: {text:?}")];
    }
    let look = browser.session().execute(LOOK, []).await;
    let look: Look = match look {
        Ok(look) => look.convert().unwrap(),
        Err(error) => return vec![format!("the page cannot be looked at: {error}")],
    };
    let hostile = look.hostile.map(|number| format!("text {number} was run"));
    let made = look
        .made
        .into_iter()
        .map(|html| format!("an element was made: {html}"));
    let foreign = look
        .foreign
        .into_iter()
        .map(|url| format!("elsewhere was asked: {url}"));
    let missing = put_in.iter().filter(|put| !look.text.contains(&shown(put)));
    let missing = missing.map(|put| format!("not there as it was put in: {put:?}"));
    hostile
        .into_iter()
        .chain(made)
        .chain(foreign)
        .chain(missing)
        .collect()
}

/// Nothing speaks against the page.
///
/// # Panics
/// When something does; each finding is named.
pub(crate) async fn assert_harmless(browser: &Browser, put_in: &[String]) {
    let findings = findings(browser, put_in).await;
    let page = browser.url().await;
    assert!(findings.is_empty(), "{page}:\n  {}", findings.join("\n  "));
}

/// As it is looked for: HTML changes some control characters, drops others, and puts U+FFFD for one.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && *c != '\u{fffd}')
        .collect()
}

/// All texts of the corpus.
pub(crate) fn texts() -> Vec<String> {
    (1..)
        .zip(CORPUS)
        .map(|(number, hostile)| hostile.text(number))
        .collect()
}
