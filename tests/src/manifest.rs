//! The parts of a manifest, and the secrets that it refers to.

use serde_json::{Value, json};
use testkit::callback::new_secret;

/// What users are told when their message is given up.
pub const ERROR_MESSAGE: &str = "No answer today.";
/// What users are told after `/reset`.
pub const RESET_MESSAGE: &str = "Forgotten.";

/// The token of the Telegram bot.
pub const TELEGRAM_TOKEN: &str = "4711:telegram-token-of-the-tests";
/// What Telegram sends along with its pushes.
pub const TELEGRAM_SECRET: &str = "telegram-webhook-secret-of-the-tests";

/// The token of the Slack app.
pub const SLACK_TOKEN: &str = "xoxb-slack-token-of-the-tests";
/// What Slack signs its pushes with.
pub const SLACK_SIGNING_SECRET: &str = "slack-signing-secret-of-the-tests";

/// The token of the Discord bot.
pub const DISCORD_TOKEN: &str = "discord-token-of-the-tests";

/// Signs what is pushed through the HTTP connections.
pub fn push_secret() -> String {
    new_secret("push")
}

/// Signs the replies of the HTTP connections.
pub fn callback_secret() -> String {
    new_secret("callback")
}

/// The variables that hold the secrets, by the names that the configuration refers to.
pub fn secrets() -> Vec<(&'static str, String)> {
    vec![
        ("PUSH_SECRET", push_secret()),
        ("CALLBACK_SECRET", callback_secret()),
        ("WEBHOOK_SECRET", new_secret("webhook")),
        ("WEBHOOK_KEY", "webhook-api-key-of-the-tests".to_owned()),
        ("TELEGRAM_TOKEN", TELEGRAM_TOKEN.to_owned()),
        ("TELEGRAM_SECRET", TELEGRAM_SECRET.to_owned()),
        ("SLACK_TOKEN", SLACK_TOKEN.to_owned()),
        ("SLACK_SIGNING_SECRET", SLACK_SIGNING_SECRET.to_owned()),
        ("DISCORD_TOKEN", DISCORD_TOKEN.to_owned()),
        (
            "ATTACHMENTS_SIGNING_KEY",
            "attachments-signing-key-of-the-tests".to_owned(),
        ),
    ]
}

/// A webhook at `url` with the secrets of [`secrets`] and the fields of the object `more`.
///
/// # Panics
/// When `more` is no object.
pub fn integration(id: &str, url: &str, more: Value) -> Value {
    let integration = json!({
        "id": id,
        "url": url,
        "headers": { "Authorization": { "prefix": "Bearer ", "secret": "env:WEBHOOK_KEY" } },
        "signing_secret": "env:WEBHOOK_SECRET",
    });
    with(integration, more)
}

/// A bot behind the webhook `integration`, with the words of this module; `overlap` is `queue` or `coalesce`.
///
/// # Panics
/// When `more` is no object.
pub fn bot(id: &str, integration: &str, overlap: &str, more: Value) -> Value {
    let bot = json!({
        "id": id,
        "name": id,
        "integration": integration,
        "overlap": overlap,
        "error_message": ERROR_MESSAGE,
        "reset_message": RESET_MESSAGE,
    });
    with(bot, more)
}

/// An HTTP connection whose replies go to `callback_url`.
pub fn http(id: &str, bot: &str, callback_url: &str) -> Value {
    let channel = json!({
        "secrets": ["env:PUSH_SECRET"],
        "callback_url": callback_url,
        "callback_secret": "env:CALLBACK_SECRET",
    });
    json!({ "id": id, "bot": bot, "channel": { "http": channel } })
}

/// A connection of the Telegram bot at the Bot API server `api_base`.
pub fn telegram_bot(id: &str, bot: &str, api_base: &str) -> Value {
    let channel = json!({
        "token": "env:TELEGRAM_TOKEN",
        "webhook_secret": "env:TELEGRAM_SECRET",
        "api_base": api_base,
    });
    json!({ "id": id, "bot": bot, "channel": { "telegram": channel } })
}

/// A connection of the Slack app at the Web API `api_base`.
pub fn slack_app(id: &str, bot: &str, api_base: &str) -> Value {
    let channel = json!({
        "token": "env:SLACK_TOKEN",
        "signing_secret": "env:SLACK_SIGNING_SECRET",
        "api_base": api_base,
    });
    json!({ "id": id, "bot": bot, "channel": { "slack": channel } })
}

/// A Discord connection that talks to a REST API at `api_base`, which pushes with the key of the fake.
pub fn discord_app(id: &str, bot: &str, api_base: &str) -> Value {
    let channel = json!({
        "token": "env:DISCORD_TOKEN",
        "application_id": testkit::discord::APPLICATION,
        "public_key": testkit::discord::PUBLIC_KEY,
        "api_base": api_base,
    });
    json!({ "id": id, "bot": bot, "channel": { "discord": channel } })
}

/// The object with the fields of another one besides.
fn with(mut object: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        unreachable!("every caller passes an object")
    };
    object.as_object_mut().unwrap().extend(more);
    object
}
