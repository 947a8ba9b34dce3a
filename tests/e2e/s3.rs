//! Files in S3, through the whole pipeline.

use proto_schemas::dead_letter::Stage;
use serde_json::json;
use testkit::s3::{ACCESS_KEY, SECRET_KEY};
use testkit::telegram::photo_update;

use crate::files::{ask_for_report, fetch, image_links, photo};
use crate::manifest::{TELEGRAM, WEB};
use crate::pipeline::{Options, Pipeline};

const IN_S3: Options = Options {
    replicas: 1,
    settings: &[("LOG_LEVEL", "trace")],
    files_in_s3: true,
    secured: false,
    traced: false,
};

#[tokio::test]
async fn a_users_file_reaches_the_webhook_out_of_the_bucket() {
    let pipeline = Pipeline::start(IN_S3).await;
    pipeline.telegram.add_file("AgAC-big", photo());
    let update = photo_update(1, 7001, 41, "AgAC-big", "what is this?");
    pipeline.update(TELEGRAM, &update).await;
    let message = json!({
        "conversation_id": "ada",
        "user": { "id": "ada" },
        "text": "and this?",
        "attachments": [{ "data_base64": "/9j/4AA=", "name": "dog.jpg", "content_type": "image/jpeg" }],
    });
    pipeline.push(WEB, "push-1", &message).await.unwrap();

    let calls = pipeline.backend.wait_for_calls(2).await;
    let mut served = Vec::new();
    for call in &calls {
        let link = image_links(call).pop().unwrap();
        served.push(fetch(&link).await);
    }
    served.sort_by_key(|(_, bytes)| bytes.len());
    let expected = [(200, vec![0xff, 0xd8, 0xff, 0xe0, 0x00]), (200, photo())];
    assert_eq!(served, expected);
    assert_eq!(pipeline.s3.keys().len(), 2);
    pipeline.telegram_messages(7001, 1).await;
    pipeline.replies("ada", 1).await;
}

#[tokio::test]
async fn a_file_of_a_reply_reaches_the_chats_out_of_the_bucket() {
    let pipeline = Pipeline::start(IN_S3).await;
    let (_, bytes) = ask_for_report(&pipeline).await;

    pipeline.replies("ada", 1).await;
    let file = pipeline.replies_now("ada")[0].body["attachments"][0].clone();
    assert_eq!(fetch(file["url"].as_str().unwrap()).await, (200, bytes.clone()));
    let sent = pipeline.telegram_messages(7001, 2).await;
    let document = sent[1].file.as_ref().unwrap();
    assert_eq!(
        (document.name.as_str(), document.bytes.to_vec()),
        ("report.pdf", bytes)
    );
    assert_eq!(pipeline.s3.keys().len(), 1, "one file for both replies");
}

#[tokio::test]
async fn nothing_that_is_logged_shows_the_credentials_of_the_bucket() {
    let pipeline = Pipeline::start(IN_S3).await;
    let file = json!({ "data_base64": "/9j/4AA=", "name": "dog.jpg", "content_type": "image/jpeg" });
    let message = json!({ "conversation_id": "ada", "user": { "id": "ada" }, "attachments": [file] });
    pipeline.s3.fail_next(403, "AccessDenied");
    let (refused, _) = pipeline.push(WEB, "push-1", &message).await.unwrap();
    pipeline.s3.fail_next(503, "SlowDown");
    let (accepted, _) = pipeline.push(WEB, "push-1", &message).await.unwrap();
    assert_eq!((refused, accepted), (503, 202));
    pipeline.replies("ada", 1).await;

    let log = pipeline.service(Stage::Ingress).logs();
    for told in ["the file store refuses us", "server error with status 503"] {
        assert!(log.contains(told), "{told} is not in\n{log}");
    }
    for secret in [ACCESS_KEY, SECRET_KEY] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}
