//! What was given up: listed, shown, replayed, removed.

use bus::{Outgoing, TraceContext};
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::topology::INBOX;
use serde_json::{Value, json};

use super::refusals::HOSTILE;
use crate::fixture::Fixture;

const FULL: &str = include_str!("../../../../../proto-schemas/examples/dead-letter.v1/full.json");
/// The most of a payload that is shown.
const SHOWN_BYTES: usize = 64 * 1024;

impl Fixture {
    /// Buries the sample with another payload, and under another name.
    async fn bury_sample(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut letter: Value = serde_json::from_str(FULL).unwrap();
        letter["id"] = id.into();
        change(&mut letter);
        let letter: DeadLetter = serde_json::from_value(letter).unwrap();
        let subject = format!("dead-letters.webhook-caller.server-error.{id}");
        let outgoing = Outgoing::new(subject, &letter, id, TraceContext::new());
        self.bus.publish(outgoing.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_list_keeps_its_filter_on_the_way_to_its_next_page() {
    let console = Fixture::start().await;
    let viewer = console.viewer().await;
    viewer.get("/dead-letters").await.holds(200, &["There are none."]);
    for number in 0..51 {
        console.bury(&format!("e{number:02}"), "egress", None).await;
        console.bury(&format!("i{number:02}"), "ingress", None).await;
    }
    let first = viewer
        .get("/dead-letters?stage=egress&class=timeout&conversation=conv_a")
        .await;
    first
        .holds(
            200,
            &[
                "/dead-letters/e00\"",
                "/dead-letters/e49\"",
                "value=\"egress\" selected",
            ],
        )
        .lacks(&["/dead-letters/e50\"", "/dead-letters/i00\"", "Replay them"]);
    let link = "href=\"/dead-letters?stage=egress&amp;class=timeout&amp;conversation=conv_a&amp;cursor=";
    let (_, rest) = first.html.split_once(link).unwrap();
    let cursor = rest.split('"').next().unwrap();
    viewer
        .get(&format!(
            "/dead-letters?stage=egress&class=timeout&conversation=conv_a&cursor={cursor}"
        ))
        .await
        .holds(200, &["/dead-letters/e50\""])
        .lacks(&["/dead-letters/e49\"", "/dead-letters/i50\"", "cursor="]);
    for none in ["class=other", "integration=support", "conversation=conv_b"] {
        let page = viewer.get(&format!("/dead-letters?{none}")).await;
        page.holds(200, &["There are none."])
            .lacks(&["/dead-letters/e00\""]);
    }
    for bad in ["cursor=x", "cursor=-1", "stage=nonsense"] {
        let page = viewer.get(&format!("/dead-letters?{bad}")).await;
        page.holds(400, &["bad_query"]);
    }
}

#[tokio::test]
async fn a_dead_letter_shows_its_cause_its_attempts_and_its_work() {
    let console = Fixture::start().await;
    let text = format!("{}é the end", "x".repeat(SHOWN_BYTES - 1));
    console
        .bury_sample("long", |letter| letter["payload"] = json!({"text": text}))
        .await;
    console
        .bury_sample("bytes", |letter| letter["payload"] = json!({"hex": "00ff"}))
        .await;
    console.bury_sample("away", |_| {}).await;
    let viewer = console.viewer().await;
    let page = viewer.get("/dead-letters/long").await;
    page.holds(
        200,
        &[
            "the webhook answered 503",
            "no answer within 30s",
            "30000 ms",
            "<td data-label=\"Status\">503</td>",
            "href=\"/conversations/conv_3kq7zt\"",
            "turns.conv_3kq7zt",
            "x</pre>",
            "The first 65535 of its 65545 bytes:",
        ],
    )
    .lacks(&["the end", "é", "action=\"/dead-letters"]);
    viewer
        .get("/dead-letters/bytes")
        .await
        .holds(200, &["in hexadecimal:", "<pre>00ff</pre>"]);
    viewer
        .get("/dead-letters/away")
        .await
        .holds(200, &["too large to be shown", "dead-letters/dl_5f2a"]);
    for nowhere in ["nowhere", "a.b", "%00", "%3Cb%3E", "*"] {
        let page = viewer.get(&format!("/dead-letters/{nowhere}")).await;
        page.holds(404, &["not_found"]).lacks(&["<b>"]);
    }
}

#[tokio::test]
async fn a_dead_letter_is_replayed_or_removed_by_operators_only() {
    let console = Fixture::start().await;
    for id in ["one", "two"] {
        console.bury(id, "context-builder", Some(INBOX.name)).await;
    }
    console.bury("outside", "ingress", None).await;
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    for form in ["/dead-letters/one/replay", "/dead-letters/one/delete"] {
        viewer.post(form, &[]).await.holds(403, &["forbidden"]);
    }
    operator.get("/dead-letters/one").await.holds(
        200,
        &[
            "action=\"/dead-letters/one/replay\"",
            "action=\"/dead-letters/one/delete\"",
        ],
    );
    operator
        .post("/dead-letters/one/replay", &[])
        .await
        .leads_to("/dead-letters?done=replay");
    let replayed = console.bus.last(INBOX.name, "inbox.conv_a").await.unwrap();
    assert!(replayed.is_some());
    operator
        .post("/dead-letters/two/delete", &[])
        .await
        .leads_to("/dead-letters?done=delete");
    operator
        .post("/dead-letters/outside/replay", &[])
        .await
        .holds(409, &["not_replayable"]);
    operator
        .get("/dead-letters?done=delete")
        .await
        .holds(200, &["The dead letter is removed.", "/dead-letters/outside\""])
        .lacks(&["/dead-letters/one\"", "/dead-letters/two\""]);
    for form in ["/dead-letters/one/replay", "/dead-letters/two/delete"] {
        operator.post(form, &[]).await.holds(404, &["not_found"]);
    }
}

#[tokio::test]
async fn what_a_dead_letter_holds_is_text() {
    let console = Fixture::start().await;
    console
        .bury_sample("hostile", |letter| {
            letter["cause"] = HOSTILE.into();
            letter["attempts"][0]["detail"] = HOSTILE.into();
            letter["attempts"][0]["class"] = HOSTILE.into();
            letter["class"] = HOSTILE.into();
            letter["payload"] = json!({"text": format!("</pre>{HOSTILE}")});
        })
        .await;
    let operator = console.operator().await;
    let filtered = "/dead-letters?integration=%22%3E%3Cb%3E";
    for page in ["/dead-letters", "/dead-letters/hostile"] {
        let page = operator.get(page).await;
        page.holds(200, &["&lt;script&gt;"]).lacks(&["<script>", "<b>"]);
    }
    operator
        .get(filtered)
        .await
        .holds(200, &["&quot;&gt;"])
        .lacks(&["<b>"]);
}
