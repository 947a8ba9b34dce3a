//! Messages as the Gateway tells of them.

use serde_json::{Value, json};

/// The bot as a user of Discord.
pub const BOT_USER: &str = "1457469483726668048";
const ADA: &str = "1033044521375764530";
const GUILD: &str = "1457468924290662599";

/// A message to the bot alone.
pub fn direct_message(channel: &str, id: &str, text: &str) -> Value {
    json!({
        "id": id, "channel_id": channel, "channel_type": 1, "type": 0, "content": text,
        "timestamp": "2026-01-05T00:50:57.486000+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
        "author": {
            "id": ADA, "username": "ada", "discriminator": "0", "global_name": "Ada", "avatar": null,
        },
    })
}

/// A message in a channel of a guild.
pub fn guild_message(channel: &str, id: &str, text: &str) -> Value {
    let mut message = direct_message(channel, id, text);
    message["guild_id"] = GUILD.into();
    message["channel_type"] = 0.into();
    message["member"] = json!({"nick": null, "roles": []});
    message
}

/// The same with the bot's name before its text.
pub fn mention(mut message: Value) -> Value {
    let text = message["content"].as_str().unwrap();
    message["content"] = format!("<@{BOT_USER}> {text}").into();
    message["mentions"] = json!([{"id": BOT_USER, "username": "Demo", "bot": true}]);
    message
}
