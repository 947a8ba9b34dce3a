//! Test Integration: what is asked, what is shown, what is kept.

use std::time::{Duration, Instant};

use bus::{AskError, Bus};
use proto_schemas::ids::IntegrationId;
use proto_schemas::integration_test::{
    IntegrationTest, IntegrationTestReport, MAX_MESSAGE_BYTES, MAX_WAIT, Refusal, TestOutcome,
};
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, DEAD_LETTERS, DELIVERIES, PROGRESS, TRANSCRIPTS};
use serde_json::{Value, json};
use testkit::backend::{FakeBackend, Scripted, always, echo};
use testkit::callback::new_secret;
use testkit::condition::{PATIENCE, wait_until};

use crate::apis::openai;
use crate::samples::{turn, turn_for};
use crate::world::{ONLY, World};

/// Tests that a process makes at once.
const AT_ONCE: usize = 4;

async fn ask(bus: &Bus, test: &IntegrationTest) -> Result<IntegrationTestReport, AskError> {
    ask_for(bus, test, PATIENCE).await
}

async fn ask_for(
    bus: &Bus,
    test: &IntegrationTest,
    patience: Duration,
) -> Result<IntegrationTestReport, AskError> {
    let subject = subjects::integration_test(&test.integration);
    bus.ask(subject, test, patience).await
}

fn asked(integration: &str, message: &str) -> IntegrationTest {
    IntegrationTest {
        integration: IntegrationId::new(integration).unwrap(),
        message: message.to_owned(),
        preview_only: false,
    }
}

fn preview(integration: &str) -> IntegrationTest {
    IntegrationTest {
        preview_only: true,
        ..asked(integration, "Hello!")
    }
}

impl World {
    /// A world that takes tests.
    async fn for_tests(settings: Value) -> Self {
        let world = Self::started(settings).await;
        world.takes_tests().await;
        world
    }

    async fn takes_tests(&self) {
        wait_until(PATIENCE, "tests to be taken", async || {
            !matches!(
                ask(&self.bus, &preview("nowhere")).await,
                Err(AskError::NobodyAnswers)
            )
        })
        .await;
    }

    async fn test(&self, integration: &str) -> IntegrationTestReport {
        ask(&self.bus, &asked(integration, "Hello!")).await.unwrap()
    }

    async fn keeps_nothing(&self) {
        for bucket in [&CONTEXTS, &PROGRESS] {
            assert!(self.bus.is_empty(bucket).await.unwrap(), "{}", bucket.name);
        }
        for stream in [DELIVERIES, TRANSCRIPTS, DEAD_LETTERS] {
            let kept = self.bus.entries(stream.name, ">", 1, 1, 1 << 20).await.unwrap();
            assert!(kept.list.is_empty(), "{}", stream.name);
        }
    }
}

fn refusal(report: &IntegrationTestReport) -> Option<Refusal> {
    match &report.outcome {
        TestOutcome::Refused { reason, .. } => Some(*reason),
        TestOutcome::Preview
        | TestOutcome::Reply { .. }
        | TestOutcome::NoReply { .. }
        | TestOutcome::Failure { .. } => None,
    }
}

