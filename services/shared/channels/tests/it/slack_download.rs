//! Users' files on Slack.

use channels::{DownloadError, Downloaded};
use proto_schemas::content::{FileLocation, FileSource};
use serde_json::{Value, json};

use crate::accounts::{self, SLACK_TOKEN};
use crate::platform::{Answer, Platform, answer, client};

const LIMIT: u64 = 1000;
const NOW: u64 = 1_766_458_100;

fn source(mime_type: Option<&str>) -> FileSource {
    FileSource {
        name: "a.pdf".to_owned(),
        mime_type: mime_type.map(str::to_owned),
        bytes: None,
        location: FileLocation::Platform {
            file_id: "F0RDC39U1".to_owned(),
        },
    }
}

/// The answer of `files.info`, for a file at `url`.
fn info(url: &str, more: Value) -> Answer {
    let mut file = json!({"id": "F0RDC39U1", "mode": "hosted", "mimetype": "application/pdf",
        "url_private": "https://files.slack.test/other", "url_private_download": url});
    file.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    answer(200, json!({"ok": true, "file": file, "comments": []}).to_string())
}

/// A platform that says where the file is and then answers so.
async fn serving(more: Value, replies: impl IntoIterator<Item = Answer>) -> Platform {
    let platform = Platform::start([]).await;
    platform.add([info(&format!("{}files-pri/a.pdf", platform.url), more)]);
    platform.add(replies);
    platform
}

async fn fetch(platform: &Platform, file: &FileSource) -> Result<Downloaded, DownloadError> {
    accounts::slack(&format!("{}api", platform.url))
        .download(&client(), file, LIMIT, NOW)
        .await
}

async fn class(platform: &Platform) -> String {
    let (class, detail) = match fetch(platform, &source(None)).await {
        Ok(_) => return "ok".to_owned(),
        Err(DownloadError::Transient { class, detail }) => (format!("transient {class}"), detail),
        Err(DownloadError::Permanent { class, detail }) => (format!("permanent {class}"), detail),
    };
    assert!(
        !detail.contains("xoxb") && !detail.contains("://"),
        "no error shows where the file was: {detail}"
    );
    class
}

#[tokio::test]
async fn a_file_is_asked_for_and_then_fetched_with_the_token() {
    let platform = serving(json!({"size": 5}), [answer(200, "hello")]).await;
    let file = fetch(&platform, &source(None)).await.unwrap();
    assert_eq!(
        (&file.bytes[..], file.mime_type.as_deref()),
        (&b"hello"[..], Some("application/pdf"))
    );
    let seen = platform.seen();
    assert_eq!(seen[0].path, "/api/files.info");
    assert_eq!(seen[0].text(), "file=F0RDC39U1");
    assert_eq!(seen[1].path, "/files-pri/a.pdf");
    for call in seen {
        assert_eq!(call.header("authorization"), format!("Bearer {SLACK_TOKEN}"));
    }
}

#[tokio::test]
async fn a_page_to_sign_in_at_is_no_file_unless_a_page_was_sent() {
    let page =
        || answer(200, "<html>Sign in to Slack</html>").with("content-type", "text/html; charset=utf-8");
    let platform = serving(json!({}), [page()]).await;
    assert_eq!(class(&platform).await, "permanent html_instead_of_file");
    let platform = serving(json!({"size": 29}), [page()]).await;
    assert!(fetch(&platform, &source(Some("text/html"))).await.is_ok());
    let platform = serving(json!({"size": 12}), [page()]).await;
    let outcome = fetch(&platform, &source(Some("text/html"))).await;
    assert!(
        matches!(
            outcome,
            Err(DownloadError::Transient {
                class: "wrong_size",
                ..
            })
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_file_is_followed_inside_slack_and_nowhere_else() {
    let moved = |to: &str| answer(302, "").with("location", to);
    let platform = serving(json!({}), [moved("/elsewhere"), answer(200, "x")]).await;
    assert_eq!(class(&platform).await, "ok");
    assert_eq!(platform.seen()[2].path, "/elsewhere");
    let stranger = Platform::start([answer(200, "x")]).await;
    let foreign = stranger.url.replace("127.0.0.1", "localhost");
    let platform = serving(json!({}), [moved(&foreign)]).await;
    assert_eq!(class(&platform).await, "permanent misplaced");
    assert_eq!(stranger.seen().len(), 0, "no other host is shown the token");
    let circle = serving(json!({}), [moved("/a"), moved("/b"), moved("/c")]).await;
    assert_eq!(class(&circle).await, "permanent redirected");
    let nowhere = serving(json!({}), [answer(302, "")]).await;
    assert_eq!(class(&nowhere).await, "permanent redirected");
}

#[tokio::test]
async fn an_address_outside_of_slack_is_not_asked() {
    let platform = Platform::start([info("https://example.com/a.pdf", json!({}))]).await;
    assert_eq!(class(&platform).await, "permanent misplaced");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_fetched() {
    let platform = serving(json!({"size": LIMIT + 1}), []).await;
    assert_eq!(class(&platform).await, "permanent too_large");
    assert_eq!(platform.seen().len(), 1);
    let announced = FileSource {
        bytes: Some(LIMIT + 1),
        ..source(None)
    };
    let never_asked = Platform::start([]).await;
    let outcome = fetch(&never_asked, &announced).await;
    assert!(
        matches!(
            outcome,
            Err(DownloadError::Permanent {
                class: "too_large",
                ..
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(never_asked.seen().len(), 0);
}

#[tokio::test]
async fn each_way_in_which_a_file_is_not_there_has_its_class() {
    for (more, expected) in [
        (json!({"mode": "external"}), "permanent external_file"),
        (json!({"mode": "tombstone"}), "permanent not_found"),
        (json!({"mode": "hidden_by_limit"}), "permanent not_found"),
        (
            json!({"url_private": null, "url_private_download": null}),
            "permanent no_address",
        ),
    ] {
        assert_eq!(class(&serving(more, []).await).await, expected);
    }
    for (code, expected) in [
        ("file_not_found", "permanent file_refused"),
        ("missing_scope", "permanent unauthorized"),
        ("ratelimited", "transient rate_limited"),
        ("fatal_error", "transient server_error"),
    ] {
        let refused = answer(200, json!({"ok": false, "error": code}).to_string());
        assert_eq!(class(&Platform::start([refused]).await).await, expected);
    }
    for (status, expected) in [
        (404, "permanent not_found"),
        (403, "permanent refused"),
        (500, "transient server_error"),
    ] {
        let platform = serving(json!({}), [answer(status, "x")]).await;
        assert_eq!(class(&platform).await, expected);
    }
}

#[tokio::test]
async fn a_file_that_lies_elsewhere_is_no_business_of_the_channel() {
    let elsewhere = FileSource {
        location: FileLocation::Url {
            url: "https://a.test/".to_owned(),
        },
        ..source(None)
    };
    let platform = Platform::start([]).await;
    let outcome = fetch(&platform, &elsewhere).await;
    assert_eq!(outcome, Err(misplaced()));
}

fn misplaced() -> DownloadError {
    DownloadError::Permanent {
        class: "misplaced",
        detail: "the file is not at a place that this channel can fetch from".to_owned(),
    }
}
