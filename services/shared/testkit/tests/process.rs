//! The process fixture, with a stand-in for a service.

use testkit::client::client;
use testkit::process::{Namespace, Service};

const NAME: &str = "testkit-service";

async fn get(service: &Service, path: &str) -> reqwest::Result<String> {
    let url = format!("http://{}{path}", service.address("admin").await);
    client().get(url).send().await?.text().await
}

#[tokio::test]
async fn a_service_is_ready_only_when_it_says_so() {
    let service = Service::start(NAME, &[]).await;
    assert!(!service.is_ready().await);
    service.ready().await;
}

#[tokio::test]
async fn the_environment_is_what_the_test_gave_and_no_more() {
    let service = Service::start(NAME, &[("NATS_URL", "nats://x".to_owned())]).await;
    service.ready().await;
    assert_eq!(
        get(&service, "/environment").await.unwrap(),
        "ADDRESS_FILE NATS_URL PATH"
    );
}

#[tokio::test]
async fn sigterm_lets_a_service_end_in_order_and_its_output_is_kept() {
    let service = Service::start(NAME, &[]).await;
    assert!(service.terminate().await.success());
    assert_eq!(service.logs(), "bound\ndrained\n");
}

#[tokio::test]
async fn in_a_namespace_a_service_gets_its_signals_and_ends_by_them() {
    // As the first of its own where such can be made.
    let mut service = Service::start_in(Namespace::own_if_allowed(), NAME, &[]).await;
    service.pause().await;
    service.resume();
    assert!(service.terminate().await.success());
    service.restart().await;
    let before = service.pid();
    service.kill();
    assert!(!std::path::Path::new(&format!("/proc/{before}/exe")).exists());
    let logs = service.logs();
    assert!(logs.starts_with("bound\ndrained\nbound\n"), "{logs}");
}

#[tokio::test]
async fn sigkill_leaves_no_time_and_a_restart_binds_anew() {
    let mut service = Service::start(NAME, &[]).await;
    service.kill();
    assert!(!service.ended().await.success());
    service.restart().await;
    service.ready().await;
    assert_eq!(service.logs(), "bound\nbound\n");
}

#[tokio::test]
async fn a_paused_service_answers_when_it_is_resumed() {
    let service = Service::start(NAME, &[]).await;
    service.ready().await;
    service.pause().await;
    let asked = get(&service, "/environment");
    tokio::pin!(asked);
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(200), &mut asked)
            .await
            .is_err()
    );
    service.resume();
    assert!(asked.await.unwrap().contains("PATH"));
}

#[tokio::test]
async fn a_refused_configuration_is_seen_in_status_and_output() {
    let service = Service::spawn(NAME, &[("REFUSE", "1".to_owned())]);
    assert_eq!(service.ended().await.code(), Some(3));
    assert_eq!(service.logs(), "REFUSE is set\n");
}

#[tokio::test]
#[should_panic(expected = "REFUSE is set")]
async fn a_service_that_ends_instead_of_binding_fails_the_test_with_its_output() {
    Service::start(NAME, &[("REFUSE", "1".to_owned())]).await;
}
