//! Over our own HTTP channel.

use data_encoding::BASE64;
use serde_json::{Value, json};
use testkit::callback::{CallbackReceiver, push_with_id};
use tests::manifest::{callback_secret, http, push_secret};

use crate::stage::{CONNECTION, PICTURE, Stage, YES, show};

pub(crate) async fn converse(stage: &Stage) {
    let callbacks = CallbackReceiver::start(&callback_secret()).await;
    let url = stage.connect(http(CONNECTION, "demo", &callbacks.url())).await;

    let picture =
        json!({ "data_base64": BASE64.encode(PICTURE), "name": "cat.png", "content_type": "image/png" });
    let asked = json!({
        "conversation_id": "ada", "user": { "id": "ada" }, "text": "What is this?", "attachments": [picture],
    });
    push(&url, "push-1", &asked).await;
    stage.show_call(1).await;
    show("the callback gets", &callbacks.wait_for(1).await[0].body);

    let pressed = json!({ "conversation_id": "ada", "user": { "id": "ada" }, "text": YES });
    push(&url, "push-2", &pressed).await;
    stage.show_call(2).await;
    show("the callback gets", &callbacks.wait_for(2).await[1].body);
}

async fn push(url: &str, id: &str, message: &Value) {
    show("the channel's owner pushes", message);
    let ingress = url.split("/v1/").next().unwrap_or_default();
    let answer = push_with_id(ingress, CONNECTION, &push_secret(), id, message)
        .await
        .unwrap();
    println!(
        "== ingress answers\n{} {}\n",
        answer.status(),
        answer.text().await.unwrap()
    );
}
