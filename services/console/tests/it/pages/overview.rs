//! How the pipeline does just now.

use testkit::condition::{PATIENCE, wait_for};

use super::{Browser, Shown};
use crate::fixture::Fixture;

/// The page as soon as the console has looked and found that.
async fn seen(browser: &Browser, part: &str) -> Shown {
    wait_for(PATIENCE, part, async || {
        let page = browser.get("/overview").await;
        page.html.contains(part).then_some(page)
    })
    .await
}

#[tokio::test]
async fn what_waits_is_shown_for_each_stage() {
    let console = Fixture::start().await;
    console.receive().await;
    console.bury("one", "egress", None).await;
    let viewer = console.viewer().await;
    let waiting = "<td data-label=\"Stage\">context-builder</td><td class=\"number\" data-label=\"Waiting\">1</td>\
        <td class=\"number\" data-label=\"In work\">0</td>";
    let page = seen(&viewer, waiting).await;
    page.holds(
        200,
        &[
            "<td data-label=\"Stage\">webhook-caller</td><td class=\"number\" data-label=\"Waiting\">0</td>",
            "Dead letters: now 1",
            "Turns a second: now 0.0",
            "None: every webhook is asked.",
            "data-every=\"5000\"",
        ],
    )
    .lacks(&["nothing waits", "<td data-label=\"Stage\">ingress</td>"]);
}

#[tokio::test]
async fn a_webhook_that_is_left_in_peace_is_asked_again_when_an_operator_says_so() {
    let console = Fixture::start().await;
    console.fail().await;
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    let form = "action=\"/breakers/support/close\"";
    let page = seen(&operator, form).await;
    page.holds(
        200,
        &["timeout, found failing 2 times in a row, tried out after 30 s"],
    );
    let page = seen(&viewer, "found failing 2 times").await;
    page.lacks(&[form]);
    let integration = operator.get("/integrations/support").await;
    integration.holds(200, &["found failing 2 times", form]);
    let close = "/breakers/support/close";
    viewer.post(close, &[]).await.holds(403, &["forbidden"]);
    operator.post(close, &[]).await.leads_to("/overview?done=close");
    operator
        .get("/overview?done=close")
        .await
        .holds(200, &["The webhook is asked again."]);
    operator.post(close, &[]).await.holds(409, &["breaker_closed"]);
    for nowhere in ["nowhere", "a.b", "%00"] {
        let sent = operator.post(&format!("/breakers/{nowhere}/close"), &[]).await;
        sent.holds(404, &["not_found"]);
    }
    let integration = operator.get("/integrations/support").await;
    integration.lacks(&["found failing", form]);
    let now = seen(&operator, "None: every webhook is asked.").await;
    now.lacks(&[form]);
}
