//! Who may read what, and how it is handed out.

use bytes::Bytes;
use domain::files::content_key;
use domain::links;
use proto_schemas::content::StoredFile;
use proto_schemas::ids::UnixMillis;
use reqwest::Method;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::{Fixture, LINK_SECRET};

async fn status(url: &str) -> u16 {
    client().get(url).send().await.unwrap().status().as_u16()
}

async fn served(fixture: &Fixture, result: &str) -> u64 {
    let labels = format!("result=\"{result}\",service=\"attachment-fetcher\"");
    fixture
        .metric(&format!("chatbot_files_served_total{{{labels}}}"))
        .await
}

#[tokio::test]
async fn what_is_served_cannot_run_as_a_page_of_ours() {
    let fixture = Fixture::start(&[]).await;
    let page = fixture.store("page.html", "text/html", "<script>").await;
    let page = fixture.get(&page).await;
    let header = |name: &str| page.headers()[name].to_str().unwrap();
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"page.html\""
    );
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(header("content-type"), "text/html");
    assert!(header("cache-control").starts_with("private, max-age="));
    let picture = fixture.store("a.png", "image/png", "png").await;
    let picture = fixture.get(&picture).await;
    assert_eq!(
        picture.headers()["content-disposition"],
        "inline; filename=\"a.png\""
    );
    assert_eq!(served(&fixture, "served").await, 2);
}

#[tokio::test]
async fn a_head_request_tells_size_and_type_without_the_file() {
    let fixture = Fixture::start(&[]).await;
    let file = fixture.store("a.txt", "text/plain", "content").await;
    let head = client()
        .request(Method::HEAD, fixture.links.link(&file))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"7".parse().unwrap())
    );
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_part_of_a_file_can_be_had() {
    let fixture = Fixture::start(&[]).await;
    let file = fixture.store("a.txt", "text/plain", "content").await;
    let link = fixture.links.link(&file);
    let get = |range: &'static str| client().get(&link).header("range", range).send();
    let part = get("bytes=3-").await.unwrap();
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 3-6/7".parse().unwrap())
    );
    assert_eq!(part.headers()["accept-ranges"], "bytes");
    assert_eq!(part.text().await.unwrap(), "tent");
    let beyond = get("bytes=7-").await.unwrap();
    assert_eq!(
        (beyond.status().as_u16(), &beyond.headers()["content-range"]),
        (416, &"bytes */7".parse().unwrap())
    );
}

#[tokio::test]
async fn a_link_that_is_forged_changed_or_cut_opens_nothing() {
    let fixture = Fixture::start(&[]).await;
    let file = fixture.store("a.txt", "text/plain", "content").await;
    let good = fixture.links.link(&file);
    let bare = good.split('?').next().unwrap();
    for bad in [
        bare.to_owned(),
        format!("{bare}?expires=soon&signature=AAAA"),
        format!("{good}AAAA"),
        good.replace("/a.txt", "/a.html"),
        good.replace("text/plain", "text/html"),
        good.replace("type=text/plain&", ""),
        good.replace("expires=", "expires=1"),
    ] {
        assert_eq!(status(&bad).await, 403, "{bad}");
    }
    assert_eq!(served(&fixture, "bad_signature").await, 7);
    assert_eq!(status(&good).await, 200);
}

#[tokio::test]
async fn a_link_whose_time_is_over_is_gone_and_a_file_that_is_gone_is_not_found() {
    let fixture = Fixture::start(&[]).await;
    let file = fixture.store("a.txt", "text/plain", "content").await;
    let past = UnixMillis(runtime::clock::now().0 - 1);
    let expired = links::sign(&fixture.files_url, &file, past, LINK_SECRET.as_bytes());
    assert_eq!(status(&expired).await, 410);
    let gone = StoredFile {
        key: content_key(b"gone"),
        ..file
    };
    assert_eq!(status(&fixture.links.link(&gone)).await, 404);
    assert_eq!(
        (
            served(&fixture, "expired").await,
            served(&fixture, "missing").await
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn while_the_broker_is_away_files_are_unavailable() {
    let mut fixture = Fixture::start(&[]).await;
    let file = fixture.store("a.txt", "text/plain", "content").await;
    let link = fixture.links.link(&file);
    fixture.nats.kill();
    let answer = client().get(&link).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    fixture.nats.restart().await;
    wait_until(PATIENCE, "the file to be served again", async || {
        status(&link).await == 200
    })
    .await;
}

#[tokio::test]
async fn the_same_bytes_are_served_under_the_name_and_type_of_the_link() {
    let fixture = Fixture::start(&[]).await;
    let picture = fixture.store("a.png", "image/png", "same").await;
    let text = fixture.store("b.txt", "text/plain", "same").await;
    assert_eq!(picture.key, text.key);
    for (file, disposition) in [
        (picture, "inline; filename=\"a.png\""),
        (text, "attachment; filename=\"b.txt\""),
    ] {
        let served = fixture.get(&file).await;
        assert_eq!(served.headers()["content-type"], file.mime_type.as_str());
        assert_eq!(served.headers()["content-disposition"], disposition);
        assert_eq!(served.text().await.unwrap(), "same");
    }
}

#[tokio::test]
async fn a_link_of_the_version_before_still_opens_its_file() {
    let fixture = Fixture::start(&[]).await;
    let content: Bytes = b"\x89PNG\r\n\x1a\npixels".as_slice().into();
    let key = "conv_1/msg_1/0/a.png";
    fixture.bus.store_file(key, &content).await.unwrap();
    // Signed over key and expiry alone, with `a secret for links`.
    let link = format!(
        "{}/{key}?expires=4102444800000&signature=sg-ALVIQBDO7OYnN6rOPxwyJKTozP6t6XeVZVgshcb8",
        fixture.files_url
    );
    let served = client().get(link).send().await.unwrap();
    assert_eq!(served.headers()["content-type"], "image/png");
    assert_eq!(
        served.headers()["content-disposition"],
        "inline; filename=\"a.png\""
    );
    assert_eq!(served.bytes().await.unwrap(), content);
}
