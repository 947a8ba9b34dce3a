//! The configuration: created, changed, removed, brought back, and refused.

use registry::Manifest;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::{Answer, Fixture, answer};

/// A condition as its header.
type Header<'a> = (&'static str, &'a str);
/// That there is nothing.
pub(crate) const ABSENT: Header<'static> = ("if-none-match", "*");

pub(crate) fn integration(id: &str, timeout: &str) -> Value {
    json!({"id": id, "url": "https://a.example/", "timeout": timeout})
}

fn bot(id: &str, integration: &str) -> Value {
    json!({"id": id, "name": "Support", "integration": integration})
}

impl Fixture {
    pub(crate) async fn put(&self, path: &str, record: &Value, condition: Header<'_>) -> Answer {
        answer(self.putting(path, record, condition)).await
    }

    fn putting(&self, path: &str, record: &Value, (name, value): Header<'_>) -> RequestBuilder {
        let request = self.request(Method::PUT, path).header(name, value);
        request.body(record.to_string())
    }

    async fn delete(&self, path: &str, tag: &str) -> Answer {
        answer(self.request(Method::DELETE, path).header("if-match", tag)).await
    }

    async fn roll_back(&self, path: &str, revision: u64, (name, value): Header<'_>) -> Answer {
        let request = self.request(Method::POST, &format!("{path}/rollback"));
        let body = json!({"revision": revision}).to_string();
        answer(request.header(name, value).body(body)).await
    }

    async fn validate(&self, path: &str, record: &Value) -> Answer {
        let request = self.request(Method::POST, &format!("{path}/validate"));
        answer(request.body(record.to_string())).await
    }
}

impl Answer {
    /// Checks that it is a problem of this kind.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) {
        let found = (self.status, self.body["code"].as_str());
        assert_eq!(found, (status, Some(code)), "{}", self.body);
    }

    pub(crate) fn tag(&self) -> &str {
        self.tag.as_deref().unwrap()
    }

    fn revision(&self) -> u64 {
        self.body["to"].as_u64().unwrap()
    }

    /// Where the broken rules are.
    fn errors(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| error["path"].as_str().unwrap())
            .collect()
    }

    fn ids(&self) -> Vec<&str> {
        let items = self.body["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap()).collect()
    }
}

#[tokio::test]
async fn a_record_is_created_shown_changed_and_removed() {
    let console = Fixture::start().await;
    let path = "/v1/integrations/echo";
    console.get(path).await.is(404, "not_found");
    let created = console.put(path, &integration("echo", "1s"), ABSENT).await;
    assert_eq!(created.status, 201);
    let shown = console.get(path).await;
    assert_eq!((shown.status, shown.tag()), (200, created.tag()));
    assert_eq!(shown.body["timeout"], "1s");

    // What was shown may be sent back as it is.
    let mut record = shown.body.clone();
    record["timeout"] = "2s".into();
    let changed = console.put(path, &record, ("if-match", shown.tag())).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.body["from"], created.body["to"]);
    assert_eq!(console.get(path).await.body["timeout"], "2s");

    assert_eq!(console.delete(path, changed.tag()).await.status, 200);
    console.get(path).await.is(404, "not_found");
    console.delete(path, changed.tag()).await.is(404, "not_found");
}

