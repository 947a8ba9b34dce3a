//! The host of files.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

use testkit::backend::Scripted;
use testkit::client::client;
use testkit::files::FileHost;

async fn get(url: &str) -> reqwest::Response {
    client().get(url).send().await.unwrap()
}

#[tokio::test]
async fn files_come_with_their_content_type_and_requests_are_counted() {
    let host = FileHost::start().await;
    let url = host.add("a/report.pdf", "application/pdf", vec![0, 159, 255]);
    for _ in 0..2 {
        let answer = get(&url).await;
        assert_eq!(answer.headers()["content-type"], "application/pdf");
        assert_eq!(answer.bytes().await.unwrap()[..], [0, 159, 255]);
    }
    assert_eq!(host.requests("a/report.pdf"), 2);
}

#[tokio::test]
async fn what_is_not_there_or_fails_says_so() {
    let host = FileHost::start().await;
    assert_eq!(get(&host.url("nowhere")).await.status(), 404);
    assert_eq!(host.requests("nowhere"), 1);
    let broken = host.add_script("broken", Scripted::status(500));
    assert_eq!(get(&broken).await.status(), 500);
}
