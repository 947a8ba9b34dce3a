//! What the platform of a connection has to be told: the exact address, and the commands or steps that set it.

use maud::{Markup, html};
use registry::{
    Connection, ConnectionChannel, DiscordConnection, HttpConnection, SlackConnection, TelegramConnection,
};
use url::Url;

use super::shell::{secret, word};

/// What stands for the address of ingress where nobody has told it.
const UNKNOWN_INGRESS: &str = "https://YOUR-INGRESS";
/// The manifest of a Slack app, and the address in it that stands for the connection's.
const SLACK_APP: &str = include_str!("../../../../../deploy/slack-app.yaml");
const SLACK_ADDRESS: &str = "https://bot.example.com/v1/channels/slack/events";
/// The commands that a Discord application offers.
const DISCORD_COMMANDS: &str = include_str!("../../../../../deploy/discord-commands.json");
/// The updates that are read; of all others Telegram tells nothing.
const TELEGRAM_UPDATES: &str = r#"["message","edited_message","callback_query","my_chat_member"]"#;

/// The whole section.
pub(super) fn shown(connection: &Connection, ingress: Option<&Url>) -> Markup {
    let address = address(connection, ingress);
    html! {
        h2 { "Webhook URL" }
        (copied("address", &address))
        @if ingress.is_none() {
            div.notice.warn { p { "The console has not been told where platforms reach ingress: set " code { "INGRESS_PUBLIC_URL" } ", or put its address in place of " code { (UNKNOWN_INGRESS) } "." } }
        }
        @match &connection.channel {
            ConnectionChannel::Http(http) => (http_steps(http, &address)),
            ConnectionChannel::Telegram(telegram) => (telegram_steps(telegram, &address)),
            ConnectionChannel::Slack(slack) => (slack_steps(slack, &address)),
            ConnectionChannel::Discord(discord) => (discord_steps(discord)),
        }
    }
}

/// Where the platform pushes to.
fn address(connection: &Connection, ingress: Option<&Url>) -> String {
    let ingress = ingress.map_or(UNKNOWN_INGRESS, Url::as_str);
    let last = match &connection.channel {
        ConnectionChannel::Http(_) => "messages",
        ConnectionChannel::Telegram(_) => "updates",
        ConnectionChannel::Slack(_) => "events",
        ConnectionChannel::Discord(_) => "interactions",
    };
    format!(
        "{}/v1/channels/{}/{last}",
        ingress.trim_end_matches('/'),
        connection.id
    )
}

/// A text with a button that copies it, where a script may.
fn copied(id: &str, text: &str) -> Markup {
    html! {
        pre id=(id) { (text) }
        button.quiet type="button" data-copy=(id) hidden { "Copy" }
    }
}

fn telegram_steps(telegram: &TelegramConnection, address: &str) -> Markup {
    let method = |name: &str| {
        let base = telegram.api_base.as_str().trim_end_matches('/');
        format!(
            "{}{}/{name}",
            word(&format!("{base}/bot")),
            secret(&telegram.token)
        )
    };
    let register = format!(
        "curl -sS {} \\\n  --data-urlencode {} \\\n  --data-urlencode secret_token={} \\\n  --data-urlencode {}",
        method("setWebhook"),
        word(&format!("url={address}")),
        secret(&telegram.webhook_secret),
        word(&format!("allowed_updates={TELEGRAM_UPDATES}")),
    );
    html! {
        h2 { "Registering it" }
        p { "In a shell that has the secrets. Telegram calls HTTPS at the ports 443, 80, 88 and 8443 only." }
        (copied("register", &register))
        h3 { "Is it registered?" }
        (copied("ask", &format!("curl -sS {}", method("getWebhookInfo"))))
    }
}

fn slack_steps(slack: &SlackConnection, address: &str) -> Markup {
    html! {
        h2 { "Setting up the app" }
        ol {
            li { "Create an app at " code { "https://api.slack.com/apps" } ", From a manifest, with the manifest below. Install it to the workspace." }
            li { "Put its Bot User OAuth Token (OAuth & Permissions) where " code { (slack.token) } " is read, and its Signing Secret (Basic Information) where " code { (slack.signing_secret) } " is." }
            li { "Have the Request URL, which is the address above, verified under Event Subscriptions. Invite the bot into the channels where it is to answer." }
        }
        h3 { "The manifest" }
        (copied("manifest", &slack_manifest(address)))
    }
}

/// The manifest with the connection's address, without the words about how to put it there.
fn slack_manifest(address: &str) -> String {
    let lines = SLACK_APP.lines();
    let lines: Vec<&str> = lines
        .skip_while(|line| line.is_empty() || line.starts_with('#'))
        .collect();
    lines.join("\n").replace(SLACK_ADDRESS, address)
}

