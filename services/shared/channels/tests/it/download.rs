//! Users' files, from Telegram and from links.

use channels::{Account, DownloadError, Downloaded, download_url};
use proto_schemas::content::{FileLocation, FileSource, StoredFile};
use serde_json::json;

use crate::accounts::{self, TOKEN};
use crate::platform::{Answer, Platform, answer, client};

const LIMIT: u64 = 1000;
const NOW: u64 = 1_766_458_100;

fn source(location: FileLocation, mime_type: Option<&str>) -> FileSource {
    FileSource {
        name: "a.pdf".to_owned(),
        mime_type: mime_type.map(str::to_owned),
        bytes: None,
        location,
    }
}

fn on_platform() -> FileSource {
    source(
        FileLocation::Platform {
            file_id: "BQAC-doc".to_owned(),
        },
        Some("application/pdf"),
    )
}

fn path(path: &str, bytes: u64) -> Answer {
    let file = json!({"file_id": "BQAC-doc", "file_unique_id": "u", "file_size": bytes, "file_path": path});
    answer(200, json!({"ok": true, "result": file}).to_string())
}

async fn from_telegram(
    platform: &Platform,
    file: &FileSource,
    limit: u64,
) -> Result<Downloaded, DownloadError> {
    accounts::telegram(&platform.url, None)
        .download(&client(), file, limit, NOW)
        .await
}

async fn from_link(reply: Answer, claimed: Option<&str>) -> Result<Downloaded, DownloadError> {
    let platform = Platform::start([reply]).await;
    let account = accounts::http("https://callback.test/");
    let url = format!("{}x?token=hunter2", platform.url);
    account
        .download(&client(), &source(FileLocation::Url { url }, claimed), LIMIT, NOW)
        .await
}

fn class(outcome: Result<Downloaded, DownloadError>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(DownloadError::Transient { class, detail }) => checked(format!("transient {class}"), &detail),
        Err(DownloadError::Permanent { class, detail }) => checked(format!("permanent {class}"), &detail),
    }
}

/// No error may show where the file was.
fn checked(class: String, detail: &str) -> String {
    assert!(
        !detail.contains("hunter2") && !detail.contains("ABC-DEF") && !detail.contains("://"),
        "{detail}"
    );
    class
}