#[tokio::test]
async fn a_good_reply_is_shown_with_its_request_and_what_each_part_took_over_tls() {
    let (backend, certificate) = FakeBackend::start_with_tls().await;
    backend.respond_with(|_| Scripted::Reply(json!({"content": "Hi", "metadata": {"model": "m"}})));
    let mut world = World::new().await;
    world.trust(&certificate);
    world.configure("echo", json!({"url": backend.url()})).await;
    world.start_allowing("localhost").await;
    world.takes_tests().await;
    let report = world.test("echo").await;

    let outcome = json!({"kind": "reply", "status": 200, "content": "Hi", "metadata": {"model": "m"}});
    assert_eq!(serde_json::to_value(&report.outcome).unwrap(), outcome);
    let latency = report.latency.unwrap();
    let parts = [
        latency.dns_micros,
        latency.connect_micros,
        latency.tls_micros,
        latency.first_byte_micros,
    ];
    let parts: u64 = parts.iter().map(|part| part.unwrap()).sum();
    assert!(parts <= latency.total_micros, "{latency:?}");

    let request = report.request.unwrap();
    assert_eq!((request.method.as_str(), request.url), ("POST", backend.url()));
    let call = backend.calls().remove(0);
    assert_eq!(request.body, serde_json::from_slice::<Value>(&call.body).unwrap());
    for (name, value) in &request.headers {
        assert_eq!(call.header(name), Some(value.as_str()), "{name}");
    }
    // The guide's own example.
    assert_eq!(
        request.body["messages"],
        json!([{"role": "user", "content": "Hello!"}])
    );
    assert_eq!(
        request.body["user"],
        json!({"id": "test_user", "platform": "telegram"})
    );
    assert_eq!(request.body["bot"], json!({"id": "test_bot", "name": "Test Bot"}));
    assert!(call.conversation_id().starts_with("test_"));
    assert!(request.headers["webhook-id"].starts_with("turn_test_"));
    world.keeps_nothing().await;
}

