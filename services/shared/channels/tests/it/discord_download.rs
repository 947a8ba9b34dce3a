//! Users' files on Discord.

use channels::{DownloadError, Downloaded};
use proto_schemas::content::{FileLocation, FileSource};
use reqwest::header::AUTHORIZATION;

use crate::accounts;
use crate::platform::{Answer, Platform, answer, client};

const LIMIT: u64 = 1000;
/// What `68dc7ce1` in hex says.
const EXPIRES: u64 = 0x68dc_7ce1;

fn at(url: &str) -> FileSource {
    FileSource {
        name: "a.pdf".to_owned(),
        mime_type: Some("application/pdf".to_owned()),
        bytes: None,
        location: FileLocation::Url { url: url.to_owned() },
    }
}

async fn fetch_at(platform: &Platform, file: &FileSource, now: u64) -> Result<Downloaded, DownloadError> {
    accounts::discord(&format!("{}api/v10", platform.url))
        .download(&client(), file, LIMIT, now)
        .await
}

async fn class(platform: &Platform, file: &FileSource, now: u64) -> String {
    let (class, detail) = match fetch_at(platform, file, now).await {
        Ok(_) => return "ok".to_owned(),
        Err(DownloadError::Transient { class, detail }) => (format!("transient {class}"), detail),
        Err(DownloadError::Permanent { class, detail }) => (format!("permanent {class}"), detail),
    };
    assert!(!detail.contains("://") && !detail.contains("hm="), "{detail}");
    class
}

async fn serving(reply: Answer) -> (Platform, FileSource) {
    let platform = Platform::start([reply]).await;
    let file = at(&format!(
        "{}attachments/1/2/a.pdf?ex=68dc7ce1&is=68db2b61&hm=5954f9&",
        platform.url
    ));
    (platform, file)
}

#[tokio::test]
async fn a_file_is_fetched_at_its_whole_address_without_the_token() {
    let (platform, file) = serving(answer(200, "hello").with("content-type", "application/pdf")).await;
    let downloaded = fetch_at(&platform, &file, EXPIRES - 1).await.unwrap();
    assert_eq!(&downloaded.bytes[..], b"hello");
    assert_eq!(downloaded.mime_type.as_deref(), Some("application/pdf"));
    let seen = &platform.seen()[0];
    assert_eq!(seen.path, "/attachments/1/2/a.pdf");
    assert_eq!(seen.query, "ex=68dc7ce1&is=68db2b61&hm=5954f9&");
    assert!(!seen.headers.contains_key(AUTHORIZATION));
}

#[tokio::test]
async fn a_link_that_has_expired_is_not_asked() {
    let (platform, file) = serving(answer(200, "hello")).await;
    assert_eq!(class(&platform, &file, EXPIRES).await, "permanent link_expired");
    assert_eq!(platform.seen().len(), 0);
    assert_eq!(class(&platform, &file, EXPIRES - 1).await, "ok");
}

#[tokio::test]
async fn a_link_that_says_nothing_of_its_end_is_tried() {
    for query in ["", "?ex=", "?ex=soon", "?is=1"] {
        let platform = Platform::start([answer(200, "hello")]).await;
        let file = at(&format!("{}attachments/a{query}", platform.url));
        assert_eq!(class(&platform, &file, EXPIRES).await, "ok", "{query}");
    }
}

#[tokio::test]
async fn no_other_host_is_asked() {
    let platform = Platform::start([]).await;
    for url in [
        "https://example.com/a.pdf",
        "https://cdn.discordapp.com.example/a.pdf",
        "https://discordapp.com/a.pdf",
        "http://169.254.169.254/",
        "http://localhost/",
        "data:text/plain,cdn.discordapp.com",
    ] {
        assert_eq!(
            class(&platform, &at(url), 0).await,
            "permanent misplaced",
            "{url}"
        );
    }
    assert_eq!(class(&platform, &at("no url"), 0).await, "permanent bad_url");
    let on_platform = FileSource {
        location: FileLocation::Platform {
            file_id: "1".to_owned(),
        },
        ..at("")
    };
    assert_eq!(class(&platform, &on_platform, 0).await, "permanent misplaced");
}

#[tokio::test]
async fn the_hosts_of_the_cdn_are_asked() {
    // The policy refuses the scheme behind the look at the host, so no name is resolved.
    let account = accounts::discord("https://discord.com/api/v10");
    for host in ["cdn.discordapp.com", "media.discordapp.net"] {
        let file = at(&format!("ftp://{host}/a.pdf"));
        let outcome = account.download(&client(), &file, LIMIT, 0).await;
        assert!(
            matches!(outcome, Err(DownloadError::Permanent { class: "denied", .. })),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_or_gone_has_its_class() {
    for (reply, expected) in [
        (answer(200, "x".repeat(1001)), "permanent too_large"),
        (
            answer(404, "This content is no longer available."),
            "permanent not_found",
        ),
        (answer(403, ""), "permanent refused"),
        (answer(503, ""), "transient server_error"),
        (
            answer(302, "").with("location", "http://127.0.0.1/"),
            "permanent redirected",
        ),
    ] {
        let (platform, file) = serving(reply).await;
        assert_eq!(class(&platform, &file, 0).await, expected);
    }
    let announced = FileSource {
        bytes: Some(LIMIT + 1),
        ..at("https://cdn.discordapp.com/a.pdf")
    };
    let platform = Platform::start([]).await;
    assert_eq!(class(&platform, &announced, 0).await, "permanent too_large");
}
