//! The command line, used as a person would: the real binary with a nats-server of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use testkit::condition::{PATIENCE, wait_for, wait_until};
use tokio::process::{Child, Command};

/// A folder for `chatbot up`, and the process while it runs.
struct Up {
    folder: tempfile::TempDir,
    process: Option<Child>,
}

/// What a command printed, and how it ended.
struct Said {
    status: ExitStatus,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            status: output.status,
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

fn command(run_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatbot"));
    command
        .arg("--run-dir")
        .arg(run_dir)
        .args(arguments)
        .env("NATS_SERVER_BIN", testkit::nats::locate())
        .env_remove("NATS_URL")
        .env_remove("CONSOLE_URL")
        .kill_on_drop(true);
    command
}

impl Up {
    async fn start() -> Self {
        let mut up = Self {
            folder: tempfile::tempdir().unwrap(),
            process: None,
        };
        up.again().await;
        up
    }

    /// Starts it again on the same folder.
    async fn again(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("up.log")).unwrap();
        let process = command(self.folder.path(), &["up"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let announced = self.folder.path().join("up.json");
        wait_until(PATIENCE, "the pipeline to be up", async || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", self.log());
            announced.exists()
        })
        .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("up.log")).unwrap()
    }

    async fn run(&self, arguments: &[&str]) -> Said {
        command(self.folder.path(), arguments)
            .output()
            .await
            .unwrap()
            .into()
    }

    async fn succeed(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments).await;
        assert!(
            said.status.success(),
            "{arguments:?}: {}{}\n{}",
            said.out,
            said.err,
            self.log()
        );
        said.out
    }

    async fn signal(&mut self, signal: &str) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        let pid = process.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        process.wait().await.unwrap()
    }

    fn nats_pid(&self) -> PathBuf {
        self.folder.path().join("nats/nats-server.pid")
    }

    fn manifest(&self, yaml: &str) -> String {
        let path = self.folder.path().join("manifest.yaml");
        std::fs::write(&path, yaml).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Up {
    /// A test that ends without a signal to `up` leaves its broker behind: it goes too.
    fn drop(&mut self) {
        self.process = None;
        if let Ok(pid) = std::fs::read_to_string(self.nats_pid()) {
            let (pid, run) = (pid.trim(), std::process::Command::new);
            let found = run("ps").args(["-p", pid, "-o", "comm="]).output().unwrap();
            if !String::from_utf8_lossy(&found.stdout).contains("nats-server") {
                return;
            }
            let killed = run("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
            assert!(killed.is_ok(), "{killed:?}");
        }
    }
}

/// A process of the number in a file lives.
async fn lives(pid_file: &Path) -> bool {
    let Ok(pid) = std::fs::read_to_string(pid_file) else {
        return false;
    };
    Command::new("kill")
        .args(["-0", pid.trim()])
        .stderr(Stdio::null())
        .status()
        .await
        .unwrap()
        .success()
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap()
}

/// The word that starts with `prefix`.
fn word<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.split_whitespace()
        .find(|word| word.starts_with(prefix))
        .unwrap()
}

#[tokio::test]
async fn the_demo_shows_three_replies_each_built_on_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let said: Said = command(folder.path(), &["demo"]).output().await.unwrap().into();
    assert!(said.status.success(), "{}{}", said.out, said.err);
    let replies: Vec<&str> = said
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("< ")?.split("   [").next())
        .collect();
    assert_eq!(
        replies,
        [
            "#1 You said: first",
            "#2 You said: second (after \"#1 You said: first\")",
            "#3 You said: third (after \"#2 You said: second\")",
        ]
    );
    assert!(said.out.contains("trace of msg_"), "{}", said.out);
}

