//! Many dead letters at once.

use proto_schemas::topology::INBOX;

use super::Shown;
use crate::fixture::Fixture;

/// How many one form handles.
const AT_ONCE: usize = 100;

impl Fixture {
    /// Buries one more than a form handles, and one of another stage behind the first.
    async fn bury_many(&self) {
        for number in 0..=AT_ONCE {
            self.bury(&format!("c{number:03}"), "context-builder", Some(INBOX.name))
                .await;
            if number == 0 {
                self.bury("other", "egress", None).await;
            }
        }
    }

    async fn left(&self) -> usize {
        let left = self.get("/v1/dead-letters?limit=100").await;
        left.body["items"].as_array().unwrap().len()
    }
}

/// The filter and the place that a page of forms sends on.
fn fields(page: &Shown) -> [(&'static str, String); 4] {
    ["stage", "class", "through", "cursor"].map(|name| (name, page.value(name)))
}

#[tokio::test]
async fn all_that_a_filter_lets_through_are_replayed_a_hundred_at_a_time() {
    let console = Fixture::start().await;
    console.bury_many().await;
    let operator = console.operator().await;
    operator
        .get("/dead-letters?stage=context-builder")
        .await
        .holds(200, &["All that the filter lets through", "At most 100 at once"]);
    let form = [("stage", "context-builder"), ("class", ""), ("cursor", "")];
    let first = operator.post("/dead-letters/replay", &form).await;
    first.holds(
        200,
        &["100 dead letters were replayed, 0 not.", "Go on with the rest"],
    );
    let rest = fields(&first);
    assert_eq!(rest[0].1, "context-builder");
    let rest: Vec<_> = rest.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let second = operator.post("/dead-letters/replay", &rest).await;
    second
        .holds(200, &["1 dead letter was replayed, 0 not."])
        .lacks(&["Go on with the rest"]);
    assert_eq!(console.left().await, 1, "that of the other stage");
}

#[tokio::test]
async fn all_that_a_filter_lets_through_are_removed_a_hundred_at_a_time() {
    let console = Fixture::start().await;
    console.bury_many().await;
    let operator = console.operator().await;
    let form = [("stage", "context-builder"), ("class", "timeout")];
    let first = operator.post("/dead-letters/purge", &form).await;
    first.holds(
        200,
        &["100 dead letters were removed, 0 not.", "Remove the rest, too"],
    );
    let rest = fields(&first);
    let rest: Vec<_> = rest.iter().map(|(name, value)| (*name, value.as_str())).collect();
    operator
        .post("/dead-letters/purge", &rest)
        .await
        .holds(200, &["1 dead letter was removed, 0 not."])
        .lacks(&["Remove the rest, too"]);
    assert_eq!(console.left().await, 1, "that of the other stage");
}

#[tokio::test]
async fn what_was_given_up_after_the_page_was_made_is_not_meant() {
    let console = Fixture::start().await;
    console.bury("seen", "egress", None).await;
    let operator = console.operator().await;
    let page = operator.get("/dead-letters").await;
    console.bury("later", "egress", None).await;
    let form = [("all", &*page.value("all")), ("through", &*page.value("through"))];
    operator
        .post("/dead-letters/purge", &form)
        .await
        .holds(200, &["1 dead letter was removed, 0 not."]);
    assert_eq!(console.left().await, 1);
    operator.get("/dead-letters/later").await.holds(200, &["timeout"]);
}

#[tokio::test]
async fn what_cannot_be_replayed_stays_and_is_told() {
    let console = Fixture::start().await;
    console.bury("one", "context-builder", Some(INBOX.name)).await;
    console.bury("outside", "ingress", None).await;
    let operator = console.operator().await;
    let all = operator.get("/dead-letters").await;
    let all = all.holds(200, &["All of them"]).value("all");
    operator
        .post("/dead-letters/replay", &[("all", &all)])
        .await
        .holds(
            200,
            &[
                "1 dead letter was replayed, 1 not.",
                "href=\"/dead-letters/outside\"",
            ],
        );
    assert_eq!(console.left().await, 1);
}

#[tokio::test]
async fn a_filter_that_is_none_and_a_viewer_change_nothing() {
    let console = Fixture::start().await;
    console.bury("one", "context-builder", Some(INBOX.name)).await;
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    for form in ["/dead-letters/replay", "/dead-letters/purge"] {
        for bad in [("stage", "nonsense"), ("through", "x"), ("cursor", "x")] {
            let sent = operator.post(form, &[bad, ("all", "yes")]).await;
            sent.holds(400, &["bad_query"]);
        }
        // That all are meant has to be said.
        operator
            .post(form, &[("stage", ""), ("through", "1")])
            .await
            .holds(422, &["unusable"]);
        viewer.post(form, &[]).await.holds(403, &["forbidden"]);
    }
    assert_eq!(console.left().await, 1);
}
