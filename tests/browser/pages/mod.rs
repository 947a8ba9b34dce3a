//! The console's pages, each used for what people come for.

mod connections;
mod conversations;
mod dead_letters;
mod hostile_texts;
mod keys_only;
mod overview;
mod playground;
mod policy;
mod records;
mod signing_in;
mod test_integration;
mod viewer;
mod without_scripts;

use crate::browser::Browser;
use crate::fixture::{OPERATOR, Platform};

/// Signs in with a token, as a person does.
async fn sign_in_with(platform: &Platform, browser: &Browser, token: &str) {
    browser.open(&platform.url("/login").await).await;
    browser.type_into("#token", token).await;
    browser.click("main button").await;
    browser
        .wait_until(
            "being signed in",
            "return document.querySelector('form.session') !== null",
        )
        .await;
}

/// A browser in which an operator is signed in.
async fn operator(platform: &Platform, test: &'static str) -> Browser {
    let browser = Browser::desktop(test).await;
    sign_in_with(platform, &browser, OPERATOR).await;
    browser
}

/// Opens a page of the console.
async fn visit(platform: &Platform, browser: &Browser, path: &str) {
    browser.open(&platform.url(path).await).await;
}

/// The text of the first element of a CSS selector, as it is shown.
async fn text(browser: &Browser, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0]).innerText";
    let text = browser.run(script, &[selector.into()]).await;
    text.as_str().unwrap().to_owned()
}

/// How many elements a CSS selector finds.
async fn count(browser: &Browser, selector: &str) -> u64 {
    let script = "return document.querySelectorAll(arguments[0]).length";
    browser.run(script, &[selector.into()]).await.as_u64().unwrap()
}

/// Puts a text into a field in place of what it holds, whatever characters it has.
async fn fill(browser: &Browser, selector: &str, text: &str) {
    let script = "document.querySelector(arguments[0]).value = arguments[1]";
    browser.run(script, &[selector.into(), text.into()]).await;
}
