//! Bots and integrations made, changed and brought back by forms.

use reqwest::header::IF_MATCH;
use serde_json::Value;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};

use super::{count, fill, operator, text, visit};
use crate::fixture::{INTEGRATION, OPERATOR, Platform};
use crate::look::{assert_quiet, assert_refused, inspect};

/// A change by somebody else, over the API.
async fn change_timeout(platform: &Platform, id: &str, timeout: &str) {
    let url = platform.url(&format!("/v1/integrations/{id}")).await;
    let stored = client().get(&url).bearer_auth(OPERATOR).send().await.unwrap();
    let revision = stored.headers()["etag"].clone();
    let mut record: Value = serde_json::from_slice(&stored.bytes().await.unwrap()).unwrap();
    record["timeout"] = timeout.into();
    let put = client()
        .put(&url)
        .bearer_auth(OPERATOR)
        .header(IF_MATCH, revision);
    let put = put.body(record.to_string()).send().await.unwrap();
    assert_eq!(put.status(), 200);
}

#[tokio::test]
async fn an_integration_is_made_and_changed_over_somebody_elses_change_and_brought_back() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "integrations").await;
    browser.follow("Integrations").await;
    browser.wait_for_path("/integrations").await;
    inspect(&browser, "list").await;
    browser.follow("New integration").await;
    browser.wait_for_path("/new-integration").await;
    inspect(&browser, "form").await;

    browser.type_into("#id", "support").await;
    browser.type_into("#url", "ftp://backend.example/").await;
    browser.type_into("#timeout", "3h").await;
    browser.click("button[formaction]").await;
    browser.wait_for_text("Code: invalid").await;
    let broken = text(&browser, "[role=alert] ul").await;
    assert!(broken.contains("url") && broken.contains("timeout"), "{broken}");
    assert_refused(&browser, 422).await;
    inspect(&browser, "broken-rules").await;
    for (field, value) in [("#url", "https://backend.example/"), ("#timeout", "20s")] {
        browser.clear(field).await;
        browser.type_into(field, value).await;
    }
    browser.click("button[formaction]").await;
    browser
        .wait_for_text("It breaks no rule. Nothing is stored yet.")
        .await;
    browser
        .click("form[action='/new-integration'] button:not([formaction])")
        .await;
    browser.wait_for_path("/integrations/support").await;
    browser.wait_for_text("It is stored").await;
    inspect(&browser, "stored").await;

    browser.follow("Change").await;
    browser.wait_for_path("/integrations/support/edit").await;
    inspect(&browser, "editor").await;
    let record = browser
        .run("return document.querySelector('#record').value", &[])
        .await;
    let changed = record.as_str().unwrap().replace("20s", "7s");
    assert!(changed.contains("7s"), "{record}");
    fill(&browser, "#record", &changed).await;
    change_timeout(&platform, "support", "9s").await;
    browser
        .click("form[action$='/edit'] button:not([formaction])")
        .await;
    browser.wait_for_text("Somebody else has changed it").await;
    let differs = text(&browser, "pre.difference").await;
    assert!(
        differs.contains("- timeout: 9s") && differs.contains("+ timeout: 7s"),
        "{differs}"
    );
    assert_refused(&browser, 412).await;
    inspect(&browser, "conflict").await;
    browser
        .click("form[action$='/edit'] button:not([formaction])")
        .await;
    browser.wait_for_path("/integrations/support").await;
    assert!(text(&browser, "dl.facts").await.contains("7s"));

    browser.follow("History").await;
    browser.wait_for_path("/integrations/support/history").await;
    assert_eq!(count(&browser, "main .panel").await, 3);
    inspect(&browser, "history").await;
    browser.click(".panel:nth-of-type(3) form button").await;
    browser.wait_for_text("It is stored as it was then").await;
    assert!(text(&browser, "dl.facts").await.contains("20s"));
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn a_bot_is_made_by_a_form_and_removed_again() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "bots").await;
    browser.follow("Bots").await;
    browser.wait_for_path("/bots").await;
    inspect(&browser, "list").await;
    browser.follow("New bot").await;
    browser.type_into("#id", "helper").await;
    browser.type_into("#name", "Helper").await;
    browser.type_into("#integration", "nobody").await;
    browser
        .click("form[action='/new-bot'] button:not([formaction])")
        .await;
    browser.wait_for_text("Code: invalid").await;
    assert_refused(&browser, 422).await;
    inspect(&browser, "broken-rules").await;
    browser.clear("#integration").await;
    browser.type_into("#integration", INTEGRATION).await;
    browser
        .click("form[action='/new-bot'] button:not([formaction])")
        .await;
    browser.wait_for_path("/bots/helper").await;
    browser.wait_for_text("None yet: nobody can write to it.").await;
    inspect(&browser, "stored").await;

    // A bot that is used is kept.
    wait_until(PATIENCE, "the integration to be known as used", async || {
        visit(&platform, &browser, "/integrations/echo").await;
        text(&browser, "main").await.contains("helper")
    })
    .await;
    browser.click("details summary").await;
    browser.click("form[action$='/delete'] button").await;
    browser.wait_for_text("Code: in_use").await;
    assert_refused(&browser, 409).await;
    visit(&platform, &browser, "/bots/helper").await;
    browser.click("details summary").await;
    browser.click("form[action$='/delete'] button").await;
    browser.wait_for_text("It is removed.").await;
    inspect(&browser, "removed").await;
    assert_quiet(&browser).await;
}
