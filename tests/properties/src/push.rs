//! What is pushed to us: nothing is read before it is authentic, and what is accepted can be worked with.

use channels::{
    Account, Inbound, InboundFile, InboundMessage, MAX_ATTACHMENTS, MAX_FIELD_CHARS, MAX_TEXT_BYTES,
    MAX_URL_BYTES, Refusal, Request, receive_discord_message,
};
use data_encoding::HEXLOWER;
use ed25519_dalek::Signer;
use hmac::{Hmac, KeyInit, Mac};
use outbound::signature::{SigningKey, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, sign};
use proto_schemas::content::FileLocation;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sha2::Sha256;
use url::form_urlencoded::byte_serialize;

use crate::accounts::{
    DISCORD, DISCORD_KEY, HTTP, HTTP_SECRET, SIGNING_SECRET, SLACK, TELEGRAM, WEBHOOK_SECRET,
};
use crate::files::{is_sane_name, is_sane_type};

const NOW: u64 = 1_767_224_888;
/// Beyond what any channel tolerates of its sender's clock.
const LATER: u64 = NOW + 301;
/// No reason repeats what was sent, so none is longer than this.
const MAX_REASON_BYTES: usize = 200;

/// `body` as an update of Telegram.
pub fn telegram_push(body: &[u8]) {
    const SECRET: &str = "x-telegram-bot-api-secret-token";
    is_refused(&TELEGRAM, &HeaderMap::new(), body, NOW);
    is_refused(&TELEGRAM, &headers(&[(SECRET, "another")]), body, NOW);
    let read = receive(&TELEGRAM, &headers(&[(SECRET, WEBHOOK_SECRET)]), body, NOW);
    is_no_bad_body(&read);
}

/// `body` as an event of Slack, as a form, and as the payload of a form.
pub fn slack_push(body: &[u8]) {
    const FORM: &str = "application/x-www-form-urlencoded";
    slack_body("application/json", body);
    slack_body(FORM, body);
    let payload: String = byte_serialize(body).collect();
    slack_body(FORM, format!("payload={payload}").as_bytes());
}

fn slack_body(content_type: &str, body: &[u8]) {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).expect("a key may have any length");
    mac.update(format!("v0:{NOW}:").as_bytes());
    mac.update(body);
    let signature = format!("v0={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    let mut signed = headers(&[
        ("x-slack-request-timestamp", &NOW.to_string()),
        ("x-slack-signature", &signature),
    ]);
    signed.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(content_type).expect("a media type is a header's value"),
    );
    is_refused(&SLACK, &signed, &longer(body), NOW);
    is_refused(&SLACK, &signed, body, LATER);
    is_no_bad_body(&receive(&SLACK, &signed, body, NOW));
}

/// `body` as an interaction of Discord, and as an event of its application.
pub fn discord_push(body: &[u8]) {
    let timestamp = NOW.to_string();
    let signature = DISCORD_KEY.sign(&[timestamp.as_bytes(), body].concat());
    let signed = headers(&[
        ("x-signature-timestamp", &timestamp),
        ("x-signature-ed25519", &HEXLOWER.encode(&signature.to_bytes())),
    ]);
    is_refused(&DISCORD, &signed, &longer(body), NOW);
    is_refused(&DISCORD, &signed, body, LATER);
    is_no_bad_body(&receive(&DISCORD, &signed, body, NOW));
}

/// `frame` as what Discord's Gateway tells of, which is authentic by its connection.
pub fn discord_message(frame: &[u8]) {
    let read = receive_discord_message(frame, "1457469483726668048");
    is_worked_with(&read);
    is_no_bad_body(&read);
}

/// `body` as a message of our own HTTP channel.
pub fn http_push(body: &[u8]) {
    const ID: &str = "evt_1";
    let key = SigningKey::parse(HTTP_SECRET).expect("the secret is a signing key");
    let list = sign(&key, ID, NOW, body);
    let signed = headers(&[
        (WEBHOOK_ID, ID),
        (WEBHOOK_TIMESTAMP, &NOW.to_string()),
        (WEBHOOK_SIGNATURE, &list),
    ]);
    is_refused(&HTTP, &signed, &longer(body), NOW);
    is_refused(&HTTP, &signed, body, LATER);
    match receive(&HTTP, &signed, body, NOW) {
        Ok(Inbound::Message(message) | Inbound::Reset(message)) => {
            assert_eq!(message.dedup_key, ID);
            is_within_the_limits(&message);
        }
        Err(Refusal::BadBody(_)) => {}
        other @ (Ok(Inbound::Handshake { .. } | Inbound::Trouble { .. } | Inbound::Ignored { .. })
        | Err(Refusal::Unauthorized(_) | Refusal::NotUnderstood(_))) => {
            panic!("a message or a reason to mend it was expected: {other:?}")
        }
    }
}

