use proto_schemas::content::{ChannelKind, ReplyAddress, User};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, TurnId};
use proto_schemas::turn::Task;
use proto_schemas::webhook::{WebhookBot, WebhookMetadata, WebhookUser};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn turn() -> Turn {
    Turn {
        id: TurnId::new("turn_a_b").unwrap(),
        conversation: ConversationId::new("conv_a").unwrap(),
        bot: BotId::new("bot_456").unwrap(),
        bot_name: "Support Bot".to_owned(),
        connection: ConnectionId::new("web").unwrap(),
        channel: ChannelKind::Http,
        address: ReplyAddress {
            chat_id: "1".to_owned(),
            thread_id: None,
            message_id: None,
        },
        user: User {
            id: "u".to_owned(),
            name: None,
            username: None,
        },
        task: Task::Ask {
            integration: IntegrationId::new("echo").unwrap(),
            fallback: None,
            system_prompt: None,
            history: vec![],
            question: vec![],
            error_message: "Sorry".to_owned(),
        },
        answers: vec![],
        answered_through: 1,
        context_revision: 0,
        answered_before: vec![],
        inbox_reaches: 0,
        accepted_at: UnixMillis(0),
        built_at: UnixMillis(0),
    }
}

fn payload() -> WebhookRequest {
    WebhookRequest {
        messages: vec![],
        conversation_id: "conv_a".to_owned(),
        user: WebhookUser {
            id: "u".to_owned(),
            platform: "http".to_owned(),
            name: None,
            username: None,
        },
        bot: WebhookBot {
            id: "bot_456".to_owned(),
            name: "Support Bot".to_owned(),
        },
        metadata: WebhookMetadata {
            channel: "http".to_owned(),
            chat_id: "1".to_owned(),
            message_id: None,
        },
    }
}

fn integration(json: serde_json::Value) -> Integration {
    let mut whole = serde_json::json!({"id": "echo", "url": "https://a.example/"});
    whole
        .as_object_mut()
        .unwrap()
        .extend(json.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

fn prepare_with(settings: serde_json::Value) -> Result<Prepared, CallError> {
    let now = UnixMillis(1_614_265_330_000);
    prepare(
        &turn(),
        &payload(),
        &integration(settings),
        2,
        now,
        TraceContext::new(),
    )
}

/// A file with a secret, gone at the end of the test.
struct SecretFile(std::path::PathBuf);

impl SecretFile {
    fn new(name: &str, value: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::write(&path, value).unwrap();
        Self(path)
    }

    fn reference(&self) -> String {
        format!("file:{}", self.0.display())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn our_own_headers_are_set_and_name_the_turn() {
    let headers = prepare_with(serde_json::json!({})).unwrap().headers;
    assert_eq!(headers["webhook-id"], "turn_a_b");
    assert_eq!(headers["webhook-timestamp"], "1614265330");
    assert_eq!(headers["x-bot-id"], "bot_456");
    assert_eq!(headers["x-integration-id"], "echo");
    assert_eq!(headers["x-attempt"], "2");
    assert_eq!(headers["content-type"], "application/json");
    assert!(
        headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("ChatbotPlatform/")
    );
    assert!(TraceContext::parse(headers["traceparent"].to_str().unwrap()).is_some());
    assert!(!headers.contains_key("webhook-signature"));
}

#[test]
fn the_signature_covers_the_exact_bytes_sent() {
    let secret = SecretFile::new("signing", SECRET);
    let prepared = prepare_with(serde_json::json!({"signing_secret": secret.reference()})).unwrap();
    let key = SigningKey::parse(SECRET).unwrap();
    let header = |name: &str| prepared.headers[name].to_str().unwrap().to_owned();
    let verified = signature::verify(
        &[key],
        &header("webhook-id"),
        &header("webhook-timestamp"),
        &header("webhook-signature"),
        &prepared.body,
        1_614_265_330,
    );
    assert_eq!(verified, Ok(()));
}

#[test]
fn while_the_secret_is_changed_either_key_verifies_the_request() {
    const PREVIOUS: &str = "whsec_cHJldmlvdXMtc2lnbmluZy1rZXktMjRi";
    let (secret, previous) = (
        SecretFile::new("new-signing", SECRET),
        SecretFile::new("old-signing", PREVIOUS),
    );
    let prepared = prepare_with(serde_json::json!({
        "signing_secret": secret.reference(),
        "previous_signing_secret": previous.reference(),
    }))
    .unwrap();
    let header = |name: &str| prepared.headers[name].to_str().unwrap().to_owned();
    for key in [SECRET, PREVIOUS] {
        let verified = signature::verify(
            &[SigningKey::parse(key).unwrap()],
            &header("webhook-id"),
            &header("webhook-timestamp"),
            &header("webhook-signature"),
            &prepared.body,
            1_614_265_330,
        );
        assert_eq!(verified, Ok(()));
    }
    assert_eq!(header("webhook-signature").split(' ').count(), 2);
}

#[test]
fn a_secret_header_is_put_together_and_hidden_from_debug() {
    let secret = SecretFile::new("bearer", "s3cret");
    let headers = serde_json::json!({"headers": {"Authorization": {"prefix": "Bearer ", "secret": secret.reference()}}});
    let prepared = prepare_with(headers).unwrap();
    assert_eq!(prepared.headers["authorization"], "Bearer s3cret");
    assert!(!format!("{:?}", prepared.headers).contains("s3cret"));
}

#[test]
fn a_secret_that_cannot_be_read_fails_the_attempt_without_sending() {
    let Err(error) =
        prepare_with(serde_json::json!({"headers": {"X-Key": {"secret": "env:NO_SUCH_VARIABLE"}}}))
    else {
        panic!("prepared without its secret");
    };
    assert_eq!(error.class, "secret_unavailable");
}

#[test]
fn a_secret_that_the_webhook_repeats_is_taken_out_of_the_errors_text() {
    let file = SecretFile::new("redacted", "k3y");
    let header = serde_json::json!({"prefix": "Bearer ", "secret": file.reference()});
    let prepared = prepare_with(serde_json::json!({"headers": {"Authorization": header}})).unwrap();
    let body = br#"{"error":"unknown key k3y","code":"auth"}"#;
    assert_eq!(
        crate::reply::error_detail(body, &prepared.secrets),
        "auth: unknown key [secret]"
    );
}
