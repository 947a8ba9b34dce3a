//! What the pipelines of these tests are configured with.

use registry::Manifest;
use serde_json::json;
use testkit::backend::FakeBackend;
use testkit::callback::CallbackReceiver;
use testkit::discord::FakeDiscord;
use testkit::slack::FakeSlack;
use testkit::telegram::FakeTelegram;
pub(crate) use tests::manifest::{
    DISCORD_TOKEN, ERROR_MESSAGE, RESET_MESSAGE, SLACK_SIGNING_SECRET, SLACK_TOKEN, TELEGRAM_SECRET,
    TELEGRAM_TOKEN, callback_secret, push_secret, secrets,
};
use tests::manifest::{bot, discord_app, http, integration, slack_app, telegram_bot};

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
/// HTTP connection of a bot whose conversations are shared out over the webhooks behind [`WEB`] and [`FRAGILE`].
pub(crate) const SPLIT: &str = "split";
/// Telegram connection of the bot behind [`WEB`].
pub(crate) const TELEGRAM: &str = "tg";
/// Telegram connection of the bot behind [`FRAGILE`].
pub(crate) const TELEGRAM_FRAGILE: &str = "tg-fragile";
/// Slack connection of the bot behind [`WEB`].
pub(crate) const SLACK: &str = "slack";
/// Discord connection of the bot behind [`WEB`].
pub(crate) const DISCORD: &str = "discord";

/// How often the webhook behind [`FRAGILE`] is called before it is given up.
pub(crate) const FRAGILE_ATTEMPTS: u32 = 2;
/// How many calls the webhook behind [`SLOW`] bears at once.
pub(crate) const SLOW_CONCURRENCY: usize = 2;
/// Bots, integrations and connections.
pub(crate) fn manifest(
    backend: &FakeBackend,
    slow_backend: &FakeBackend,
    callbacks: &CallbackReceiver,
    telegram: &FakeTelegram,
    slack: &FakeSlack,
    discord: &FakeDiscord,
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
            bot("demo", "echo", "queue", json!({})),
            bot("collector", "echo", "coalesce", json!({})),
            bot("fragile", "fragile", "queue", json!({})),
            bot("slow", "slow", "queue", json!({})),
            bot("dead", "dead", "queue", json!({})),
            bot("split", "echo", "queue", json!({
                "integration": null,
                "split": { "arms": [{ "integration": "echo" }, { "integration": "fragile" }] },
            })),
        ],
        "connections": [
            http(WEB, "demo", &callbacks.url()),
            http(COLLECT, "collector", &callbacks.url()),
            http(FRAGILE, "fragile", &callbacks.url()),
            http(SLOW, "slow", &callbacks.url()),
            http(DEAD, "dead", &callbacks.url()),
            http(SPLIT, "split", &callbacks.url()),
            telegram_bot(TELEGRAM, "demo", &telegram.api_base()),
            telegram_bot(TELEGRAM_FRAGILE, "fragile", &telegram.api_base()),
            slack_app(SLACK, "demo", &slack.api_base()),
            discord_app(DISCORD, "demo", &discord.api_base()),
        ],
    });
    serde_json::from_value(manifest).unwrap()
}
