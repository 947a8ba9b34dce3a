//! What operators do is counted, and told in the log.

use proto_schemas::integration_test::IntegrationTestReport;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::process::Service;

use crate::fixture::{Fixture, OPERATOR, VIEWER, answer, variables};
use crate::pages::Browser;
use crate::records::{ABSENT, integration};

#[tokio::test]
async fn what_operators_do_is_counted_also_when_it_is_refused() {
    let console = Fixture::start().await;
    let count = async |action: &str, outcome: &str| {
        let labels = format!("{{action=\"{action}\",outcome=\"{outcome}\",service=\"console\"}}");
        console.series(&format!("operator_requests_total{labels}")).await
    };
    assert_eq!(count("bots.put", "refused").await, 0, "series are born at zero");
    let path = "/v1/integrations/echo";
    let record = integration("echo", "1s");
    assert_eq!(console.put(path, &record, ABSENT).await.status, 201);
    console.put(path, &record, ABSENT).await.is(412, "changed");
    let viewer = console.request_as(VIEWER, Method::DELETE, path);
    answer(viewer).await.is(403, "forbidden");
    assert_eq!(count("integrations.put", "done").await, 1);
    assert_eq!(count("integrations.put", "refused").await, 1);
    assert_eq!(count("integrations.delete", "refused").await, 1);
    assert_eq!(console.get(path).await.status, 200);
}

#[tokio::test]
async fn what_an_operator_began_is_finished_and_counted_although_nobody_waits_for_it() {
    let console = Fixture::start().await;
    let mut questions = console.questions().await;
    let test = console.test_request("support", json!({"message": "Hello!"}).to_string());
    let question = tokio::select! {
        question = questions.next() => question.unwrap(),
        answer = test.send() => panic!("answered without being asked: {answer:?}"),
    };
    // The service hears of the end of a connection before it answers what came later.
    assert_eq!(console.get("/v1/integrations/support").await.status, 200);
    let report = json!({"integration": "support", "outcome": {"kind": "preview"}});
    let report: IntegrationTestReport = serde_json::from_value(report).unwrap();
    question.answer(&report).await.unwrap();
    let series = "operator_requests_total{action=\"integrations.test\",outcome=\"done\",service=\"console\"}";
    wait_until(PATIENCE, "the test to be counted", async || {
        console.series(series).await == 1
    })
    .await;
}

#[tokio::test]
async fn the_log_says_who_changed_what_and_no_secret() {
    let console = Fixture::start().await;
    let mut variables = variables(console.nats.url(), &console.folder, OPERATOR);
    variables.push(("LOG_LEVEL", "error".to_owned()));
    let service = Service::start("console", &variables).await;
    service.ready().await;
    let url = format!("http://{}/v1/integrations/echo", service.address("http").await);
    let mut record = integration("echo", "1s");
    record["signing_secret"] = "env:ECHO_SECRET".into();
    for condition in ["*", "*", "\"1\""] {
        let request = client().put(&url).bearer_auth(OPERATOR);
        let request = request.header("if-none-match", condition);
        request.body(record.to_string()).send().await.unwrap();
    }
    let lines = || -> Vec<Value> {
        let logs = service.logs();
        let lines = logs
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["target"] == "audit").collect()
    };
    wait_until(PATIENCE, "three lines", async || lines().len() == 3).await;
    let lines = lines();
    let token = format!("file:{}", console.folder.path().join("operator").display());
    for (line, outcome) in lines.iter().zip(["done", "changed", "bad_condition"]) {
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(
            (&line["role"], &line["action"]),
            (&"operator".into(), &"integrations.put".into())
        );
        assert_eq!(
            (&line["id"], &line["token"]),
            (&"echo".into(), &token.clone().into())
        );
    }
    assert!(lines[0]["to"].is_u64(), "{}", lines[0]);
    let logs = service.logs();
    assert!(
        !logs.contains(OPERATOR) && !logs.contains("ECHO_SECRET"),
        "{logs}"
    );
}

#[tokio::test]
async fn what_is_made_by_a_form_is_named_in_the_log() {
    let console = Fixture::start().await;
    let variables = variables(console.nats.url(), &console.folder, OPERATOR);
    let service = Service::start("console", &variables).await;
    service.ready().await;
    let url = format!("http://{}", service.address("http").await);
    let operator = Browser::signed_in(url, OPERATOR).await;
    let small = [("id", "made"), ("url", "https://a.example/")];
    let text = [
        ("id", "written"),
        ("text", "id: written\nurl: https://a.example/\n"),
    ];
    for form in [small, text] {
        operator.post("/new-integration", &form).await.holds(303, &[]);
    }
    let made = || -> Vec<Value> {
        let logs = service.logs();
        let lines = logs
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["action"] == "integrations.put")
            .collect()
    };
    wait_until(PATIENCE, "two lines", async || made().len() == 2).await;
    for (line, id) in made().iter().zip(["made", "written"]) {
        assert_eq!(
            (&line["id"], &line["outcome"]),
            (&id.into(), &"done".into()),
            "{line}"
        );
        assert!(line["to"].is_u64(), "{line}");
    }
}
