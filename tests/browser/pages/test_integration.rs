//! Test Integration: what would be sent, what comes back, and what to look at when nothing does.

use serde_json::json;
use testkit::backend::{Scripted, always};

use super::{count, operator, text, visit};
use crate::fixture::{INTEGRATION, Platform};
use crate::look::{assert_quiet, inspect};

#[tokio::test]
async fn a_test_is_previewed_then_answered_and_a_failing_webhook_comes_with_a_hint() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "test_integration").await;
    visit(&platform, &browser, &format!("/integrations/{INTEGRATION}")).await;
    inspect(&browser, "integration").await;
    browser.type_into("#message", "What is the weather?").await;
    browser
        .click("form[action*='/preview'] button:not([formaction])")
        .await;
    browser.wait_for_text("Nothing was sent").await;
    assert!(
        text(&browser, "section pre")
            .await
            .contains("What is the weather?")
    );
    assert_eq!(platform.backend.calls().len(), 0);
    inspect(&browser, "preview").await;

    let reply = json!({
        "content": "It rains.",
        "buttons": [{ "label": "Tomorrow?" }, { "label": "Map", "url": "https://weather.example/" }],
        "metadata": { "model": "weather-1" },
    });
    platform
        .backend
        .respond_with(move |_| Scripted::Reply(reply.clone()));
    browser.click("button[formaction*='/test']").await;
    browser.wait_for_text("A reply with HTTP 200").await;
    let report = text(&browser, "section").await;
    for shown in [
        "It rains.",
        "Tomorrow?",
        "opens https://weather.example/",
        "weather-1",
        "In all",
    ] {
        assert!(report.contains(shown), "{shown} in {report}");
    }
    assert_eq!(count(&browser, "svg.bars rect.work").await, 1);
    assert_eq!(platform.backend.calls().len(), 1);
    inspect(&browser, "reply").await;

    platform.backend.respond_with(always(500));
    browser.click("button[formaction*='/test']").await;
    browser.wait_for_text("Failed (server_error)").await;
    assert!(text(&browser, "[role=alert]").await.contains("Look into its log"));
    inspect(&browser, "failure").await;
    assert_quiet(&browser).await;
}