#[tokio::test]
async fn a_message_is_sent_answered_and_traced_over_the_services() {
    let up = Up::start().await;
    let sent = up.succeed(&["send", "hello"]).await;
    assert!(sent.contains("#1 You said: hello"), "{sent}");
    let story = up.succeed(&["trace", word(&sent, "msg_")]).await;
    let stages: Vec<&str> = story
        .lines()
        .map(|line| line.split_whitespace().nth(2).unwrap())
        .collect();
    assert_eq!(stages, ["ingress", "context-builder", "webhook-caller", "egress"]);
    let traces: Vec<&str> = story.split("trace ").skip(1).map(first_word).collect();
    assert_eq!(traces.len(), 2);
    assert_eq!(
        traces[0], traces[1],
        "one trace id from ingress to the transcript"
    );

    let unknown = up.run(&["trace", "msg_a_b"]).await;
    assert!(
        !unknown.status.success() && unknown.err.contains("not in the inbox"),
        "{}",
        unknown.err
    );
}

#[tokio::test]
async fn a_manifest_is_refused_with_every_error_and_nothing_stored() {
    let up = Up::start().await;
    let bad = up.manifest(
        "integrations:\n  - {id: slow, url: 'https://a.example/', timeout: 20m, timeot: 1s}\n\
         bots:\n  - {id: b, name: B, integration: nowhere}\n",
    );
    let said = up.run(&["apply", "-f", &bad]).await;
    assert!(!said.status.success());
    for part in [
        "timeot: unknown key",
        "bots.b.integration",
        "integrations.slow.timeout: 20m is not within 1s to 10m",
    ] {
        assert!(said.err.contains(part), "{part} is missing in {}", said.err);
    }
    let refers_to_it = up.manifest("bots:\n  - {id: b, name: B, integration: slow}\n");
    assert!(
        !up.run(&["apply", "-f", &refers_to_it]).await.status.success(),
        "slow was stored"
    );
    let refers_to_echo = up.manifest("bots:\n  - {id: b, name: B, integration: echo}\n");
    assert!(
        up.succeed(&["apply", "-f", &refers_to_echo])
            .await
            .starts_with("stored: 0 integrations, 1 bots")
    );
}

#[tokio::test]
async fn a_failed_turn_is_listed_shown_replayed_and_purged() {
    let up = Up::start().await;
    let broken = up.manifest(
        "integrations:\n  - {id: broken, url: 'http://127.0.0.1:9/', retry: {attempts: 1, max_age: 0s}}\n\
         bots:\n  - {id: demo, name: Echo, integration: broken}\n",
    );
    up.succeed(&["apply", "-f", &broken]).await;
    let mut letters = Vec::new();
    for text in ["first", "second"] {
        let sent = up.succeed(&["send", text, "-c", text]).await;
        assert!(sent.contains("Sorry"), "{sent}");
        let story = up.succeed(&["trace", word(&sent, "msg_")]).await;
        letters.push(word(&story, "dl_").to_owned());
    }
    let listed = up
        .succeed(&[
            "dead-letters",
            "list",
            "--stage",
            "webhook-caller",
            "--class",
            "connect",
        ])
        .await;
    assert!(
        listed.contains(&letters[0]) && listed.ends_with("2 dead letters\n"),
        "{listed}"
    );
    for (filter, value, found) in [
        ("--stage", "egress", 0),
        ("--integration", "broken", 2),
        ("--integration", "echo", 0),
        ("--since", "1h", 2),
        ("--since", "0s", 0),
        ("--until", "0s", 2),
        ("--until", "1h", 0),
    ] {
        let listed = up.succeed(&["dead-letters", "list", filter, value]).await;
        assert!(
            listed.ends_with(&format!("{found} dead letters\n")),
            "{filter} {value}: {listed}"
        );
    }
    let story = up
        .succeed(&[
            "dead-letters",
            "list",
            "--conversation",
            &conversation_of(&letters[0], &up).await,
        ])
        .await;
    assert!(
        story.contains(&letters[0]) && story.ends_with("1 dead letter\n"),
        "{story}"
    );
    assert!(
        !up.run(&["dead-letters", "list", "--stage", "nonsense"])
            .await
            .status
            .success()
    );
    let shown = up.succeed(&["dead-letters", "show", &letters[0]]).await;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["attempts"][0]["class"], "connect");

    let mended = up.manifest("bots:\n  - {id: demo, name: Echo, integration: echo}\n");
    up.succeed(&["apply", "-f", &mended]).await;
    up.succeed(&["dead-letters", "replay", &letters[0]]).await;
    let next = up.succeed(&["send", "third", "-c", "first"]).await;
    // Both replies wait in the conversation by now; the replayed one came before.
    assert!(
        next.contains("You said: first") || next.contains("after \"#1 You said: first\""),
        "{next}"
    );

    assert!(
        !up.run(&["dead-letters", "purge"]).await.status.success(),
        "which one was not said"
    );
    assert_eq!(
        up.succeed(&["dead-letters", "purge", "--all"]).await,
        "1 removed\n"
    );
    assert_eq!(up.succeed(&["dead-letters", "list"]).await, "0 dead letters\n");
}

