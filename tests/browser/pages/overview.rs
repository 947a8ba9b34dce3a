//! How the pipeline does.

use serde_json::json;
use testkit::backend::{always, echo};

use super::{operator, text};
use crate::fixture::Platform;
use crate::look::inspect;

/// Whether the figures have seen a turn: they are fetched anew without loading the page.
const HAS_SEEN_A_TURN: &str = "
    const chart = document.querySelector('svg[aria-label^=\"Turns a second\"]');
    return window.marked === true && chart !== null && !chart.getAttribute('aria-label').endsWith('at most 0.0');";

#[tokio::test]
async fn the_figures_show_a_turn_and_an_open_breaker_which_is_closed_by_hand() {
    let platform =
        Platform::start_with(json!({ "limits": { "breaker": { "calls": 2, "pause": "10m" } } })).await;
    let browser = operator(&platform, "overview").await;
    browser.follow("Overview").await;
    browser.wait_for_path("/overview").await;
    browser.wait_for_text("None: every webhook is asked.").await;
    browser.run("window.marked = true", &[]).await;
    platform.ask("ada", "Hello").await;
    browser
        .wait_until("figures that have seen a turn", HAS_SEEN_A_TURN)
        .await;
    inspect(&browser, "figures").await;

    platform.backend.respond_with(always(503));
    for chat in ["bob", "eve", "joe"] {
        platform.say(chat, "Are you there?").await;
    }
    browser.wait_for_text("Ask echo again now").await;
    assert!(text(&browser, "#vitals ul").await.contains("echo"));
    inspect(&browser, "open-breaker").await;
    platform.backend.respond_with(echo);
    browser.click("form[action='/breakers/echo/close'] button").await;
    browser.wait_for_text("The webhook is asked again.").await;
    browser.wait_for_text("None: every webhook is asked.").await;
    // By itself it would stay open for ten minutes.
    platform.ask("kim", "And now?").await;
    inspect(&browser, "closed-breaker").await;
}