#[tokio::test]
async fn a_change_without_a_condition_or_with_a_stale_one_changes_nothing() {
    let console = Fixture::start().await;
    let path = "/v1/integrations/support";
    let present = console.get(path).await;
    let record = integration("support", "9s");
    let bare = console.request(Method::PUT, path).body(record.to_string());
    answer(bare).await.is(428, "condition_missing");
    answer(console.request(Method::DELETE, path))
        .await
        .is(428, "condition_missing");
    let rollback = console.request(Method::POST, &format!("{path}/rollback"));
    answer(rollback.body(r#"{"revision": 1}"#))
        .await
        .is(428, "condition_missing");
    for stale in [("if-match", "\"99\""), ABSENT] {
        console.put(path, &record, stale).await.is(412, "changed");
        console.roll_back(path, 1, stale).await.is(412, "changed");
    }
    console.delete(path, "\"99\"").await.is(412, "changed");
    for bad in [("if-match", "*"), ("if-match", "7"), ("if-none-match", "\"1\"")] {
        console.put(path, &record, bad).await.is(400, "bad_condition");
    }
    let absent = console.request(Method::DELETE, path).header(ABSENT.0, ABSENT.1);
    answer(absent).await.is(400, "bad_condition");
    let after = console.get(path).await;
    assert_eq!(
        (after.tag(), after.body["timeout"].as_str()),
        (present.tag(), Some("1s"))
    );
}

#[tokio::test]
async fn a_record_that_breaks_rules_is_refused_with_all_of_them() {
    let console = Fixture::start().await;
    let mut wrong = bot("help", "nowhere");
    wrong["nmae"] = 1.into();
    let judged = console.validate("/v1/bots/help", &wrong).await;
    assert_eq!(judged.status, 200);
    assert_eq!(judged.errors(), ["bots.help.nmae", "bots.help.integration"]);
    let refused = console.put("/v1/bots/help", &wrong, ABSENT).await;
    refused.is(422, "invalid");
    assert_eq!(refused.errors(), judged.errors());
    console.get("/v1/bots/help").await.is(404, "not_found");

    let right = bot("help", "support");
    let nothing: [&str; 0] = [];
    assert_eq!(console.validate("/v1/bots/help", &right).await.errors(), nothing);
    console.get("/v1/bots/help").await.is(404, "not_found");
    let elsewhere = console.put("/v1/bots/other", &right, ABSENT).await;
    assert_eq!(elsewhere.errors(), ["bots.other.id"]);
}

#[tokio::test]
async fn a_secret_is_neither_taken_nor_repeated() {
    let console = Fixture::start().await;
    let mut record = integration("echo", "1s");
    record["signing_secret"] = "whsec_abcdef".into();
    let refused = console.put("/v1/integrations/echo", &record, ABSENT).await;
    refused.is(422, "invalid");
    assert!(!refused.body.to_string().contains("abcdef"), "{}", refused.body);
}

#[tokio::test]
async fn secrets_that_are_not_allowed_are_named_by_no_record_that_is_written_here() {
    let console = Fixture::with(&[("CONSOLE_SECRETS", "env:BOT_*, file:/run/bots/*")]).await;
    let signed = |secret: &str| {
        let mut record = integration("echo", "1s");
        record["signing_secret"] = secret.into();
        record
    };
    let path = "/v1/integrations/echo";
    // Stored past the console, as with `chatbot apply`.
    let manifest = json!({"integrations": [signed("env:NATS_NKEY_SEED_VALUE")]});
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    manifest.store(&console.bus).await.unwrap();
    let stored = console.get(path).await;

    let at = ["integrations.echo.signing_secret"];
    for secret in ["env:NATS_NKEY_SEED_VALUE", "file:/run/bots/../nats/seed"] {
        let refused = console
            .put(path, &signed(secret), ("if-match", stored.tag()))
            .await;
        refused.is(422, "invalid");
        assert_eq!(refused.errors(), at);
        assert_eq!(console.validate(path, &signed(secret)).await.errors(), at);
    }
    let allowed = console
        .put(path, &signed("env:BOT_1"), ("if-match", stored.tag()))
        .await;
    assert_eq!(allowed.status, 200);
    let revision = stored.tag().trim_matches('"').parse().unwrap();
    let back = console
        .roll_back(path, revision, ("if-match", allowed.tag()))
        .await;
    back.is(422, "invalid");
    assert_eq!(back.errors(), at);

    let telegram = json!({"telegram": {"token": "env:BOT_1", "webhook_secret": "env:OTHER"}});
    let connection = json!({"id": "tg", "bot": "help", "channel": telegram});
    let judged = console.validate("/v1/connections/tg", &connection).await;
    let at = [
        "connections.tg.channel.telegram.webhook_secret",
        "connections.tg.bot",
    ];
    assert_eq!(judged.errors(), at);
}

#[tokio::test]
async fn what_is_referred_to_is_not_removed() {
    let console = Fixture::start().await;
    let created = console
        .put("/v1/bots/help", &bot("help", "support"), ABSENT)
        .await;
    assert_eq!(created.status, 201);
    // Who refers to it is told to the service, and not asked.
    wait_until(PATIENCE, "the bot to be known", async || {
        console.get("/v1/bots").await.ids() == ["help"]
    })
    .await;
    let support = console.get("/v1/integrations/support").await;
    let refused = console.delete("/v1/integrations/support", support.tag()).await;
    refused.is(409, "in_use");
    assert!(refused.body["detail"].as_str().unwrap().contains("bots.help"));
    assert_eq!(console.get("/v1/integrations/support").await.status, 200);
}

#[tokio::test]
async fn a_record_goes_back_to_an_earlier_revision_also_when_it_was_removed() {
    let console = Fixture::start().await;
    let path = "/v1/integrations/echo";
    let first = console.put(path, &integration("echo", "1s"), ABSENT).await;
    let second = integration("echo", "2s");
    let second = console.put(path, &second, ("if-match", first.tag())).await;
    let back = console
        .roll_back(path, first.revision(), ("if-match", second.tag()))
        .await;
    assert_eq!(back.status, 200);
    assert_eq!(console.get(path).await.body["timeout"], "1s");
    let removed = console.delete(path, back.tag()).await;
    let again = console.roll_back(path, second.revision(), ABSENT).await;
    assert_eq!(again.status, 201);

    let history = console.get(&format!("{path}/history")).await;
    let items = history.body["items"].as_array().unwrap();
    let seen: Vec<_> = items
        .iter()
        .map(|item| {
            (
                item["revision"].as_u64().unwrap(),
                item["record"]["timeout"].as_str(),
            )
        })
        .collect();
    let expected = [
        (again.revision(), Some("2s")),
        (removed.revision(), None),
        (back.revision(), Some("1s")),
        (second.revision(), Some("2s")),
        (first.revision(), Some("1s")),
    ];
    assert_eq!(seen, expected);
    assert_eq!(items[1]["removed"], true);
    console
        .roll_back(path, removed.revision(), ("if-match", again.tag()))
        .await
        .is(404, "unknown_revision");
    console
        .get("/v1/integrations/nowhere/history")
        .await
        .is(404, "not_found");
}

#[tokio::test]
async fn pages_of_a_list_lead_to_each_other() {
    let console = Fixture::start().await;
    for id in ["a", "b", "c"] {
        let path = format!("/v1/integrations/{id}");
        assert_eq!(
            console.put(&path, &integration(id, "1s"), ABSENT).await.status,
            201
        );
    }
    wait_until(PATIENCE, "all four to be listed", async || {
        console.get("/v1/integrations").await.ids().len() == 4
    })
    .await;
    let first = console.get("/v1/integrations?limit=3").await;
    assert_eq!(first.ids(), ["a", "b", "c"]);
    let tag = console.get("/v1/integrations/a").await.tag.unwrap();
    assert_eq!(tag, format!("\"{}\"", first.body["items"][0]["revision"]));
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = console
        .get(&format!("/v1/integrations?limit=3&cursor={cursor}"))
        .await;
    assert_eq!(second.ids(), ["support"]);
    assert!(second.body.get("next_cursor").is_none());
}

#[tokio::test]
async fn what_this_build_cannot_read_can_be_replaced() {
    let console = Fixture::start().await;
    let odd = json!({"subject": "$KV.registry.integrations.support"});
    let message = bus::Outgoing::raw(
        odd["subject"].as_str().unwrap().to_owned(),
        "{}".into(),
        "odd",
        Vec::new(),
    );
    console.bus.publish(message).await.unwrap();
    let path = "/v1/integrations/support";
    console.get(path).await.is(500, "unreadable");
    let listed = console.get("/v1/integrations").await;
    let item = &listed.body["items"][0];
    assert!(item.get("record").is_none(), "{item}");
    let tag = format!("\"{}\"", item["revision"]);
    let replaced = console
        .put(path, &integration("support", "3s"), ("if-match", &tag))
        .await;
    assert_eq!(replaced.status, 200);
    assert_eq!(console.get(path).await.body["timeout"], "3s");
}
