//! Files of users on Slack.

use crate::fixture::{Fixture, SLACK, on_platform, reason, stored};

/// A picture, to whoever looks at its first bytes.
const PIXELS: &[u8] = b"\x89PNG pixels";

#[tokio::test]
async fn a_private_file_is_fetched_with_the_token_and_served_at_its_link() {
    let fixture = Fixture::start(&[]).await;
    fixture.slack.add_file("F1", "image/png", PIXELS);
    let files = fixture.fetch_in(SLACK, vec![on_platform("cat.png", "F1")]).await;
    let file = stored(&files[0]);
    assert_eq!(
        (file.name.as_str(), file.mime_type.as_str(), file.bytes),
        ("cat.png", "image/png", 11)
    );
    let served = fixture.get(file).await;
    assert_eq!(served.bytes().await.unwrap(), PIXELS);
}

#[tokio::test]
async fn a_page_to_sign_in_at_is_not_taken_for_the_file() {
    let fixture = Fixture::start(&[]).await;
    fixture.slack.add_file("F1", "image/png", PIXELS);
    fixture.slack.hide_files();
    let files = fixture.fetch_in(SLACK, vec![on_platform("cat.png", "F1")]).await;
    assert_eq!(reason(&files[0]), "the server sent a web page");
    assert_eq!(fixture.slack.calls("file"), 1, "no further try helps");
}

#[tokio::test]
async fn a_file_that_slack_does_not_know_is_unavailable_and_a_hiccup_is_tried_again() {
    let fixture = Fixture::start(&[]).await;
    fixture.slack.add_file("F1", "text/plain", "one");
    fixture.slack.limit_next("files.info", 1);
    let files = vec![on_platform("one.txt", "F1"), on_platform("two.txt", "F2")];
    let files = fixture.fetch_in(SLACK, files).await;
    assert_eq!(stored(&files[0]).bytes, 3);
    let reason = reason(&files[1]);
    assert!(
        reason.contains("file_not_found") && !reason.contains("xoxb"),
        "{reason}"
    );
}