fn is_within_the_limits(message: &InboundMessage) {
    assert!(message.text.len() <= MAX_TEXT_BYTES && message.files.len() <= MAX_ATTACHMENTS);
    let user = &message.user;
    let fields = [
        Some(&message.chat_id),
        Some(&user.id),
        message.message_id.as_ref(),
        message.thread_id.as_ref(),
    ];
    for field in fields
        .into_iter()
        .chain([user.name.as_ref(), user.username.as_ref()])
        .flatten()
    {
        assert!(
            (1..=MAX_FIELD_CHARS).contains(&field.chars().count()),
            "{field:?}"
        );
    }
    for file in &message.files {
        if let InboundFile::Source(source) = file
            && let FileLocation::Url { url } = &source.location
        {
            assert!(url.starts_with("http") && url.len() <= MAX_URL_BYTES, "{url}");
        }
    }
}

/// What an authentic request means: the same each time, and something that can be worked with.
fn receive(account: &Account, headers: &HeaderMap, body: &[u8], now_secs: u64) -> Result<Inbound, Refusal> {
    let read = account.receive(&Request {
        headers,
        body,
        now_secs,
    });
    assert_eq!(
        read,
        account.receive(&Request {
            headers,
            body,
            now_secs
        })
    );
    is_worked_with(&read);
    read
}

fn is_worked_with(read: &Result<Inbound, Refusal>) {
    match read {
        Ok(Inbound::Message(message) | Inbound::Reset(message)) => is_sound(message),
        Ok(Inbound::Handshake { answer }) => assert!(!answer.is_null()),
        Ok(Inbound::Trouble { kind } | Inbound::Ignored { kind }) => assert!(!kind.is_empty()),
        Err(Refusal::Unauthorized(reason)) => panic!("it is authentic: {reason}"),
        Err(Refusal::BadBody(reason) | Refusal::NotUnderstood(reason)) => {
            assert!(!reason.is_empty() && reason.len() <= MAX_REASON_BYTES, "{reason}");
        }
    }
}

fn is_sound(message: &InboundMessage) {
    // It would not be known when it is pushed again, or could not be answered.
    let named = [&message.dedup_key, &message.chat_id, &message.user.id];
    let others = [message.thread_id.as_ref(), message.message_id.as_ref()];
    for id in named.into_iter().chain(others.into_iter().flatten()) {
        assert!(!id.is_empty(), "{message:?}");
    }
    assert!(
        !message.text.is_empty() || !message.files.is_empty(),
        "it says nothing"
    );
    for file in &message.files {
        let (name, mime_type) = match file {
            InboundFile::Source(source) => (&source.name, &source.mime_type),
            InboundFile::Inline { name, mime_type, .. } => (name, mime_type),
        };
        assert!(is_sane_name(name), "{name:?}");
        assert!(mime_type.as_deref().is_none_or(is_sane_type), "{mime_type:?}");
    }
}

/// A platform's authentic push is never answered with an error: it would only be sent again.
fn is_no_bad_body(read: &Result<Inbound, Refusal>) {
    assert!(!matches!(read, Err(Refusal::BadBody(_))), "{read:?}");
}

fn is_refused(account: &Account, headers: &HeaderMap, body: &[u8], now_secs: u64) {
    let read = account.receive(&Request {
        headers,
        body,
        now_secs,
    });
    assert!(matches!(read, Err(Refusal::Unauthorized(_))), "{read:?}");
}

fn longer(body: &[u8]) -> Vec<u8> {
    [body, b" "].concat()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("the text is a header's value");
    pairs
        .iter()
        .map(|(name, text)| (reqwest::header::HeaderName::from_static(name), value(text)))
        .collect()
}