#[tokio::test]
async fn a_file_of_telegram_is_asked_for_and_then_fetched() {
    let platform = Platform::start([path("documents/file 1.pdf", 5), answer(200, "hello")]).await;
    let file = from_telegram(&platform, &on_platform(), LIMIT).await.unwrap();
    assert_eq!(
        (&file.bytes[..], file.mime_type.as_deref()),
        (&b"hello"[..], Some("application/pdf"))
    );
    let seen = platform.seen();
    assert_eq!(seen[0].path, format!("/bot{TOKEN}/getFile"));
    assert_eq!(seen[0].json(), json!({"file_id": "BQAC-doc"}));
    assert_eq!(seen[1].path, format!("/file/bot{TOKEN}/documents/file%201.pdf"));
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_fetched() {
    let platform = Platform::start([path("a", LIMIT + 1)]).await;
    assert_eq!(
        class(from_telegram(&platform, &on_platform(), LIMIT).await),
        "permanent too_large"
    );
    assert_eq!(platform.seen().len(), 1);
    let announced = FileSource {
        bytes: Some(20 * 1024 * 1024 + 1),
        ..on_platform()
    };
    let never_asked = Platform::start([]).await;
    assert_eq!(
        class(from_telegram(&never_asked, &announced, u64::MAX).await),
        "permanent too_large"
    );
    assert_eq!(never_asked.seen().len(), 0);
}

#[tokio::test]
async fn each_refusal_of_telegram_has_its_class() {
    let refused = |status: u16, description: &str| {
        answer(
            status,
            json!({"ok": false, "error_code": status, "description": description}).to_string(),
        )
    };
    for (reply, expected) in [
        (
            refused(400, "Bad Request: file is too big"),
            "permanent too_large",
        ),
        (
            refused(400, "Bad Request: invalid file_id"),
            "permanent file_not_found",
        ),
        (
            refused(
                400,
                "Bad Request: wrong file_id or the file is temporarily unavailable",
            ),
            "transient file_unavailable",
        ),
        (refused(401, "Unauthorized"), "permanent unauthorized"),
        (
            refused(429, "Too Many Requests: retry after 5"),
            "transient rate_limited",
        ),
        (answer(502, ""), "transient server_error"),
        (path("/var/lib/telegram/a.pdf", 5), "permanent no_file_path"),
    ] {
        let platform = Platform::start([reply]).await;
        assert_eq!(
            class(from_telegram(&platform, &on_platform(), LIMIT).await),
            expected
        );
    }
}

#[tokio::test]
async fn each_status_of_a_link_has_its_class() {
    for (status, expected) in [
        (200, "ok"),
        (302, "permanent redirected"),
        (403, "permanent refused"),
        (404, "permanent not_found"),
        (410, "permanent not_found"),
        (408, "transient server_error"),
        (429, "transient rate_limited"),
        (500, "transient server_error"),
    ] {
        assert_eq!(
            class(from_link(answer(status, "x"), None).await),
            expected,
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_link_is_read_up_to_the_limit() {
    let body = |bytes: u64| answer(200, "x".repeat(usize::try_from(bytes).unwrap()));
    assert_eq!(class(from_link(body(LIMIT), None).await), "ok");
    assert_eq!(
        class(from_link(body(LIMIT + 1), None).await),
        "permanent too_large"
    );
}

#[tokio::test]
async fn a_web_page_is_no_file_unless_one_is_meant() {
    let page = || answer(200, "<html>sign in</html>").with("content-type", "text/html; charset=utf-8");
    assert_eq!(
        class(from_link(page(), Some("application/pdf")).await),
        "permanent html_instead_of_file"
    );
    assert_eq!(
        class(from_link(page(), None).await),
        "permanent html_instead_of_file"
    );
    assert_eq!(
        from_link(page(), Some("text/html"))
            .await
            .unwrap()
            .mime_type
            .as_deref(),
        Some("text/html")
    );
    let platform = Platform::start([page()]).await;
    assert!(
        download_url(&client(), &platform.url, "Index.HTML", None, LIMIT)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_servers_type_is_taken_when_none_is_claimed() {
    let image = || answer(200, "x").with("content-type", "image/png; q=1");
    assert_eq!(
        from_link(image(), None).await.unwrap().mime_type.as_deref(),
        Some("image/png")
    );
    assert_eq!(
        from_link(image(), Some("image/gif"))
            .await
            .unwrap()
            .mime_type
            .as_deref(),
        Some("image/gif")
    );
}

#[tokio::test]
async fn a_link_into_our_own_network_is_refused() {
    let strict = outbound::Client::new(outbound::Policy::public_only(), None).unwrap();
    for url in [
        "https://127.0.0.1/a",
        "https://localhost/a",
        "http://example.com/a",
        "file:///etc/passwd",
    ] {
        assert_eq!(
            class(download_url(&strict, url, "a", None, LIMIT).await),
            "permanent denied",
            "{url}"
        );
    }
    assert_eq!(
        class(download_url(&strict, "not a link", "a", None, LIMIT).await),
        "permanent bad_url"
    );
}

#[tokio::test]
async fn a_file_that_lies_elsewhere_is_no_business_of_the_channel() {
    let misplaced = |account: Account, location: FileLocation| async move {
        class(
            account
                .download(&client(), &source(location, None), LIMIT, NOW)
                .await,
        )
    };
    let url = || FileLocation::Url {
        url: "https://a.test/".to_owned(),
    };
    let stored = || {
        let text = || "x".to_owned();
        FileLocation::Stored(StoredFile {
            key: text(),
            name: text(),
            mime_type: text(),
            bytes: 1,
        })
    };
    let id = FileLocation::Platform {
        file_id: "x".to_owned(),
    };
    let telegram = || accounts::telegram("http://127.0.0.1:1/", None);
    let http = || accounts::http("http://127.0.0.1:1/");
    for (account, location) in [
        (telegram(), url()),
        (telegram(), stored()),
        (http(), id),
        (http(), stored()),
    ] {
        assert_eq!(misplaced(account, location).await, "permanent misplaced");
    }
}
