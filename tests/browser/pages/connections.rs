//! Connections: the address that a platform is told, and the commands that do it.

use std::process::Command;

use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};
use tests::manifest::push_secret;

use super::{operator, text};
use crate::browser::Browser;
use crate::fixture::{BOT, CONNECTION, Platform};
use crate::look::{assert_quiet, inspect};

/// What the clipboard holds.
async fn clipboard(browser: &Browser) -> String {
    let script = "const done = arguments[arguments.length - 1]; navigator.clipboard.readText().then(done, (error) => done(String(error)))";
    let held = browser.session().execute_async(script, []).await.unwrap();
    held.json().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_connection_shows_its_address_to_copy_and_a_command_that_pushes_a_message() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "connections").await;
    let wanted = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    browser.devtools("Browser.grantPermissions", wanted).await;
    browser.follow("Connections").await;
    browser.wait_for_path("/connections").await;
    inspect(&browser, "list").await;
    browser.follow(CONNECTION).await;
    browser.wait_for_path("/connections/web").await;
    let address = format!("{}/v1/channels/{CONNECTION}/messages", platform.ingress().await);
    assert_eq!(text(&browser, "#address").await, address);
    inspect(&browser, "http").await;
    browser.click("button[data-copy=address]").await;
    browser.wait_for_text("Copied").await;
    assert_eq!(clipboard(&browser).await, address);

    browser.click("button[data-copy=push]").await;
    let command = text(&browser, "#push").await;
    wait_until(PATIENCE, "the command in the clipboard", async || {
        clipboard(&browser).await == command
    })
    .await;
    let mut shell = Command::new("sh");
    let pushed = shell
        .arg("-c")
        .arg(&command)
        .env("PUSH_SECRET", push_secret())
        .env("no_proxy", "*");
    let pushed = pushed.output().unwrap();
    assert!(
        pushed.status.success(),
        "{}",
        String::from_utf8_lossy(&pushed.stderr)
    );
    wait_until(PATIENCE, "the answer to what was pushed by hand", async || {
        platform.replies("ada") == 1
    })
    .await;
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn a_new_telegram_bot_is_shown_how_it_is_registered() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "telegram").await;
    browser.follow("Connections").await;
    browser.follow("New connection").await;
    browser.wait_for_path("/new-connection").await;
    inspect(&browser, "form").await;
    for (field, value) in [
        ("#id", "support"),
        ("#bot", BOT),
        ("#token", "env:TELEGRAM_TOKEN"),
        ("#webhook_secret", "env:TELEGRAM_SECRET"),
    ] {
        browser.type_into(field, value).await;
    }
    browser
        .click("form[action='/new-connection'] button:not([formaction])")
        .await;
    browser.wait_for_path("/connections/support").await;
    let register = text(&browser, "#register").await;
    let address = format!("{}/v1/channels/support/updates", platform.ingress().await);
    for part in [
        "setWebhook",
        &address,
        "\"${TELEGRAM_TOKEN}\"",
        "\"${TELEGRAM_SECRET}\"",
    ] {
        assert!(register.contains(part), "{part} in {register}");
    }
    assert!(
        !register.contains(tests::manifest::TELEGRAM_TOKEN),
        "references, never values"
    );
    inspect(&browser, "stored").await;
}