#[tokio::test]
async fn a_preview_sends_nothing() {
    let world = World::for_tests(json!({})).await;
    let report = ask(&world.bus, &preview("echo")).await.unwrap();
    assert_eq!((report.outcome, report.latency), (TestOutcome::Preview, None));
    assert_eq!(report.request.unwrap().url, world.backend.url());
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn a_failure_has_its_class_and_a_hint_and_is_kept_nowhere() {
    let world = World::for_tests(json!({"timeout": "1s"})).await;
    let scripted = [
        (Scripted::status(401), "unauthorized", Some(401), "key"),
        (
            Scripted::raw("text/html", "<html>"),
            "not_json",
            Some(200),
            "JSON",
        ),
        (
            Scripted::raw("application/json", "{}"),
            "no_content",
            Some(200),
            "content",
        ),
        (Scripted::status(503), "server_error", Some(503), "log"),
        (Scripted::Hang, "timeout", None, "timeout"),
    ];
    for (script, class, status, word) in scripted {
        world.backend.respond_with(move |_| script.clone());
        failed_so(&world.test("echo").await, class, status, word);
    }
    let calls = world.backend.calls().len();
    assert_eq!(calls, 5, "a test is one call, whatever it gives");
    for (id, url, class, word) in [
        ("inside", "https://10.0.0.1/", "denied", "publicly routable"),
        ("plain", "http://example.com/", "denied", "HTTPS"),
        ("nobody", "http://127.0.0.1:9/", "connect", "curl"),
        ("unnamed", "https://no-such-name.invalid/", "dns", "typing"),
    ] {
        world.configure(id, json!({"url": url})).await;
        let known = || async { refusal(&ask(&world.bus, &preview(id)).await.unwrap()).is_none() };
        wait_until(PATIENCE, "the integration to be known", async || known().await).await;
        failed_so(&world.test(id).await, class, None, word);
    }
    world.keeps_nothing().await;
}

fn failed_so(report: &IntegrationTestReport, class: &str, status: Option<u16>, word: &str) {
    let TestOutcome::Failure {
        class: found,
        status: answered,
        hint,
        ..
    } = &report.outcome
    else {
        panic!("{class}: {report:?}")
    };
    assert_eq!((found.as_str(), *answered), (class, status), "{report:?}");
    assert!(hint.contains(word), "{hint}");
    assert!(report.request.is_some());
}

#[tokio::test]
async fn a_secret_is_in_no_report() {
    let mut world = World::new().await;
    let settings = json!({
        "url": format!("{}?key=s3cr3t-query", world.backend.url()),
        "headers": {"Authorization": {"prefix": "Bearer ", "secret": world.secret("api-key")}},
        "signing_secret": world.secret("signing"),
    });
    world.configure("echo", settings).await;
    world.start().await;
    world.takes_tests().await;
    let key = new_secret("api-key");
    for status in [200, 401] {
        let said = key.clone();
        world.backend.respond_with(move |_| Scripted::Status {
            status,
            headers: vec![],
            body: json!({"content": format!("Your key is {said}."), "error": format!("not {said}"),
                "attachments": [{"url": format!("https://a.example/{said}"), "filename": said}],
                "metadata": {said.clone(): [said]}})
            .to_string()
            .into(),
        });
        let report = world.test("echo").await;
        let shown = serde_json::to_string(&report).unwrap();
        let call = world.backend.calls().pop().unwrap();
        let signature = call.header("webhook-signature").unwrap();
        for secret in [&key, signature, "s3cr3t-query", &new_secret("signing")] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let headers = report.request.unwrap().headers;
        assert_eq!(headers["authorization"], "Bearer [secret]");
        assert_eq!(headers["webhook-signature"], "[secret]");
        assert!(shown.contains("[secret]"));
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named_before_anything_is_sent() {
    let missing = json!({"headers": {"x-api-key": {"secret": "env:NO_SUCH_VARIABLE_HERE"}}});
    let world = World::for_tests(missing).await;
    let report = world.test("echo").await;
    let TestOutcome::Failure { class, detail, .. } = report.outcome else {
        panic!("{report:?}")
    };
    assert_eq!(class, "secret_unavailable");
    assert!(detail.contains("env:NO_SUCH_VARIABLE_HERE"), "{detail}");
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn a_model_is_asked_in_its_own_format() {
    let mut world = World::new().await;
    let settings = json!({
        "format": {"openai": {"model": "gpt-4o-mini"}},
        "headers": {"Authorization": {"prefix": "Bearer ", "secret": world.secret("api-key")}},
    });
    world.configure("gpt", settings).await;
    let key = new_secret("api-key");
    world.backend.respond_with(move |call| openai(call, &key));
    world.start().await;
    world.takes_tests().await;
    let report = world.test("gpt").await;
    assert_eq!(report.request.unwrap().body["model"], "gpt-4o-mini");
    let outcome = serde_json::to_value(&report.outcome).unwrap();
    assert_eq!(outcome["content"], "1: Hello!");
    assert_eq!(outcome["metadata"]["usage"]["total_tokens"], 29);
}

#[tokio::test]
async fn tests_keep_to_the_rate_with_the_turns() {
    let world = World::for_tests(json!({"limits": {"per_second": 4, "burst": 1}})).await;
    for number in 0..2 {
        world.offer(&turn(&number.to_string())).await;
    }
    for _ in 0..3 {
        world.test("echo").await;
    }
    let calls = world.backend.wait_for_calls(5).await;
    let took = calls[4].received_at - calls[0].received_at;
    // Four pauses of 250 ms, less by how much the first call may be late: a slot lives for 250 ms.
    assert!(took >= Duration::from_millis(700), "five calls within {took:?}");
}

#[tokio::test]
async fn a_test_waits_for_room_so_long_and_is_not_made_afterwards() {
    let world = World::for_tests(json!({"limits": {"concurrency": 1}})).await;
    let gate = world.backend.hold();
    world.offer(&turn("a")).await;
    world.backend.wait_for_calls(1).await;
    let began = Instant::now();
    let report = world.test("echo").await;
    assert_eq!(refusal(&report), Some(Refusal::LimitReached));
    assert!(began.elapsed() >= MAX_WAIT);
    gate.release();
    world.wait_for_delivery(&turn("a")).await;
    let report = world.test("echo").await;
    assert!(matches!(report.outcome, TestOutcome::Reply { .. }), "{report:?}");
    assert_eq!(
        world.backend.calls().len(),
        2,
        "the turn's, and the second test's"
    );
}

#[tokio::test]
async fn where_as_many_wait_as_may_a_test_does_not() {
    let world = World::for_tests(json!({"limits": {"concurrency": 1}})).await;
    let gate = world.backend.hold();
    for number in 0..5 {
        world.offer(&turn(&number.to_string())).await;
    }
    wait_until(PATIENCE, "a turn without room", async || {
        world.outcomes("retry").await >= 1
    })
    .await;
    let began = Instant::now();
    assert_eq!(refusal(&world.test("echo").await), Some(Refusal::LimitReached));
    assert!(began.elapsed() < MAX_WAIT);
    gate.release();
}

#[tokio::test]
async fn more_tests_at_once_than_may_be_are_refused_and_turns_go_on() {
    let world = World::for_tests(json!({})).await;
    world.configure("other", json!({})).await;
    let gate = world.backend.hold();
    let under_way = async {
        let tests = (0..AT_ONCE).map(|_| world.test("echo"));
        futures_util::future::join_all(tests).await
    };
    let meanwhile = async {
        world.backend.wait_for_calls(AT_ONCE).await;
        let report = world.test("echo").await;
        assert_eq!(refusal(&report), Some(Refusal::TooManyTests));
        world.offer(&turn_for("other", "a")).await;
        world.backend.wait_for_calls(AT_ONCE + 1).await;
        gate.release();
    };
    let (reports, ()) = tokio::join!(under_way, meanwhile);
    for report in reports {
        assert!(matches!(report.outcome, TestOutcome::Reply { .. }), "{report:?}");
    }
}

#[tokio::test]
async fn the_largest_reply_is_shown_whole() {
    let world = World::for_tests(json!({})).await;
    let escaped = "\\u0001".repeat(40 * 1024);
    let body = Scripted::raw("application/json", format!("{{\"content\": \"{escaped}\"}}"));
    world.backend.respond_with(move |_| body.clone());
    let TestOutcome::Reply { content, .. } = world.test("echo").await.outcome else {
        panic!("no reply")
    };
    assert_eq!(content, "\u{1}".repeat(40 * 1024));
}

#[tokio::test]
async fn what_cannot_be_tested_is_said() {
    let world = World::for_tests(json!({})).await;
    assert_eq!(
        refusal(&world.test("nowhere").await),
        Some(Refusal::UnknownIntegration)
    );
    let longest = asked("echo", &"x".repeat(MAX_MESSAGE_BYTES));
    assert_eq!(refusal(&ask(&world.bus, &longest).await.unwrap()), None);
    let longer = asked("echo", &"x".repeat(MAX_MESSAGE_BYTES + 1));
    let report = ask(&world.bus, &longer).await.unwrap();
    assert_eq!(refusal(&report), Some(Refusal::Unusable));
}

#[tokio::test]
async fn a_test_at_hand_is_finished_before_the_end_and_none_is_taken_any_more() {
    let world = World::for_tests(json!({})).await;
    let gate = world.backend.hold();
    let ending = async {
        world.backend.wait_for_calls(1).await;
        world.shutdown.cancel();
        wait_until(PATIENCE, "nobody to answer", async || {
            matches!(
                ask(&world.bus, &preview("echo")).await,
                Err(AskError::NobodyAnswers)
            )
        })
        .await;
        gate.release();
    };
    let (report, ()) = tokio::join!(world.test("echo"), ending);
    assert!(matches!(report.outcome, TestOutcome::Reply { .. }), "{report:?}");
}

#[tokio::test]
async fn a_webhook_that_is_left_in_peace_can_be_tested() {
    let world = World::for_tests(json!({"limits": {"breaker": {"calls": 1, "pause": "60s"}},
        "retry": {"attempts": 1, "max_age": "0s"}}))
    .await;
    world.backend.respond_with(always(503));
    world.offer(&turn("failing")).await;
    wait_until(PATIENCE, "the circuit to open", async || {
        let labels = "integration=\"echo\",state=\"open\",";
        world.series_at(ONLY, "circuit_state", labels).await == Some(1)
    })
    .await;
    world.backend.respond_with(echo);
    let report = world.test("echo").await;
    assert!(matches!(report.outcome, TestOutcome::Reply { .. }), "{report:?}");
}
