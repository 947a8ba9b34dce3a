//! What people do without a mouse: by Tab, Enter, Space and what they type.

use testkit::backend::{always, echo};
use testkit::condition::{PATIENCE, wait_until};
use thirtyfour::Key;

use super::visit;
use crate::browser::Browser;
use crate::fixture::{INTEGRATION, OPERATOR, Platform};
use crate::keyboard::{is_on, press, tab_to, write};
use crate::look::assert_quiet;

/// Signs in; the field has the focus from the beginning.
async fn operator(platform: &Platform, test: &'static str) -> Browser {
    let browser = Browser::desktop(test).await;
    visit(platform, &browser, "/login").await;
    assert!(is_on(&browser, "#token").await);
    write(&browser, OPERATOR).await;
    press(&browser, Key::Enter).await;
    browser.wait_for_text("Signed in as operator").await;
    browser
}

/// Goes to a section by the navigation.
async fn go_to(browser: &Browser, section: &str) {
    tab_to(browser, &format!("nav a[href='{section}']")).await;
    press(browser, Key::Enter).await;
    browser.wait_for_path(section).await;
}

#[tokio::test]
async fn an_integration_is_tested_by_keys_alone() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "tested_by_keys").await;
    go_to(&browser, "/integrations").await;
    // Past the navigation of the page.
    press(&browser, Key::Tab).await;
    assert!(is_on(&browser, "a.skip").await);
    browser.screenshot("skip").await;
    press(&browser, Key::Enter).await;
    tab_to(&browser, "main a").await;
    assert!(
        is_on(&browser, "a[href='/new-integration']").await,
        "the first stop behind the link"
    );
    let page = format!("/integrations/{INTEGRATION}");
    tab_to(&browser, &format!("a[href='{page}']")).await;
    press(&browser, Key::Enter).await;
    browser.wait_for_path(&page).await;
    tab_to(&browser, "#message").await;
    write(&browser, "Hello").await;
    tab_to(&browser, "button[formaction*='/test']").await;
    browser.screenshot("focus").await;
    press(&browser, Key::Space).await;
    browser.wait_for_text("A reply with HTTP 200").await;
    assert_eq!(platform.backend.calls().len(), 1);
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn a_dead_letter_is_replayed_and_the_bot_talked_to_by_keys_alone() {
    let platform = Platform::start().await;
    platform.backend.respond_with(always(400));
    platform.ask("ada", "Bring me back").await;
    platform.backend.respond_with(echo);
    let browser = operator(&platform, "replayed_by_keys").await;
    go_to(&browser, "/dead-letters").await;
    tab_to(&browser, "tbody a").await;
    press(&browser, Key::Enter).await;
    browser.wait_for_text("Its work").await;
    tab_to(&browser, "details summary").await;
    press(&browser, Key::Space).await;
    browser
        .wait_until(
            "the question whether to remove it",
            "return document.querySelector('details').open",
        )
        .await;
    visit(&platform, &browser, "/dead-letters").await;
    tab_to(&browser, "tbody a").await;
    press(&browser, Key::Enter).await;
    browser.wait_for_text("Its work").await;
    tab_to(&browser, "form[action$='/replay'] button").await;
    press(&browser, Key::Enter).await;
    browser.wait_for_text("goes through the pipeline again").await;
    wait_until(PATIENCE, "the reply to what was replayed", async || {
        platform.replies("ada") == 2
    })
    .await;

    go_to(&browser, "/playground").await;
    tab_to(&browser, "form.narrow button").await;
    press(&browser, Key::Space).await;
    browser.wait_for_text("Say something").await;
    assert!(is_on(&browser, "#text").await, "one can write at once");
    write(&browser, "Hello").await;
    press(&browser, Key::Enter).await;
    browser.wait_for_text("1: Hello | heard:").await;
    assert_quiet(&browser).await;
}