fn discord_steps(discord: &DiscordConnection) -> Markup {
    let base = discord.api_base.as_str().trim_end_matches('/');
    let commands = word(&format!(
        "{base}/applications/{}/commands",
        discord.application_id
    ));
    let register = format!(
        "curl -sS -X PUT {commands} \\\n  -H 'Authorization: Bot '{} -H 'Content-Type: application/json' \\\n  -d @discord-commands.json",
        secret(&discord.token),
    );
    html! {
        h2 { "Setting up the application" }
        ol {
            li { "Set the Interactions Endpoint URL (developer portal, General Information) to the address above. Discord asks at once whether it is answered. The same address takes Webhook Events." }
            li { "Register the commands: save them as " code { "discord-commands.json" } ", and run the command below in a shell that has the token." }
            li { "Invite the bot with the scopes " code { "bot" } " and " code { "applications.commands" } ", and the permissions to send messages (in threads too) and attach files." }
            @if discord.gateway.is_some() {
                li { "Switch the Message Content Intent on (Bot), as plain messages are read." }
            }
        }
        (copied("register", &register))
        h3 { "discord-commands.json" }
        (copied("commands", DISCORD_COMMANDS.trim_end()))
    }
}

fn http_steps(http: &HttpConnection, address: &str) -> Markup {
    html! {
        h2 { "Pushing a message" }
        p { "Pushes and callbacks are signed by Standard Webhooks. By hand, in a shell that has the secret:" }
        @match http.secrets.first() {
            Some(reference) => (copied("push", &push(&secret(reference), address))),
            None => p { "There is no secret yet." },
        }
        @match &http.callback_url {
            Some(url) => p { "Replies are posted to " code { (url) } "." },
            None => p { "Replies are posted nowhere: they are kept in the transcript." },
        }
    }
}

fn push(secret: &str, address: &str) -> String {
    let address = word(address);
    format!(
        r#"SECRET={secret}
BODY='{{"conversation_id":"ada","user":{{"id":"ada","name":"Ada"}},"text":"Hello from curl"}}'
ID="push-$(date +%s)"; TIME="$(date +%s)"
SIGNATURE="$(printf '%s.%s.%s' "$ID" "$TIME" "$BODY" | SECRET="$SECRET" python3 -c 'import base64, hashlib, hmac, os, sys
key = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
print("v1," + base64.b64encode(hmac.new(key, sys.stdin.buffer.read(), hashlib.sha256).digest()).decode())')"
curl -sS {address} -H 'content-type: application/json' \
  -H "webhook-id: $ID" -H "webhook-timestamp: $TIME" -H "webhook-signature: $SIGNATURE" -d "$BODY""#
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn connection(channel: serde_json::Value) -> Connection {
        let connection = serde_json::json!({"id": "chat", "bot": "b", "channel": channel});
        serde_json::from_value(connection).unwrap()
    }

    #[test]
    fn the_address_stands_behind_that_of_ingress_with_its_path() {
        let slack = connection(serde_json::json!({"slack": {"token": "env:T", "signing_secret": "env:S"}}));
        let of = |ingress: &str| address(&slack, Some(&Url::parse(ingress).unwrap()));
        assert_eq!(
            of("https://bot.example.com"),
            "https://bot.example.com/v1/channels/chat/events"
        );
        assert_eq!(
            of("https://a.example/b/"),
            "https://a.example/b/v1/channels/chat/events"
        );
        assert_eq!(
            address(&slack, None),
            "https://YOUR-INGRESS/v1/channels/chat/events"
        );
    }

    #[test]
    fn the_manifest_of_a_slack_app_has_the_address_everywhere() {
        let manifest = slack_manifest("https://a.example/v1/channels/chat/events");
        assert_eq!(
            manifest
                .matches("https://a.example/v1/channels/chat/events")
                .count(),
            3
        );
        assert!(manifest.starts_with("display_information:") && !manifest.contains("bot.example.com"));
        let read: serde_json::Value = serde_saphyr::from_str(&manifest).unwrap();
        assert!(read["settings"]["interactivity"]["is_enabled"].as_bool().unwrap());
    }

    #[test]
    fn a_push_by_hand_is_signed_as_standard_webhooks_asks() {
        const FAKES: &str = "curl() { printf '%s\\n' \"$@\"; }; date() { echo 1614265330; }\n";
        let script = push("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "https://a.example/x");
        let shell = Command::new("sh")
            .arg("-c")
            .arg(format!("{FAKES}{script}"))
            .output()
            .unwrap();
        let said = String::from_utf8(shell.stdout).unwrap();
        let body = said.lines().last().unwrap();
        assert!(body.starts_with(r#"{"conversation_id""#), "{said}");
        assert!(said.contains("https://a.example/x\n"), "{said}");
        let signed = said
            .lines()
            .find_map(|line| line.strip_prefix("webhook-signature: v1,"));
        let signed = signed.unwrap();
        let key = data_encoding::BASE64
            .decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .unwrap();
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("push-1614265330.1614265330.{body}").as_bytes());
        assert_eq!(signed, data_encoding::BASE64.encode(&mac.finalize().into_bytes()));
    }
}
