//! What Discord pushes (`channels.md`, section 4.2), and the push itself.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::client::client;

/// The application, and the bot as a user.
pub const APPLICATION: &str = "1457469483726668048";
/// What pushes can be verified with: the key of the first test of RFC 8032.
pub const PUBLIC_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SEED: &[u8] = b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
/// The server.
const GUILD: &str = "1457468924290662599";
/// The kind of an option that is a file.
const ATTACHMENT: u64 = 11;
/// The identifier of the file that goes with a command.
const FILE_ID: &str = "1457536600000000001";
/// How long the address of a file is good, in seconds.
const FILE_LIFE: u64 = 24 * 60 * 60;

/// A slash command of a server's channel with options that are texts. `id` names it, `token` opens the way back.
pub fn command(channel: &str, id: &str, token: &str, name: &str, options: &[(&str, &str)]) -> Value {
    let options: Vec<Value> = options
        .iter()
        .map(|(name, value)| json!({ "name": name, "type": 3, "value": value }))
        .collect();
    let data = json!({ "id": "870616445036421159", "name": name, "type": 1, "options": options });
    interaction(2, channel, id, token, data)
}

/// A button that is pressed under the bot's message `message`.
pub fn press(channel: &str, id: &str, token: &str, custom_id: &str, message: &str) -> Value {
    let data = json!({ "component_type": 2, "custom_id": custom_id, "id": 1 });
    let mut press = interaction(3, channel, id, token, data);
    press["message"] = json!({
        "id": message, "channel_id": channel, "content": "Sure?", "type": 0,
        "timestamp": "2026-01-05T00:50:57.486000+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
        "components": [], "pinned": false, "flags": 0,
        "author": {
            "id": APPLICATION, "username": "support", "discriminator": "6184", "avatar": null, "bot": true,
            "public_flags": 0, "global_name": null,
        },
    });
    press
}

/// The command with a file that lies at `url`, as the option `file`.
pub fn with_file(mut command: Value, url: &str, name: &str, mime_type: &str, size: usize) -> Value {
    let option = json!({ "name": "file", "type": ATTACHMENT, "value": FILE_ID });
    command["data"]["options"].as_array_mut().unwrap().push(option);
    command["data"]["resolved"] = json!({ "attachments": { FILE_ID: {
        "id": FILE_ID, "filename": name, "content_type": mime_type, "size": size, "url": url,
        "proxy_url": url, "ephemeral": true,
    }}});
    command
}

/// The interaction as it is in direct messages with the bot.
pub fn in_direct_messages(mut interaction: Value) -> Value {
    let user = interaction["member"]["user"].take();
    let members = interaction.as_object_mut().unwrap();
    for member in ["member", "guild", "guild_id", "guild_locale"] {
        members.remove(member);
    }
    members.insert("user".to_owned(), user);
    members.insert("context".to_owned(), 1.into());
    interaction["channel"] = json!({ "id": interaction["channel_id"], "type": 1, "last_message_id": null });
    interaction
}

/// Discord's question whether an endpoint is ours.
pub fn ping() -> Value {
    json!({
        "id": "1218320751015235605", "application_id": APPLICATION, "type": 1, "version": 1,
        "token": "aW50ZXJhY3Rpb246cGluZw", "entitlements": [], "authorizing_integration_owners": {},
        "app_permissions": "180224", "attachment_size_limit": 10_485_760,
    })
}

/// An event of the application, as `APPLICATION_DEAUTHORIZED`; without a kind, the question whether we listen.
pub fn event(kind: Option<&str>) -> Value {
    let mut push = json!({ "version": 1, "application_id": APPLICATION, "type": 0 });
    if let Some(kind) = kind {
        push["type"] = 1.into();
        push["event"] = json!({ "type": kind, "timestamp": "2026-10-18T14:42:53.064834", "data": {} });
    }
    push
}

/// Pushes an interaction to `url`, signed as Discord does.
///
/// # Errors
/// What the client says when `url` cannot be reached or is cut off.
pub async fn push_interaction(url: &str, interaction: &Value) -> reqwest::Result<reqwest::Response> {
    let (body, now) = (interaction.to_string(), now());
    send(url, now, sign(now, &body), body).await
}

/// Pushes an interaction with the signature of another one, as Discord does from time to time to see it refused.
///
/// # Errors
/// What the client says when `url` cannot be reached or is cut off.
pub async fn push_forged(url: &str, interaction: &Value) -> reqwest::Result<reqwest::Response> {
    let (body, now) = (interaction.to_string(), now());
    send(url, now, sign(now, "{}"), body).await
}

/// An address with the time until which it is good.
pub(super) fn expiring(url: &str) -> String {
    let now = now();
    format!("{url}?ex={:x}&is={now:x}&hm=5954f90117ccf871", now + FILE_LIFE)
}

async fn send(url: &str, now: u64, signature: String, body: String) -> reqwest::Result<reqwest::Response> {
    let request = client().post(url).header("content-type", "application/json");
    let request = request
        .header("User-Agent", "Discord-Interactions/1.0 (+https://discord.com)")
        .header("X-Signature-Timestamp", now)
        .header("X-Signature-Ed25519", signature);
    request.body(body).send().await
}

/// Made by another implementation than the one that the platform verifies with (`channels.md`, section 1.2).
fn sign(timestamp: u64, body: &str) -> String {
    let seed = HEXLOWER.decode(SEED).unwrap();
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    HEXLOWER.encode(key.sign(format!("{timestamp}{body}").as_bytes()).as_ref())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock is past 1970").as_secs()
}

fn interaction(kind: u64, channel: &str, id: &str, token: &str, data: Value) -> Value {
    json!({
        "id": id, "application_id": APPLICATION, "type": kind, "version": 1, "token": token, "data": data,
        "channel_id": channel, "guild_id": GUILD, "context": 0, "locale": "en-US", "guild_locale": "en-US",
        "channel": {
            "id": channel, "guild_id": GUILD, "name": "general", "type": 0, "permissions": "2248473465835073",
            "flags": 0, "position": 0, "nsfw": false, "parent_id": null, "topic": null,
        },
        "guild": { "id": GUILD, "locale": "en-US", "features": [] },
        "member": {
            "user": {
                "id": "1033044521375764530", "username": "testuser2384", "global_name": "Test User",
                "discriminator": "0", "avatar": null, "public_flags": 0,
            },
            "nick": null, "roles": [], "joined_at": "2026-01-04T20:21:10.139000+00:00", "deaf": false,
            "mute": false, "flags": 0, "pending": false, "permissions": "9007199254740991", "avatar": null,
            "communication_disabled_until": null, "premium_since": null,
        },
        "entitlements": [], "authorizing_integration_owners": { "0": GUILD }, "app_permissions": "2248473465835073",
        "attachment_size_limit": 10_485_760,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_a_ping_is_reproduced() {
        assert_eq!(
            sign(1_700_000_000, r#"{"type":1}"#),
            "1695961a47c91a1ec033b819b7e87e3dbc583dd0cee6d1fd0216f58ac87b6228\
             ae531ddbf91fb7bc28d7edf7f08604da16f54624f38a6bc0614e4dc13cd47f0f"
        );
    }
}
