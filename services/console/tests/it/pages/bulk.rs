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

/// What the form of a page that goes there sends.
fn fields(page: &Shown, address: &str) -> [(&'static str, String); 4] {
    let form = format!("action=\"{address}\"");
    ["stage", "class", "through", "cursor"].map(|name| (name, page.value_behind(&form, name)))
}

fn sent<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

#[tokio::test]
async fn all_that_a_filter_lets_through_are_replayed_a_hundred_at_a_time() {
    let console = Fixture::start().await;
    console.bury_many().await;
    let operator = console.operator().await;
    let page = operator.get("/dead-letters?stage=context-builder").await;
    page.holds(200, &["All that the filter lets through", "At most 100 at once"]);
    let form = fields(&page, "/dead-letters/replay");
    let first = operator.post("/dead-letters/replay", &sent(&form)).await;
    first.holds(
        200,
        &["100 dead letters were replayed, 0 not.", "Go on with the rest"],
    );
    console.bury("later", "context-builder", Some(INBOX.name)).await;
    let rest = fields(&first, "/dead-letters/replay");
    assert_eq!((&rest[0], &rest[2]), (&form[0], &form[2]));
    let second = operator.post("/dead-letters/replay", &sent(&rest)).await;
    second
        .holds(200, &["1 dead letter was replayed, 0 not."])
        .lacks(&["Go on with the rest"]);
    assert_eq!(
        console.left().await,
        2,
        "that of the other stage, and the later one"
    );
}

#[tokio::test]
async fn all_that_a_filter_lets_through_are_removed_a_hundred_at_a_time() {
    let console = Fixture::start().await;
    console.bury_many().await;
    let operator = console.operator().await;
    let page = operator
        .get("/dead-letters?stage=context-builder&class=timeout")
        .await;
    let form = fields(&page, "/dead-letters/purge");
    let first = operator.post("/dead-letters/purge", &sent(&form)).await;
    first.holds(
        200,
        &["100 dead letters were removed, 0 not.", "Remove the rest, too"],
    );
    let rest = fields(&first, "/dead-letters/purge");
    assert_eq!(rest[1].1, "timeout");
    operator
        .post("/dead-letters/purge", &sent(&rest))
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
    let page = operator.get("/dead-letters").await;
    page.holds(200, &["All of them"]);
    let form = [("all", &*page.value("all")), ("through", &*page.value("through"))];
    operator.post("/dead-letters/replay", &form).await.holds(
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
        let (all, last) = (("all", "yes"), ("through", "99"));
        for bad in [
            vec![all, last, ("stage", "nonsense")],
            vec![all, last, ("cursor", "x")],
            vec![all, ("through", "x")],
            vec![all],
        ] {
            operator.post(form, &bad).await.holds(400, &["bad_query"]);
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
