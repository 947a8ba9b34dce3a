//! What Slack pushes (`channels.md`, section 3.2), and the push itself.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::client;

/// The bot as a user of the workspace.
pub(super) const BOT_USER: &str = "U00FAKEBOT01";
/// The person who writes.
const USER: &str = "U00FAKEUSER1";
/// The workspace.
const TEAM: &str = "T00FAKE00AA";
/// The app.
const APP: &str = "A00FAKEAPP01";

/// A message of a channel; `ts` names it. With `<@U00FAKEBOT01>` in its text it mentions the bot.
pub fn channel_message(channel: &str, ts: &str, text: &str) -> Value {
    event(json!({
        "type": "message", "user": USER, "ts": ts, "text": text, "team": TEAM, "channel": channel,
        "event_ts": ts, "channel_type": "channel",
    }))
}

/// A message to the bot alone.
pub fn direct_message(channel: &str, ts: &str, text: &str) -> Value {
    let mut push = channel_message(channel, ts, text);
    push["event"]["channel_type"] = "im".into();
    push
}

/// The second event of a message that mentions the bot: another event, the same message.
pub fn mention_of(push: &Value) -> Value {
    let mut mention = push.clone();
    mention["event_id"] = format!("{}-mention", push["event_id"].as_str().unwrap()).into();
    let event = mention["event"].as_object_mut().unwrap();
    event.insert("type".to_owned(), "app_mention".into());
    event.remove("channel_type");
    event.remove("subtype");
    mention
}

/// The message as a reply in the thread that begins with `thread_ts`, a message of the same person.
pub fn in_thread(mut push: Value, thread_ts: &str) -> Value {
    push["event"]["thread_ts"] = thread_ts.into();
    push["event"]["parent_user_id"] = USER.into();
    push
}

/// The message with a file that is on Slack under `file_id`.
pub fn with_file(mut push: Value, file_id: &str, name: &str, mimetype: &str, size: usize) -> Value {
    let url = format!("https://files.slack.com/files-pri/{TEAM}-{file_id}/{name}");
    push["event"]["subtype"] = "file_share".into();
    push["event"]["upload"] = false.into();
    push["event"]["files"] = json!([{
        "id": file_id, "name": name, "title": name, "mimetype": mimetype, "size": size, "mode": "hosted",
        "user": USER, "url_private": url, "url_private_download": url, "file_access": "visible",
    }]);
    push
}

/// Slack's question whether a Request URL is ours.
pub fn verification(challenge: &str) -> Value {
    json!({ "token": "deprecated", "challenge": challenge, "type": "url_verification" })
}

/// The fields of a slash command.
pub fn command(channel: &str, name: &str, text: &str, trigger_id: &str) -> Vec<(String, String)> {
    let fields = [
        ("token", "deprecated"),
        ("team_id", TEAM),
        ("api_app_id", APP),
        ("channel_id", channel),
        ("user_id", USER),
        ("user_name", "ada"),
        ("command", name),
        ("text", text),
        ("response_url", "https://hooks.slack.com/commands/x"),
        ("trigger_id", trigger_id),
    ];
    let owned = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    owned.to_vec()
}

/// The fields by which Slack tells that the person has pressed a button with this value under a message of the bot.
pub fn press(
    channel: &str,
    message_ts: &str,
    thread_ts: &str,
    value: &str,
    trigger_id: &str,
) -> Vec<(String, String)> {
    let payload = json!({
        "type": "block_actions",
        "user": { "id": USER, "username": "ada", "team_id": TEAM },
        "api_app_id": APP,
        "container": {
            "type": "message", "message_ts": message_ts, "channel_id": channel, "is_ephemeral": false,
            "thread_ts": thread_ts,
        },
        "trigger_id": trigger_id,
        "team": { "id": TEAM, "domain": "acme" },
        "channel": { "id": channel, "name": "chat" },
        "actions": [{
            "type": "button", "action_id": "say_0", "block_id": "b", "value": value,
            "text": { "type": "plain_text", "text": value }, "action_ts": format!("{trigger_id}.1"),
        }],
    });
    vec![("payload".to_owned(), payload.to_string())]
}

/// Pushes an event to `url`, signed as Slack does.
///
/// # Errors
/// What the client says when `url` cannot be reached or is cut off.
pub async fn push_event(url: &str, secret: &str, push: &Value) -> reqwest::Result<reqwest::Response> {
    send(url, secret, "application/json", push.to_string()).await
}

/// Pushes a form to `url`: a slash command, or an interaction as the field `payload`.
///
/// # Errors
/// What the client says when `url` cannot be reached or is cut off.
pub async fn push_form(
    url: &str,
    secret: &str,
    fields: &[(String, String)],
) -> reqwest::Result<reqwest::Response> {
    let query = reqwest::Url::parse_with_params("http://form/", fields).expect("fields make a query");
    let body = query.query().unwrap_or_default().to_owned();
    send(url, secret, "application/x-www-form-urlencoded", body).await
}

async fn send(
    url: &str,
    secret: &str,
    content_type: &str,
    body: String,
) -> reqwest::Result<reqwest::Response> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs();
    let request = client().post(url).header("content-type", content_type);
    let request = request
        .header("X-Slack-Request-Timestamp", now)
        .header("X-Slack-Signature", sign(secret, now, &body));
    request.body(body).send().await
}

/// Written from the specification and apart from the platform's own code (`channels.md`, section 1.1).
fn sign(secret: &str, timestamp: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    format!("v0={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

fn event(event: Value) -> Value {
    let event_id = format!("Ev{}", event["ts"].as_str().unwrap());
    json!({
        "token": "deprecated", "team_id": TEAM, "api_app_id": APP, "event": event, "type": "event_callback",
        "event_id": event_id, "event_time": 1_766_458_026, "is_ext_shared_channel": false,
        "authorizations": [{
            "enterprise_id": null, "team_id": TEAM, "user_id": BOT_USER, "is_bot": true,
            "is_enterprise_install": false,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_is_reproduced() {
        let body = verification("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P");
        let body = body.to_string().replace("deprecated", "Jhj5dZrVaK7ZwHHjRyZWjbDl");
        let published = concat!(
            r#"{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","#,
            r#""challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#
        );
        let fields = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(fields(&body), fields(published));
        assert_eq!(
            sign("8f742231b10e8888abcd99yyyzzz85a5", 1_700_000_000, published),
            "v0=76c303eba32e8ec5639c84f822b2c64cdb1ea7e94fdd6d7b0b958d8e40c0959f"
        );
    }

    #[test]
    fn a_mention_is_the_same_message_under_another_event() {
        let message = in_thread(channel_message("C1", "1.2", "<@U00FAKEBOT01> hi"), "1.0");
        let mention = mention_of(&message);
        assert_ne!(mention["event_id"], message["event_id"]);
        for member in ["channel", "ts", "text", "thread_ts"] {
            assert_eq!(mention["event"][member], message["event"][member]);
        }
        assert!(mention["event"].get("channel_type").is_none());
    }
}
