//! What the pipelines of these tests are configured with, and the secrets that it refers to.

use registry::Manifest;
use serde_json::{Value, json};
use testkit::backend::FakeBackend;
use testkit::callback::{CallbackReceiver, new_secret};
use testkit::telegram::FakeTelegram;

/// HTTP connection of a bot that answers each message by itself.
pub(crate) const WEB: &str = "web";
/// HTTP connection of a bot that answers waiting messages together.
pub(crate) const COLLECT: &str = "collect";
/// HTTP connection of a bot whose webhook is given up after [`FRAGILE_ATTEMPTS`].
pub(crate) const FRAGILE: &str = "fragile";
/// HTTP connection of a bot with a webhook of its own that bears [`SLOW_CONCURRENCY`] calls at once.
pub(crate) const SLOW: &str = "slow";
/// HTTP connection of a bot whose webhook nobody serves.
pub(crate) const DEAD: &str = "dead";
/// Telegram connection of the bot behind [`WEB`].
pub(crate) const TELEGRAM: &str = "tg";
/// Telegram connection of the bot behind [`FRAGILE`].
pub(crate) const TELEGRAM_FRAGILE: &str = "tg-fragile";

/// How often the webhook behind [`FRAGILE`] is called before it is given up.
pub(crate) const FRAGILE_ATTEMPTS: u32 = 2;
/// How many calls the webhook behind [`SLOW`] bears at once.
pub(crate) const SLOW_CONCURRENCY: usize = 2;
/// What users of the bot behind [`FRAGILE`] are told when it is given up.
pub(crate) const ERROR_MESSAGE: &str = "No answer today.";
/// What users are told after `/reset`.
pub(crate) const RESET_MESSAGE: &str = "Forgotten.";

/// The token of the Telegram bot.
pub(crate) const TELEGRAM_TOKEN: &str = "4711:telegram-token-of-the-tests";
/// What Telegram sends along with its pushes.
pub(crate) const TELEGRAM_SECRET: &str = "telegram-webhook-secret-of-the-tests";

/// Signs what is pushed through the HTTP connections.
pub(crate) fn push_secret() -> String {
    new_secret("push")
}

/// Signs the replies of the HTTP connections.
pub(crate) fn callback_secret() -> String {
    new_secret("callback")
}

/// The variables that hold the secrets, by the names that the configuration refers to.
pub(crate) fn secrets() -> Vec<(&'static str, String)> {
    vec![
        ("PUSH_SECRET", push_secret()),
        ("CALLBACK_SECRET", callback_secret()),
        ("WEBHOOK_SECRET", new_secret("webhook")),
        ("WEBHOOK_KEY", "webhook-api-key-of-the-tests".to_owned()),
        ("TELEGRAM_TOKEN", TELEGRAM_TOKEN.to_owned()),
        ("TELEGRAM_SECRET", TELEGRAM_SECRET.to_owned()),
        (
            "ATTACHMENTS_SIGNING_KEY",
            "attachments-signing-key-of-the-tests".to_owned(),
        ),
    ]
}

/// Bots, integrations and connections.
pub(crate) fn manifest(
    backend: &FakeBackend,
    slow_backend: &FakeBackend,
    callbacks: &CallbackReceiver,
    telegram: &FakeTelegram,
) -> Manifest {
    let nobody = "http://127.0.0.1:9/webhook";
    let manifest = json!({
        "integrations": [
            integration("echo", &backend.url(), json!({})),
            integration("fragile", &backend.url(), json!({
                "retry": { "attempts": FRAGILE_ATTEMPTS, "max_age": "0s" },
            })),
            integration("slow", &slow_backend.url(), json!({
                "limits": { "concurrency": SLOW_CONCURRENCY },
            })),
            integration("dead", nobody, json!({})),
        ],
        "bots": [
            bot("demo", "echo", "queue"),
            bot("collector", "echo", "coalesce"),
            bot("fragile", "fragile", "queue"),
            bot("slow", "slow", "queue"),
            bot("dead", "dead", "queue"),
        ],
        "connections": [
            http(WEB, "demo", callbacks),
            http(COLLECT, "collector", callbacks),
            http(FRAGILE, "fragile", callbacks),
            http(SLOW, "slow", callbacks),
            http(DEAD, "dead", callbacks),
            telegram_bot(TELEGRAM, "demo", telegram),
            telegram_bot(TELEGRAM_FRAGILE, "fragile", telegram),
        ],
    });
    serde_json::from_value(manifest).unwrap()
}

fn integration(id: &str, url: &str, more: Value) -> Value {
    let mut integration = json!({
        "id": id,
        "url": url,
        "headers": { "Authorization": { "prefix": "Bearer ", "secret": "env:WEBHOOK_KEY" } },
        "signing_secret": "env:WEBHOOK_SECRET",
    });
    let Value::Object(more) = more else {
        unreachable!("every caller passes an object")
    };
    integration.as_object_mut().unwrap().extend(more);
    integration
}

fn bot(id: &str, integration: &str, overlap: &str) -> Value {
    json!({
        "id": id,
        "name": id,
        "integration": integration,
        "overlap": overlap,
        "error_message": ERROR_MESSAGE,
        "reset_message": RESET_MESSAGE,
    })
}

fn http(id: &str, bot: &str, callbacks: &CallbackReceiver) -> Value {
    let channel = json!({
        "secrets": ["env:PUSH_SECRET"],
        "callback_url": callbacks.url(),
        "callback_secret": "env:CALLBACK_SECRET",
    });
    json!({ "id": id, "bot": bot, "channel": { "http": channel } })
}

fn telegram_bot(id: &str, bot: &str, telegram: &FakeTelegram) -> Value {
    let channel = json!({
        "token": "env:TELEGRAM_TOKEN",
        "webhook_secret": "env:TELEGRAM_SECRET",
        "api_base": telegram.api_base(),
    });
    json!({ "id": id, "bot": bot, "channel": { "telegram": channel } })
}
