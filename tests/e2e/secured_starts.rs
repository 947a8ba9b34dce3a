//! Services that start on a broker that speaks TLS and knows its users, while something is not as it should be.

use proto_schemas::access::{BOOTSTRAP, OPERATOR};
use proto_schemas::dead_letter::Stage;
use testkit::authority::Authority;
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::{NatsServer, locate};
use testkit::process::{Service, binary};
use tests::fleet::{Environment, environment};
use tests::secured::Secured;
use tokio::process::Command;

use crate::pipeline::Pipeline;

fn environment_of(secured: &Secured, server: &NatsServer, user: &str) -> Environment {
    let mut env = environment(&Secured::url(server), &[]);
    env.extend(secured.environment(user));
    env
}

/// Waits until a service says something, and asserts that it is not ready.
async fn complains(service: &Service, text: &str) {
    let what = format!("{text:?} in its log");
    wait_until(PATIENCE, &what, async || service.logs().contains(text)).await;
    assert!(!service.is_ready().await);
}

async fn is_shown_as_unconnected(egress: &Service) {
    let shown = Pipeline::metrics(egress).await;
    assert!(
        shown.contains("chatbot_nats_connected{service=\"egress\"} 0\n"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_service_without_the_right_to_create_waits_for_bootstrap_and_says_so() {
    let secured = Secured::new();
    let server = secured.start().await;
    let env = environment_of(&secured, &server, "webhook-caller");
    let service = Service::start("webhook-caller", &env).await;
    complains(&service, "`chatbot bootstrap` creates what is missing").await;
    assert!(
        service.logs().contains("TURNS/webhook-caller"),
        "{}",
        service.logs()
    );

    let mut bootstrap = Command::from(secured.chatbot(BOOTSTRAP, &server));
    let done = bootstrap.arg("bootstrap").output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("created INBOX\n"),
        "{said}"
    );
    service.ready().await;
    assert!(!server.log().contains("Violation"), "{}", server.log());
}

#[tokio::test]
async fn bootstrap_with_the_key_of_another_user_fails_and_names_what_is_refused() {
    let secured = Secured::new();
    let server = secured.start().await;
    let mut bootstrap = Command::from(secured.chatbot(OPERATOR, &server));
    let done = bootstrap.arg("bootstrap").output().await.unwrap();
    let complained = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && done.stdout.is_empty(), "{complained}");
    let refused = ["Permissions Violation for Subscription", "_INBOX_bootstrap."];
    assert!(
        refused.iter().all(|text| complained.contains(text)),
        "{complained}"
    );
}

#[tokio::test]
async fn the_servers_configuration_is_whole_with_the_keys_that_are_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let (keys, tls) = (folder.path().join("keys"), folder.path().join("tls"));
    let made = Command::new(binary("chatbot"))
        .arg("nats-keys")
        .arg(&keys)
        .output()
        .await
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let authority = Authority::new();
    std::fs::create_dir(&tls).unwrap();
    std::fs::copy(authority.certificate(), tls.join("tls.crt")).unwrap();
    std::fs::copy(authority.key(), tls.join("tls.key")).unwrap();
    for name in ["nats.conf", "secure.conf"] {
        let committed = format!("{}/../deploy/nats/{name}", env!("CARGO_MANIFEST_DIR"));
        let here = std::fs::read_to_string(committed)
            .unwrap()
            .replace("/etc/nats", &place.to_string());
        std::fs::write(folder.path().join(name), here).unwrap();
    }
    let mut check = Command::new(locate());
    let checked = check
        .arg("-t")
        .arg("-c")
        .arg(folder.path().join("secure.conf"))
        .output()
        .await
        .unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[tokio::test]
async fn a_subject_of_another_user_is_refused_and_seen_in_metric_and_log() {
    let secured = Secured::new();
    let server = secured.start().await;
    let _topology = secured.connect(&server).await;
    let env = environment_of(&secured, &server, "console");
    let service = Service::start(Stage::Egress.as_str(), &env).await;
    complains(&service, "this user of the broker has no right to do so").await;
    assert!(service.logs().contains("_INBOX_egress."), "{}", service.logs());
    let series = "chatbot_nats_permission_errors_total{service=\"egress\"}";
    assert!(Pipeline::count(&service, series).await > 0);
    assert!(server.log().contains("Violation"), "{}", server.log());
}

#[tokio::test]
async fn a_broker_whose_authority_is_another_is_not_trusted_and_the_log_says_so() {
    let secured = Secured::new();
    let server = secured.start().await;
    let mut env = environment_of(&secured, &server, "egress");
    let other = Authority::new();
    env.push(("NATS_CA_FILE", other.roots().display().to_string()));
    let service = Service::start(Stage::Egress.as_str(), &env).await;
    complains(&service, "invalid peer certificate").await;
    is_shown_as_unconnected(&service).await;
}

#[tokio::test]
async fn a_broker_without_tls_is_not_talked_to_where_an_authority_is_given() {
    let secured = Secured::new();
    let server = NatsServer::start().await;
    let mut env = environment(server.url(), &[]);
    env.push(("NATS_CA_FILE", secured.authority.roots().display().to_string()));
    let service = Service::start(Stage::Egress.as_str(), &env).await;
    complains(&service, "waiting for the broker").await;
    is_shown_as_unconnected(&service).await;
}

#[tokio::test]
async fn a_key_that_the_broker_does_not_know_is_refused_and_not_shown() {
    let (secured, strangers) = (Secured::new(), Secured::new());
    let server = secured.start().await;
    let mut env = environment_of(&strangers, &server, "egress");
    env.push(("NATS_CA_FILE", secured.authority.roots().display().to_string()));
    let service = Service::start(Stage::Egress.as_str(), &env).await;
    complains(&service, "authorization violation").await;
    let seed = strangers.identity("egress").key.unwrap().seed().to_owned();
    assert!(!service.logs().contains(&seed));
}
