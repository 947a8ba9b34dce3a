//! What the services show to a scraper: `deploy/metrics.md` says all of it and nothing else.
//!
//! `UPDATE=1 cargo test -p tests --test e2e metrics::` (`make metrics`) writes the tables there.

mod table;

use std::fs;
use std::path::{Path, PathBuf};

use proto_schemas::dead_letter::Stage;
use testkit::backend::{always, fail_first};
use testkit::condition::{PATIENCE, wait_until};
use testkit::process::Service;
use tests::fleet::environment;

use crate::discord_gateway;
use crate::manifest::{FRAGILE, WEB};
use crate::pipeline::{Options, Pipeline, echoed};
use table::Table;

/// What stands above it in the document is written by people.
const MARK: &str = "<!-- What follows is written by `make metrics`. -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All services, the optional ones too, when each has had something to do.
async fn everything_shown() -> Table {
    let (pipeline, _discord) = discord_gateway::start().await;
    let token = ("CONSOLE_BEARER_TOKEN", "a-token-of-the-tests".to_owned());
    let mut env = environment(pipeline.nats.url(), &[]);
    env.push(token);
    let console = Service::start("console", &env).await;
    console.ready().await;
    pipeline.say(WEB, "ada", "hello").await;
    pipeline.replies("ada", 1).await;
    pipeline.settled().await;

    let mut table = Table::default();
    for stage in Stage::ALL {
        let text = Pipeline::metrics(pipeline.service(stage)).await;
        table.add(stage.as_str(), &text);
    }
    table.add("console", &Pipeline::metrics(&console).await);
    table
}

#[tokio::test]
async fn the_documented_metrics_are_those_that_the_services_show() {
    let table = everything_shown().await;
    let shown: Vec<&str> = table.names().collect();
    let mut declared = declared_names();
    declared.retain(|name| !shown.contains(&format!("chatbot_{name}").as_str()));
    assert!(
        declared.is_empty(),
        "the sources declare what no service showed: {declared:?}"
    );

    let document = root().join("deploy/metrics.md");
    let committed = fs::read_to_string(&document).unwrap();
    let (by_hand, _) = committed.split_once(MARK).unwrap();
    let generated = format!("{by_hand}{MARK}\n{}", table.render());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&document, &generated).unwrap();
        return;
    }
    assert_eq!(committed, generated, "run `make metrics`");
}

/// The names of the metrics that the sources declare.
fn declared_names() -> Vec<String> {
    let mut declared = Vec::new();
    visit(&root().join("services"), &mut |source| {
        for declaration in [".counters(", ".gauge(", ".gauges(", ".histograms("] {
            let calls = source.split(declaration).skip(1);
            let names = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
            declared.extend(names.map(str::to_owned));
        }
    });
    assert!(
        declared.len() > 30,
        "the sources are written otherwise: {declared:?}"
    );
    declared
}

fn visit(folder: &Path, look: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// How many messages' ages a service has counted at their end.
async fn ages(pipeline: &Pipeline, stage: Stage, outcome: &str) -> u64 {
    let labels = format!("outcome=\"{outcome}\",service=\"{}\"", stage.as_str());
    let series = format!("chatbot_pipeline_age_seconds_count{{{labels}}}");
    Pipeline::count(pipeline.service(stage), &series).await
}

#[tokio::test]
async fn each_question_and_each_reply_is_one_age_whatever_was_tried_again() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.backend.respond_with(fail_first(1, 503));
    pipeline.say(WEB, "ada", "hello").await;
    assert_eq!(pipeline.replies("ada", 1).await, [echoed(&["hello"])]);
    pipeline.settled().await;
    for stage in [Stage::WebhookCaller, Stage::Egress] {
        let counted = [
            ages(&pipeline, stage, "done").await,
            ages(&pipeline, stage, "dead_letter").await,
        ];
        assert_eq!(counted, [1, 0], "{}", stage.as_str());
    }
}

#[tokio::test]
async fn dead_letters_that_are_kept_are_shown() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    pipeline.backend.respond_with(always(500));
    pipeline.say(FRAGILE, "ada", "hard").await;
    pipeline.replies("ada", 1).await;
    pipeline.settled().await;
    assert_eq!(ages(&pipeline, Stage::WebhookCaller, "dead_letter").await, 1);
    let buried_at = pipeline.dead_letters().await[0].buried_at.0 / 1000;
    // It looks when it starts, and then now and then.
    pipeline.restart(Stage::Ingress).await;
    let ingress = pipeline.service(Stage::Ingress);
    let shown =
        async |name: &str| Pipeline::count(ingress, &format!("chatbot_{name}{{service=\"ingress\"}}")).await;
    wait_until(PATIENCE, "the first look", async || {
        shown("dead_letters").await == 1
    })
    .await;
    let oldest = shown("dead_letters_oldest_timestamp_seconds").await;
    assert!(oldest.abs_diff(buried_at) <= 1, "{oldest} {buried_at}");
}
