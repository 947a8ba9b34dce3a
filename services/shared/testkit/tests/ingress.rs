//! ingress, as who pushes has it.

use serde_json::{Value, json};
use testkit::callback::{new_secret, push, text_message};
use testkit::ingress::FakeIngress;

#[tokio::test]
async fn what_is_signed_is_taken_and_the_rest_is_refused() {
    let secret = new_secret("ingress");
    let ingress = FakeIngress::start(&secret, "msg_a_1").await;
    let message = text_message("c", "u", "Hello!");
    let forged = push(&ingress.url(), "chat", &new_secret("other"), &message).await;
    assert_eq!(forged.status(), 401);
    ingress.answer_next(503, "");
    assert_eq!(
        push(&ingress.url(), "chat", &secret, &message).await.status(),
        503
    );
    assert!(ingress.pushed().is_empty());
    let taken = push(&ingress.url(), "chat", &secret, &message).await;
    let answer: Value = serde_json::from_slice(&taken.bytes().await.unwrap()).unwrap();
    assert_eq!(answer, json!({"id": "msg_a_1"}));
    let pushed = ingress.pushed();
    assert_eq!(
        (pushed.len(), &*pushed[0].path),
        (1, "/v1/channels/chat/messages")
    );
    assert_eq!(pushed[0].body, message);
}
