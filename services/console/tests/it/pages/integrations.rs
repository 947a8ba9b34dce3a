//! The page of an integration, and Test Integration on it.

use proto_schemas::integration_test::{IntegrationTest, IntegrationTestReport};
use serde_json::{Value, json};

use super::{Browser, Shown};
use crate::fixture::Fixture;
use crate::records::ABSENT;

/// Sends a form for a test, and answers with this report as webhook-caller does: what was asked, and what is shown.
async fn answered(
    console: &Fixture,
    browser: &Browser,
    verb: &str,
    report: Value,
) -> (IntegrationTest, Shown) {
    let mut questions = console.questions().await;
    let form = [("message", "Hello <b>")];
    let address = format!("/integrations/support/{verb}");
    let asking = browser.post(&address, &form);
    let answering = async {
        let question = questions.next().await.unwrap();
        let asked: IntegrationTest = question.decode().unwrap();
        let report: IntegrationTestReport = serde_json::from_value(report).unwrap();
        question.answer(&report).await.unwrap();
        asked
    };
    tokio::pin!(asking);
    let asked = tokio::select! {
        asked = answering => asked,
        shown = &mut asking => panic!("answered without being asked: {shown:?}"),
    };
    (asked, asking.await)
}

#[tokio::test]
async fn a_test_shows_request_times_and_reply() {
    let console = Fixture::start().await;
    let report = json!({"integration": "support",
        "request": {"method": "POST", "url": "https://a.example/?key=…", "headers": {"authorization": "Bearer …"},
            "body": {"messages": [{"content": "Hello <b>"}]}},
        "latency": {"dns_micros": 1200, "connect_micros": 300, "first_byte_micros": 8000, "total_micros": 10000},
        "outcome": {"kind": "reply", "status": 200, "content": "Hi <i>there</i>",
            "attachments": [{"url": "https://a.example/d.pdf", "filename": "<u>.pdf"}],
            "buttons": [{"label": "Yes", "value": "pay:42"}, {"label": "No", "url": "https://a.example/no"}],
            "metadata": {"model": "gpt"}}});
    let operator = console.operator().await;
    let (asked, shown) = answered(&console, &operator, "test", report).await;
    assert!(!asked.preview_only);
    assert_eq!(asked.message, "Hello <b>");
    shown
        .holds(
            200,
            &[
                "A reply",
                "HTTP 200",
                "Hi &lt;i&gt;there&lt;/i&gt;",
                "&lt;u&gt;.pdf at https://a.example/d.pdf",
                "says pay:42",
                "opens https://a.example/no",
                "&quot;model&quot;: &quot;gpt&quot;",
                "POST https://a.example/?key=…",
                "authorization: Bearer …",
                "1.2 ms",
                "8.0 ms",
                "10.0 ms",
                "<svg class=\"bars\"",
                "Hello &lt;b&gt;</textarea>",
            ],
        )
        .lacks(&["<i>", "<u>", "<b>"]);
    let tests = "operator_requests_total{action=\"integrations.test\",outcome=\"done\",service=\"console\"}";
    assert_eq!(console.series(tests).await, 1);
}

#[tokio::test]
async fn a_viewer_may_look_at_the_request() {
    let console = Fixture::start().await;
    let report = json!({"integration": "support", "outcome": {"kind": "preview"},
        "request": {"method": "POST", "url": "https://a.example/", "headers": {}, "body": {}}});
    let (asked, shown) = answered(&console, &console.viewer().await, "preview", report).await;
    assert!(asked.preview_only);
    shown.holds(200, &["Nothing was sent", "POST https://a.example/"]);
}

#[tokio::test]
async fn a_failure_shows_its_class_and_what_to_look_at() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let report = json!({"integration": "support", "latency": {"total_micros": 5},
        "outcome": {"kind": "failure", "class": "unauthorized", "status": 401, "detail": "HTTP 401: <bad> key",
            "hint": "Check its value."}});
    let (_, shown) = answered(&console, &operator, "test", report).await;
    shown.holds(
        200,
        &[
            "Failed (unauthorized)",
            "HTTP 401: &lt;bad&gt; key",
            "Check its value.",
        ],
    );

    let report = json!({"integration": "support",
        "outcome": {"kind": "refused", "reason": "too_many_tests", "detail": "four are being made"}});
    let (_, shown) = answered(&console, &operator, "test", report).await;
    shown.holds(
        429,
        &[
            "Four are being made.",
            "too_many_tests",
            "Hello &lt;b&gt;</textarea>",
        ],
    );
}

#[tokio::test]
async fn without_a_webhook_caller_the_page_says_so_and_keeps_the_message() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let form = [("message", "Hello!")];
    operator
        .post("/integrations/support/test", &form)
        .await
        .holds(503, &["No webhook-caller answers.", "Hello!</textarea>"]);
    operator
        .post("/integrations/nowhere/test", &form)
        .await
        .holds(404, &["not_found"]);
}

#[tokio::test]
async fn an_integration_shows_references_and_no_secret() {
    let console = Fixture::start().await;
    let file = console.folder.path().join("key");
    std::fs::write(&file, "whsec_dGhlLXNlY3JldA==").unwrap();
    let reference = format!("file:{}", file.display());
    let record = json!({"id": "signed", "url": "https://a.example/", "signing_secret": reference,
        "headers": {"Authorization": {"prefix": "Bearer ", "secret": "env:API_KEY"}, "X-Tier": "<b>"},
        "limits": {"per_second": 5, "breaker": {"enabled": false}}});
    let put = console.put("/v1/integrations/signed", &record, ABSENT).await;
    assert_eq!(put.status, 201, "{}", put.body);
    let viewer = console.viewer().await;
    for page in ["/integrations/signed", "/integrations/signed/history"] {
        viewer
            .get(page)
            .await
            .holds(200, &[&reference, "env:API_KEY", "&lt;b&gt;"])
            .lacks(&["dGhlLXNlY3JldA", "<b>"]);
    }
    viewer
        .get("/integrations/signed")
        .await
        .holds(200, &["5 calls a second", "no circuit breaker", "No bot does."]);
}

#[tokio::test]
async fn a_new_integration_is_made_of_its_fields() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    operator.get("/new-integration").await.holds(
        200,
        &["never the secret itself", "aria-describedby=\"timeout-help\""],
    );
    let fields = [
        ("id", " api "),
        ("url", "https://b.example/chat"),
        ("signing_secret", "env:KEY"),
        ("timeout", ""),
    ];
    operator
        .post("/new-integration", &fields)
        .await
        .leads_to("/integrations/api?done=put");
    let stored = console.get("/v1/integrations/api").await.body;
    assert_eq!(
        (&stored["signing_secret"], &stored["timeout"]),
        (&json!("env:KEY"), &json!("30s"))
    );
    let fields = [
        ("id", "bad"),
        ("url", "https://b.example/"),
        ("signing_secret", "whsec_in-the-clear"),
    ];
    operator
        .post("/new-integration", &fields)
        .await
        .holds(422, &["by reference"]);
}
