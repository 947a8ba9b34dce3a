//! Files of replies.

use proto_schemas::progress::OutgoingFile;
use serde_json::json;
use testkit::backend::Scripted;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_replys_file_is_stored_for_egress_and_served() {
    let fixture = Fixture::start(&[]).await;
    let url = fixture.host.add("report.pdf", "application/pdf", "%PDF");
    let files = fixture
        .fetch_out(json!([{"url": url}, {"url": url, "filename": "Q3.pdf"}]))
        .await;
    let [OutgoingFile::Stored(first), OutgoingFile::Stored(second)] = &files[..] else {
        panic!("{files:?}")
    };
    assert_eq!(
        (first.name.as_str(), second.name.as_str()),
        ("report.pdf", "Q3.pdf")
    );
    assert_eq!((first.mime_type.as_str(), first.bytes), ("application/pdf", 4));
    assert_eq!(first.key, second.key, "the bytes are the same");
    let served = fixture.get(second).await;
    assert_eq!(
        served.headers()["content-disposition"],
        "attachment; filename=\"Q3.pdf\""
    );
    assert_eq!(served.bytes().await.unwrap(), "%PDF");
    let labels = "direction=\"out\",result=\"stored\",service=\"attachment-fetcher\"";
    assert_eq!(
        fixture
            .metric(&format!("chatbot_files_fetched_total{{{labels}}}"))
            .await,
        2
    );
}

#[tokio::test]
async fn a_page_in_place_of_a_file_is_unavailable_unless_it_was_asked_for() {
    let fixture = Fixture::start(&[]).await;
    let page = fixture.host.add("login", "text/html; charset=utf-8", "<html>");
    let files = fixture.fetch_out(json!([
        {"url": page, "filename": "report.pdf"},
        {"url": page, "filename": "page.html"},
    ]));
    let files = files.await;
    let [
        OutgoingFile::Unavailable { attachment, reason },
        OutgoingFile::Stored(html),
    ] = &files[..]
    else {
        panic!("{files:?}")
    };
    assert_eq!(
        (attachment.url.as_str(), reason.as_str()),
        (page.as_str(), "the server sent a web page")
    );
    assert_eq!(html.mime_type, "text/html");
}

#[tokio::test]
async fn what_a_file_is_called_does_not_make_it_so() {
    let fixture = Fixture::start(&[]).await;
    let (pdf, picture) = ("application/pdf", "image/png");
    let urls = [
        fixture
            .host
            .add("expired", pdf, "<!DOCTYPE html><html><body>Sign in"),
        fixture.host.add("scan", picture, "%PDF-1.7 scanned"),
        fixture.host.add("fake", picture, "no picture"),
    ];
    let asked = urls.map(|url| json!({"url": url, "filename": "a"}));
    let files = fixture.fetch_out(json!(asked)).await;
    let [
        OutgoingFile::Unavailable { reason, .. },
        OutgoingFile::Stored(scan),
        OutgoingFile::Stored(fake),
    ] = &files[..]
    else {
        panic!("{files:?}")
    };
    assert_eq!(reason, "a web page came in its place");
    assert_eq!(scan.mime_type, pdf);
    assert_eq!(fake.mime_type, "application/octet-stream");
}

#[tokio::test]
async fn what_no_further_try_would_mend_is_tried_once() {
    let fixture = Fixture::start(&[]).await;
    let refused = fixture.host.add_script("refused", Scripted::status(403));
    let large = fixture.host.add_script(
        "endless",
        Scripted::Endless {
            chunk: vec![b' '; 1 << 20].into(),
        },
    );
    let files = fixture
        .fetch_out(json!([{"url": refused}, {"url": large}, {"url": "no url"}]))
        .await;
    assert_eq!(
        (fixture.host.requests("refused"), fixture.host.requests("endless")),
        (1, 1)
    );
    let reasons = files.iter().map(|file| match file {
        OutgoingFile::Unavailable { reason, .. } => reason.as_str(),
        OutgoingFile::Stored(file) => panic!("stored: {file:?}"),
    });
    let reasons: Vec<_> = reasons.collect();
    assert_eq!(reasons[0], "HTTP 403");
    assert!(reasons[1].contains("larger than"), "{reasons:?}");
    assert_eq!(reasons[2], "the link is not a URL");
}