/// The conversation that a dead letter's work belongs to.
async fn conversation_of(letter: &str, up: &Up) -> String {
    let shown = up.succeed(&["dead-letters", "show", letter]).await;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let subject = shown["subject"].as_str().unwrap();
    subject.strip_prefix("turns.").unwrap().to_owned()
}

#[tokio::test]
async fn output_that_nobody_reads_is_no_fault() {
    let up = Up::start().await;
    let mut listing = command(up.folder.path(), &["dead-letters", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(listing.stdout.take());
    let said: Said = listing.wait_with_output().await.unwrap().into();
    assert!(said.status.success() && said.err.is_empty(), "{}", said.err);
}

#[tokio::test]
async fn a_webhook_that_fails_is_left_in_peace_until_it_is_asked_again() {
    let up = Up::start().await;
    let broken = up.manifest(
        "integrations:\n  - id: broken\n    url: 'http://127.0.0.1:9/'\n    retry: {attempts: 1, max_age: 0s}\n    \
         limits: {breaker: {calls: 1, pause: 60s}}\n\
         bots:\n  - {id: demo, name: Echo, integration: broken}\n",
    );
    up.succeed(&["apply", "-f", &broken]).await;
    assert_eq!(
        up.succeed(&["breakers", "list"]).await,
        "0 integrations are left in peace\n"
    );
    let sent = up.succeed(&["send", "first"]).await;
    assert!(sent.contains("Sorry"), "{sent}");
    let listed = wait_for(PATIENCE, "the breaker to be open", async || {
        let listed = up.succeed(&["breakers", "list"]).await;
        listed.starts_with("broken").then_some(listed)
    })
    .await;
    assert!(
        listed.starts_with("broken  open  connect, found failing 1 times"),
        "{listed}"
    );

    assert_eq!(
        up.succeed(&["breakers", "close", "broken"]).await,
        "broken is asked again\n"
    );
    assert_eq!(
        up.succeed(&["breakers", "list"]).await,
        "0 integrations are left in peace\n"
    );
    let again = up.run(&["breakers", "close", "broken"]).await;
    assert!(
        !again.status.success() && again.err.contains("is closed"),
        "{}",
        again.err
    );
}

#[tokio::test]
async fn the_arms_of_a_split_are_counted_with_what_the_fallback_did_for_them() {
    let up = Up::start().await;
    up.succeed(&["send", "before there was a split"]).await;
    let split = up.manifest(
        "integrations:\n  - {id: broken, url: 'http://127.0.0.1:9/', retry: {attempts: 1, max_age: 0s}}\n\
         bots:\n  - id: demo\n    name: Echo\n    fallback: echo\n    split:\n      \
         arms: [{integration: echo, weight: 1}, {integration: broken, weight: 1}]\n",
    );
    up.succeed(&["apply", "-f", &split]).await;
    let mut messages = Vec::new();
    for conversation in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        let sent = up.succeed(&["send", "hello", "-c", conversation]).await;
        assert!(sent.contains("#1 You said: hello"), "{sent}");
        messages.push(word(&sent, "msg_").to_owned());
    }
    wait_until(PATIENCE, "all transcripts", async || {
        up.succeed(&["ab", "demo"]).await.contains(" 9 turns ")
    })
    .await;

    let counted = up.succeed(&["ab", "demo", "--json"]).await;
    let counted: serde_json::Value = serde_json::from_str(&counted).unwrap();
    let (echo, broken) = (&counted["arms"][0], &counted["arms"][1]);
    let number = |line: &serde_json::Value, field: &str| line[field].as_u64().unwrap();
    assert_eq!(number(echo, "turns") + number(broken, "turns"), 8);
    for line in [echo, broken] {
        assert!(number(line, "turns") > 0, "{counted}");
        assert_eq!(line["answered"], line["turns"]);
        assert_eq!((number(line, "failed"), number(line, "weight")), (0, 1));
    }
    assert_eq!(
        (number(echo, "by_fallback"), &echo["mean_attempts"]),
        (0, &1.0.into())
    );
    assert!(echo["webhook_millis"]["p99"].is_u64(), "{counted}");
    assert_eq!(broken["by_fallback"], broken["turns"]);
    assert_eq!(broken["mean_attempts"], 2.0);
    assert!(broken["webhook_millis"].is_null(), "{counted}");
    assert_eq!(counted["outside"][0]["turns"], 1);

    let mut traced_to_broken = 0;
    for message in &messages {
        let story = up.succeed(&["trace", message]).await;
        let by_fallback = story.contains("asked echo (arm broken), 2 attempts");
        assert!(
            by_fallback || story.contains("asked echo (arm echo), 1 attempts"),
            "{story}"
        );
        traced_to_broken += u64::from(by_fallback);
    }
    assert_eq!(traced_to_broken, number(broken, "turns"));

    let shown = up.succeed(&["ab", "demo"]).await;
    assert!(
        shown.starts_with("demo: split by conversation, 9 turns in the last 1day\n"),
        "{shown}"
    );
    let none = up.succeed(&["ab", "demo", "--since", "0s"]).await;
    assert!(none.contains(" 0 turns in the last 0s"), "{none}");
    let unknown = up.run(&["ab", "nobody"]).await;
    assert!(
        !unknown.status.success() && unknown.err.contains("there is no bot nobody"),
        "{}",
        unknown.err
    );
}

#[tokio::test]
async fn an_integration_is_tested_with_request_latency_and_reply_or_hint() {
    let up = Up::start().await;
    let tested = up
        .succeed(&["test-integration", "echo", "--message", "Hello!"])
        .await;
    for part in [
        "POST http://127.0.0.1:",
        "\"test_user\"",
        "HTTP 200: a reply",
        "total",
        "You said: Hello!",
    ] {
        assert!(tested.contains(part), "{part} is missing in {tested}");
    }
    let preview = ["test-integration", "echo", "-m", "Hello!", "--preview"];
    let previewed = up.succeed(&preview).await;
    assert!(previewed.ends_with("Nothing was sent.\n"), "{previewed}");

    let inside = up.manifest("integrations:\n  - {id: inside, url: 'https://10.0.0.1/'}\n");
    up.succeed(&["apply", "-f", &inside]).await;
    let denied = up
        .run(&["test-integration", "inside", "-m", "Hello!", "--json"])
        .await;
    assert_eq!(denied.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_str(&denied.out).unwrap();
    assert_eq!(report["outcome"]["class"], "denied");
    assert!(!report["outcome"]["hint"].as_str().unwrap().is_empty());

    let unknown = up.run(&["test-integration", "nowhere", "-m", "Hello!"]).await;
    assert!(!unknown.status.success());
    assert_eq!(unknown.err, "error: there is no integration nowhere\n");
}

#[tokio::test]
async fn the_admin_api_tests_an_integration_as_well() {
    let up = Up::start().await;
    let announced = std::fs::read(up.folder.path().join("up.json")).unwrap();
    let announced: serde_json::Value = serde_json::from_slice(&announced).unwrap();
    let text = |name: &str| announced[name].as_str().unwrap().to_owned();
    let url = format!("{}/v1/integrations/echo/test", text("console"));
    let request = testkit::client::client()
        .post(url)
        .bearer_auth(text("console_token"))
        .body(r#"{"message": "Hello!"}"#);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let report: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(report["outcome"]["content"], "#1 You said: Hello!");
    assert!(report["latency"]["first_byte_micros"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_test_without_anyone_to_make_it_says_so() {
    let server = testkit::nats::NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = async |url: &str, arguments: &[&str]| -> Said {
        let mut all = vec!["--nats-url", url];
        all.extend(arguments);
        command(folder.path(), &all).output().await.unwrap().into()
    };
    assert!(at(server.url(), &["bootstrap"]).await.status.success());
    let manifest = folder.path().join("manifest.yaml");
    std::fs::write(
        &manifest,
        "integrations:\n  - {id: lonely, url: 'https://a.example/'}\n",
    )
    .unwrap();
    let applied = at(server.url(), &["apply", "-f", manifest.to_str().unwrap()]).await;
    assert!(applied.status.success(), "{}", applied.err);
    let test = ["test-integration", "lonely", "-m", "Hello!"];
    let nobody = at(server.url(), &test).await;
    assert!(nobody.err.contains("no webhook-caller answers"), "{}", nobody.err);

    let no_broker = at("nats://127.0.0.1:9", &test).await;
    assert!(
        no_broker.err.contains("no broker answers at nats://127.0.0.1:9"),
        "{}",
        no_broker.err
    );
}

impl Up {
    /// Runs a command over the admin API, with nothing that leads to the broker.
    async fn run_over_server(&self, arguments: &[&str]) -> Said {
        let announced = std::fs::read(self.folder.path().join("up.json")).unwrap();
        let announced: serde_json::Value = serde_json::from_slice(&announced).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        command(elsewhere.path(), arguments)
            .env("CONSOLE_URL", announced["console"].as_str().unwrap())
            .env("CONSOLE_TOKEN", announced["console_token"].as_str().unwrap())
            .output()
            .await
            .unwrap()
            .into()
    }

    async fn succeed_over_server(&self, arguments: &[&str]) -> String {
        let said = self.run_over_server(arguments).await;
        assert!(
            said.status.success(),
            "{arguments:?}: {}{}\n{}",
            said.out,
            said.err,
            self.log()
        );
        said.out
    }
}

#[tokio::test]
async fn over_a_console_commands_print_what_they_print_over_the_broker() {
    let up = Up::start().await;
    let broken = up.manifest(
        "integrations:\n  - id: broken\n    url: 'http://127.0.0.1:9/'\n    retry: {attempts: 1, max_age: 0s}\n    \
         limits: {breaker: {calls: 1, pause: 60s}}\n\
         bots:\n  - {id: demo, name: Echo, integration: broken}\n",
    );
    let stored = up.succeed_over_server(&["apply", "-f", &broken]).await;
    assert_eq!(stored, "stored: 1 integrations, 1 bots, 0 connections\n");
    let sent = up.succeed(&["send", "first"]).await;
    assert!(sent.contains("Sorry"), "{sent}");
    let message = word(&sent, "msg_").to_owned();
    wait_until(PATIENCE, "the breaker to be open", async || {
        up.succeed(&["breakers", "list"]).await.starts_with("broken")
    })
    .await;
    wait_until(PATIENCE, "the transcript", async || {
        up.succeed(&["trace", &message]).await.contains("egress")
    })
    .await;
    let story = up.succeed(&["trace", &message]).await;
    let letter = word(&story, "dl_").to_owned();
    for arguments in [
        &["trace", &*message][..],
        &["breakers", "list"],
        &["dead-letters", "list"],
        &["dead-letters", "list", "--class", "connect", "--since", "1h"],
        &["dead-letters", "list", "--until", "0s"],
        &["dead-letters", "list", "--stage", "egress"],
        &["dead-letters", "show", &letter],
        &["ab", "demo"],
        &["ab", "demo", "--json"],
    ] {
        let over_broker = up.succeed(arguments).await;
        assert_eq!(
            up.succeed_over_server(arguments).await,
            over_broker,
            "{arguments:?}"
        );
    }
    for arguments in [
        &["trace", "msg_a_b"][..],
        &["trace", "nonsense"],
        &["breakers", "close", "echo"],
        &["dead-letters", "show", "dl_none"],
        &["dead-letters", "purge"],
        &["dead-letters", "list", "--stage", "nonsense"],
    ] {
        let (over_broker, over_server) = (up.run(arguments).await, up.run_over_server(arguments).await);
        assert!(!over_server.status.success(), "{arguments:?}");
        assert_eq!(over_server.err, over_broker.err, "{arguments:?}");
    }
}

#[tokio::test]
async fn over_a_console_dead_letters_breakers_and_conversations_are_dealt_with() {
    let up = Up::start().await;
    let broken = up.manifest(
        "integrations:\n  - id: broken\n    url: 'http://127.0.0.1:9/'\n    retry: {attempts: 1, max_age: 0s}\n    \
         limits: {breaker: {calls: 1, pause: 60s}}\n\
         bots:\n  - {id: demo, name: Echo, integration: broken}\n",
    );
    up.succeed_over_server(&["apply", "-f", &broken]).await;
    let sent = up.succeed(&["send", "first", "-c", "one"]).await;
    let story = up.succeed(&["trace", word(&sent, "msg_")]).await;
    let conversation = conversation_of(word(&story, "dl_"), &up).await;
    wait_until(PATIENCE, "the breaker to be open", async || {
        up.succeed(&["breakers", "list"]).await.starts_with("broken")
    })
    .await;
    assert_eq!(
        up.succeed_over_server(&["breakers", "close", "broken"]).await,
        "broken is asked again\n"
    );
    let mended = up.manifest("bots:\n  - {id: demo, name: Echo, integration: echo}\n");
    up.succeed_over_server(&["apply", "-f", &mended]).await;
    let replayed = up.succeed_over_server(&["dead-letters", "replay", "--all"]).await;
    assert!(
        replayed.contains("asked again as msg_") && replayed.ends_with("1 replayed, 0 left\n"),
        "{replayed}"
    );
    let purge = ["dead-letters", "purge", "--all", "--class", "connect"];
    assert_eq!(up.succeed_over_server(&purge).await, "0 removed\n");

    let unasked = up
        .run_over_server(&["forget", "--conversation", &conversation])
        .await;
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    let forget = ["forget", "--conversation", &conversation, "--yes"];
    let forgotten = up.succeed_over_server(&forget).await;
    assert!(forgotten.contains("removed:\n"), "{forgotten}");
    let tested = up
        .succeed_over_server(&["test-integration", "echo", "-m", "Hello!"])
        .await;
    assert!(tested.contains("You said: Hello!"), "{tested}");
    let preview = ["test-integration", "echo", "-m", "Hello!", "--preview"];
    let previewed = up.succeed_over_server(&preview).await;
    assert!(previewed.ends_with("Nothing was sent.\n"), "{previewed}");
}

#[tokio::test]
async fn a_console_refuses_a_manifest_whole_and_says_when_it_has_no_use_for_a_command_or_a_token() {
    let up = Up::start().await;
    let bad = up.manifest(
        "integrations:\n  - {id: slow, url: 'https://a.example/', timeout: 20m, timeot: 1s}\n\
         bots:\n  - {id: b, name: B, integration: nowhere}\n  - {id: c, name: C, integration: echo}\n",
    );
    let (over_server, over_broker) = (
        up.run_over_server(&["apply", "-f", &bad]).await,
        up.run(&["apply", "-f", &bad]).await,
    );
    assert!(!over_server.status.success());
    assert_eq!(over_server.err, over_broker.err);
    let unknown = up.run_over_server(&["ab", "c"]).await;
    assert!(unknown.err.contains("there is no bot c"), "{}", unknown.err);

    let bootstrap = up.run_over_server(&["bootstrap"]).await;
    assert!(bootstrap.err.contains("works on the broker"), "{}", bootstrap.err);
    let folder = up.folder.path();
    let at = async |server: &str, token: Option<&str>| -> Said {
        let mut asking = command(folder, &["--server", server, "breakers", "list"]);
        asking.env_remove("CONSOLE_TOKEN");
        asking.envs(token.map(|token| ("CONSOLE_TOKEN", token)));
        asking.output().await.unwrap().into()
    };
    let announced = std::fs::read(folder.join("up.json")).unwrap();
    let announced: serde_json::Value = serde_json::from_slice(&announced).unwrap();
    let console = announced["console"].as_str().unwrap();
    let none = at(console, None).await;
    assert!(none.err.contains("no token for the console"), "{}", none.err);
    let wrong = at(console, Some("a-wrong-token-of-the-tests")).await;
    assert!(
        wrong.err.contains("show a token of the console") && !wrong.err.contains("a-wrong-token"),
        "{}",
        wrong.err
    );
    let nobody = at("http://127.0.0.1:9", Some("any")).await;
    assert!(nobody.err.contains("does not answer"), "{}", nobody.err);
    let ingress = at(announced["ingress"].as_str().unwrap(), Some("any")).await;
    assert!(ingress.err.contains("not as a console does"), "{}", ingress.err);
}

#[tokio::test]
async fn a_token_is_read_from_its_file() {
    let up = Up::start().await;
    let announced = std::fs::read(up.folder.path().join("up.json")).unwrap();
    let announced: serde_json::Value = serde_json::from_slice(&announced).unwrap();
    let file = up.folder.path().join("token");
    std::fs::write(&file, announced["console_token"].as_str().unwrap()).unwrap();
    let arguments = [
        "--server",
        announced["console"].as_str().unwrap(),
        "--server-token-file",
        file.to_str().unwrap(),
        "breakers",
        "list",
    ];
    assert_eq!(up.succeed(&arguments).await, "0 integrations are left in peace\n");
}

#[tokio::test]
async fn an_interrupt_stops_the_broker_too_and_the_conversation_goes_on_next_time() {
    let mut up = Up::start().await;
    up.succeed(&["send", "before"]).await;
    assert!(lives(&up.nats_pid()).await);
    assert!(up.signal("-INT").await.success(), "{}", up.log());
    assert!(!lives(&up.nats_pid()).await, "the broker is left behind");
    assert!(!up.run(&["send", "nobody"]).await.status.success());
    up.again().await;
    let sent = up.succeed(&["send", "after"]).await;
    assert!(
        sent.contains("#2 You said: after (after \"#1 You said: before\")"),
        "{sent}"
    );
}

#[tokio::test]
async fn a_broker_that_a_killed_process_left_behind_is_stopped_first() {
    let mut up = Up::start().await;
    up.succeed(&["send", "before"]).await;
    let left = std::fs::read_to_string(up.nats_pid()).unwrap();
    up.signal("-KILL").await;
    assert!(
        lives(&up.nats_pid()).await,
        "there is nothing left behind to stop"
    );
    std::fs::remove_file(up.folder.path().join("up.json")).unwrap();
    up.again().await;
    assert_ne!(std::fs::read_to_string(up.nats_pid()).unwrap(), left);
    let sent = up.succeed(&["send", "after"]).await;
    assert!(sent.contains("after \"#1 You said: before\""), "{sent}");
    up.signal("-TERM").await;
}
