use super::*;
use crate::samples::turn;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

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
        &turn(None, vec![], vec![]),
        br#"{"messages":[]}"#.to_vec(),
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

/// Whether a webhook that knows this secret takes the request for ours.
fn is_verified(prepared: &Prepared, secret: &str) -> bool {
    let header = |name: &str| prepared.headers[name].to_str().unwrap();
    let verified = signature::verify(
        &[SigningKey::parse(secret).unwrap()],
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
        &prepared.body,
        1_614_265_330,
    );
    verified.is_ok()
}

#[test]
fn the_signature_covers_the_exact_bytes_sent() {
    let secret = SecretFile::new("signing", SECRET);
    let mut prepared = prepare_with(serde_json::json!({"signing_secret": secret.reference()})).unwrap();
    assert!(is_verified(&prepared, SECRET));
    prepared.body = Bytes::from_static(b"{}");
    assert!(!is_verified(&prepared, SECRET));
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
    assert!(is_verified(&prepared, SECRET) && is_verified(&prepared, PREVIOUS));
    assert_eq!(
        prepared.headers["webhook-signature"]
            .to_str()
            .unwrap()
            .split(' ')
            .count(),
        2
    );
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
    let refused = |dialect: Dialect, body: &[u8]| {
        dialect
            .refusal(401, &HeaderMap::new(), body, &prepared.secrets, UnixMillis(0))
            .detail
    };
    assert_eq!(
        refused(Dialect::Platform, body),
        "HTTP 401: auth: unknown key [secret]"
    );
    let body = br#"{"error":{"type":"invalid_request_error","message":"Incorrect API key provided: k3y"}}"#;
    assert_eq!(
        refused(Dialect::Openai, body),
        "HTTP 401: invalid_request_error: Incorrect API key provided: [secret]"
    );
    assert_eq!(refused(Dialect::Anthropic, b"no k3y"), "HTTP 401: no [secret]");
}

#[test]
fn of_two_secrets_of_which_one_begins_the_other_nothing_is_left() {
    let (short, long) = (
        SecretFile::new("short", "k3y"),
        SecretFile::new("long", "k3y-and-more"),
    );
    let headers =
        serde_json::json!({"a-short": {"secret": short.reference()}, "b-long": {"secret": long.reference()}});
    let prepared = prepare_with(serde_json::json!({ "headers": headers })).unwrap();
    let shown = prepared.secrets.redact("k3y-and-more or k3y".to_owned());
    assert_eq!(shown, "[secret] or [secret]");
}

#[test]
fn the_apis_version_is_named_unless_the_integration_names_another() {
    let headers = |headers: serde_json::Value| {
        let settings = serde_json::json!({"format": {"anthropic": {"model": "m"}}, "headers": headers});
        prepare_with(settings).unwrap().headers
    };
    assert_eq!(headers(serde_json::json!({}))["anthropic-version"], "2023-06-01");
    let own = headers(serde_json::json!({"Anthropic-Version": "2027-01-01"}));
    assert_eq!(own.get_all("anthropic-version").iter().count(), 1);
    assert_eq!(own["anthropic-version"], "2027-01-01");
    assert!(
        !prepare_with(serde_json::json!({}))
            .unwrap()
            .headers
            .contains_key("anthropic-version")
    );
}
