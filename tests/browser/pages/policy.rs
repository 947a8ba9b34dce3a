//! That a page's policy holds in a browser, and not only in a header.

use serde_json::json;
use testkit::backend::{FakeBackend, Scripted};

use super::{operator, visit};
use crate::browser::Browser;
use crate::fixture::Platform;

/// Markup that runs by itself where it may.
const INTRUDER: &str =
    "<!doctype html><script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'>";
/// What is kept from running, as the console says it.
const COMPLAINT: &str = "script-src";

/// Puts markup in place of the page, with the page's own policy, past all escaping.
async fn intrude(browser: &Browser) {
    let tree = browser.devtools("Page.getFrameTree", json!({})).await;
    let frame = &tree["frameTree"]["frame"]["id"];
    let content = json!({ "frameId": frame, "html": INTRUDER });
    browser.devtools("Page.setDocumentContent", content).await;
}

#[tokio::test]
async fn a_script_that_got_into_a_page_is_not_run() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "policy").await;
    for page in [
        "/overview",
        "/conversations",
        "/playground",
        "/bots/demo",
        "/login?code=x",
    ] {
        visit(&platform, &browser, page).await;
        browser.complaints().await;
        intrude(&browser).await;
        browser
            .wait_until(
                "the end of the picture",
                "return document.images.length === 1 && document.images[0].complete",
            )
            .await;
        assert_eq!(
            browser.run("return window.hostile === undefined", &[]).await,
            true,
            "{page}"
        );
        let complaints = browser.complaints().await;
        assert!(
            complaints.iter().any(|line| line.message.contains(COMPLAINT)),
            "{page}: {complaints:?}"
        );
    }

    // The same on a page without a policy.
    let careless = FakeBackend::start().await;
    careless.respond_with(|_| Scripted::raw("text/html", "<!doctype html><title>x</title>"));
    browser.open(&careless.url()).await;
    intrude(&browser).await;
    browser
        .wait_until("the intruder to run", "return window.hostile !== undefined")
        .await;
}
