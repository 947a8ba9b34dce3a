//! The life of a service, launched in this process.

use std::process::ExitCode;

use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;

use crate::tiny::{Launch, Task};

fn is(code: ExitCode, expected: ExitCode) -> bool {
    // The type has no equality; its text names the status.
    format!("{code:?}") == format!("{expected:?}")
}

async fn is_ready(launch: &Launch) -> bool {
    launch.ask("/readyz").await.0 == 200
}

#[tokio::test]
async fn a_service_waits_for_the_broker_alive_and_not_ready() {
    let mut server = NatsServer::start().await;
    server.kill();
    let launch = Launch::new(server.url());
    let starting = launch.start(Task::Obedient);
    let looking = async {
        assert_eq!(
            launch.ask("/readyz").await,
            (503, "broker\nstarting\n".to_owned())
        );
        assert_eq!(launch.ask("/healthz").await, (200, "ok\n".to_owned()));
        server.restart().await;
    };
    let (running, ()) = tokio::join!(starting, looking);
    wait_until(PATIENCE, "the service to be ready", async || {
        is_ready(&launch).await
    })
    .await;
    launch.shutdown.cancel();
    assert!(is(running.unwrap().finish().await, ExitCode::SUCCESS));
}

#[tokio::test]
async fn shutdown_ends_the_wait_for_the_broker() {
    let server = NatsServer::start().await;
    server.kill();
    let launch = Launch::new(server.url());
    let looking = async {
        launch.addresses().await;
        launch.shutdown.cancel();
    };
    let (running, ()) = tokio::join!(launch.start(Task::Obedient), looking);
    assert!(running.is_none());
}

#[tokio::test]
async fn a_lost_broker_makes_the_service_unready_and_not_unhealthy() {
    let mut server = NatsServer::start().await;
    let launch = Launch::new(server.url());
    let running = launch.start(Task::Obedient).await.unwrap();
    assert!(is_ready(&launch).await);
    server.kill();
    wait_until(PATIENCE, "the loss to be noticed", async || {
        !is_ready(&launch).await
    })
    .await;
    assert_eq!(launch.ask("/readyz").await, (503, "broker\n".to_owned()));
    assert_eq!(launch.ask("/healthz").await.0, 200);
    server.restart().await;
    wait_until(PATIENCE, "the broker to be found again", async || {
        is_ready(&launch).await
    })
    .await;
    drop(running);
}

#[tokio::test]
async fn every_line_of_the_metrics_is_a_series_of_the_service() {
    let server = NatsServer::start().await;
    let launch = Launch::new(server.url());
    let _running = launch.start(Task::Obedient).await.unwrap();
    let (status, text) = launch.ask("/metrics").await;
    assert_eq!(status, 200);
    let mut series = 0;
    for line in text
        .lines()
        .filter(|line| !line.starts_with("# HELP ") && !line.starts_with("# TYPE "))
    {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(name.starts_with("chatbot_") && name.ends_with('}'), "{line}");
        assert!(name.contains("service=\"tiny\""), "{line}");
        series += 1;
    }
    assert!(series > 0);
    assert!(
        text.contains("chatbot_messages_processed_total{outcome=\"done\",service=\"tiny\"} 0"),
        "{text}"
    );
}

#[tokio::test]
async fn a_service_says_what_it_is_and_when_it_started() {
    let server = NatsServer::start().await;
    let launch = Launch::new(server.url());
    let before = runtime::clock::now().0 / 1000;
    let _running = launch.start(Task::Obedient).await.unwrap();
    let (_, text) = launch.ask("/metrics").await;
    let labels = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\",service=\"tiny\"} 1");
    let mut lines = text.lines();
    let built = lines.find(|line| line.starts_with("chatbot_build_info{revision=\""));
    assert!(built.is_some_and(|line| line.ends_with(labels)), "{text}");
    let started = text
        .lines()
        .find_map(|line| line.strip_prefix("chatbot_start_time_seconds{service=\"tiny\"} "));
    let started: u64 = started.unwrap().parse().unwrap();
    assert!(
        (before..=runtime::clock::now().0 / 1000).contains(&started),
        "{started}"
    );
}

#[tokio::test]
async fn the_address_file_names_where_the_service_listens() {
    let server = NatsServer::start().await;
    let launch = Launch::new(server.url());
    let _running = launch.start(Task::Obedient).await.unwrap();
    let addresses = launch.addresses().await;
    assert_eq!(addresses.keys().collect::<Vec<_>>(), ["admin"]);
    assert_ne!(addresses["admin"].port(), 0);
}

#[tokio::test]
async fn a_drain_that_takes_too_long_ends_with_a_failure() {
    let server = NatsServer::start().await;
    let launch = Launch::new(server.url());
    let running = launch.start(Task::Stuck).await.unwrap();
    launch.shutdown.cancel();
    assert!(is(running.finish().await, ExitCode::FAILURE));
}

#[tokio::test]
async fn the_death_of_a_critical_task_ends_the_service_with_a_failure() {
    let server = NatsServer::start().await;
    for task in [Task::Failing, Task::Panicking] {
        let launch = Launch::new(server.url());
        let running = launch.start(task).await.unwrap();
        assert!(is(running.finish().await, ExitCode::FAILURE), "{task:?}");
        assert!(
            launch.shutdown.is_cancelled(),
            "{task:?}: the rest of the service goes on"
        );
    }
}
