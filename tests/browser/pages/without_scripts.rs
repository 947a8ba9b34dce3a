//! The pages in a browser that runs no script.

use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use super::{sign_in_with, text, visit};
use crate::browser::Browser;
use crate::fixture::{INTEGRATION, OPERATOR, Platform};
use crate::look::assert_quiet;

#[tokio::test]
async fn one_signs_in_tests_an_integration_and_talks_to_a_bot_without_scripts() {
    let platform = Platform::start().await;
    let browser = Browser::desktop("without_scripts").await;
    let disabled = json!({ "value": true });
    browser
        .devtools("Emulation.setScriptExecutionDisabled", disabled)
        .await;
    sign_in_with(&platform, &browser, OPERATOR).await;
    visit(&platform, &browser, "/overview").await;
    // Whether scripts run is told by one that would show the buttons that copy.
    visit(&platform, &browser, "/connections/web").await;
    assert_eq!(
        browser
            .run("return document.querySelector('[data-copy]').hidden", &[])
            .await,
        true
    );

    visit(&platform, &browser, &format!("/integrations/{INTEGRATION}")).await;
    browser.type_into("#message", "Hello").await;
    browser.click("button[formaction*='/test']").await;
    browser.wait_for_text("A reply with HTTP 200").await;
    browser.screenshot("test-integration").await;

    visit(&platform, &browser, "/playground").await;
    browser.click("form.narrow button").await;
    browser.wait_for_text("Say something").await;
    let held = platform.backend.hold();
    browser.type_into("#text", "Are you there?").await;
    browser.click("main form button").await;
    browser.wait_for_text("not yet").await;
    held.release();
    wait_until(PATIENCE, "the reply after loading the page again", async || {
        browser.session().refresh().await.unwrap();
        text(&browser, "main")
            .await
            .contains("1: Are you there? | heard:")
    })
    .await;
    browser.screenshot("playground").await;
    assert_quiet(&browser).await;
}
