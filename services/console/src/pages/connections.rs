//! Connections: the accounts of channels, and how each is told where to push.

mod setup;
mod shell;

use std::sync::Arc;

use maud::{Markup, html};
use proto_schemas::content::ChannelKind;
use registry::{Bot, Connection, ConversationScope, EditPolicy, GroupPolicy, Snapshot};
use serde_json::{Value, json};

use super::page::{Page, Reply, Visit};
use super::records::{self, Field, Kind, Places, link};
use crate::problem::Problem;
use crate::web::Desk;

/// The field, and what is asked for, of a new connection's channel.
const CHANNEL: &str = "channel";

impl Kind for Connection {
    const PLACES: Places = Places {
        list: "/connections",
        new: "/new-connection",
        check_new: "/new-connection/check",
        edit: "/connections/{id}/edit",
        check: "/connections/{id}/check",
        history: "/connections/{id}/history",
        roll_back: "/connections/{id}/rollback",
        delete: "/connections/{id}/delete",
        put_action: "connections.put",
        roll_back_action: "connections.rollback",
        delete_action: "connections.delete",
    };
    const NAME: &'static str = "connection";
    const COLUMNS: [&'static str; 2] = ["Channel", "Bot"];

    fn cells(&self) -> [Markup; 2] {
        let kind = self.channel.kind();
        [html! { (kind.as_str()) }, link::<Bot>(self.bot.as_str())]
    }

    fn introduction(visit: &Visit) -> Markup {
        let chosen = channel(visit);
        html! {
            p { "Channel:" }
            div.actions {
                @for kind in ChannelKind::ALL {
                    a.button.quiet[kind != chosen] href={ "/new-connection?channel=" (kind.as_str()) }
                        aria-current=[(kind == chosen).then_some("true")] { (kind.as_str()) }
                }
            }
        }
    }

    fn hidden(visit: &Visit) -> Option<(&'static str, &'static str)> {
        Some((CHANNEL, channel(visit).as_str()))
    }

    fn fields(visit: &Visit, snapshot: &Snapshot) -> Vec<Field> {
        let mut fields = vec![
            Field::required("id", "Identifier", records::IDENTIFIER),
            Field::required("bot", "Bot", "Who answers here.").of::<Bot>(snapshot),
        ];
        fields.extend(account_fields(channel(visit)));
        fields
    }

    fn composed(visit: &Visit) -> Value {
        let kind = channel(visit);
        let account = account_fields(kind).into_iter().filter_map(|field| {
            let value = visit.field(field.name).trim();
            let value = match field.name {
                "secrets" => json!([value]),
                _ => value.into(),
            };
            let is_given = field.is_required || value != "";
            is_given.then(|| (field.name.to_owned(), value))
        });
        let account: serde_json::Map<String, Value> = account.collect();
        json!({
            "id": visit.field("id").trim(),
            "bot": visit.field("bot").trim(),
            "channel": {kind.as_str(): account},
        })
    }
}

/// The channel of a new connection.
fn channel(visit: &Visit) -> ChannelKind {
    let name = visit.asked(CHANNEL).unwrap_or(visit.field(CHANNEL));
    let known = ChannelKind::ALL.into_iter().find(|kind| kind.as_str() == name);
    known.unwrap_or(ChannelKind::Telegram)
}

/// The fields of an account, by the names that they have in the record.
fn account_fields(kind: ChannelKind) -> Vec<Field> {
    match kind {
        ChannelKind::Telegram => vec![
            Field::required(
                "token",
                "Token",
                "The bot's token from @BotFather. A reference, env:NAME or file:PATH, never the token itself.",
            ),
            Field::required(
                "webhook_secret",
                "Webhook secret",
                "A reference to a text of your own, 1 to 256 letters, digits, _ and -, by which Telegram's pushes are known.",
            ),
            Field::optional(
                "username",
                "Username",
                "The bot's, without @. Needed to answer in groups.",
            ),
        ],
        ChannelKind::Slack => vec![
            Field::required(
                "token",
                "Bot token",
                "The Bot User OAuth Token (xoxb-…). A reference, env:NAME or file:PATH, never the token itself.",
            ),
            Field::required(
                "signing_secret",
                "Signing secret",
                "A reference to the app's Signing Secret, under Basic Information.",
            ),
        ],
        ChannelKind::Discord => vec![
            Field::required(
                "token",
                "Token",
                "The bot's token. A reference, env:NAME or file:PATH, never the token itself.",
            ),
            Field::required(
                "application_id",
                "Application ID",
                "Under General Information; no secret.",
            ),
            Field::required(
                "public_key",
                "Public Key",
                "64 hexadecimal digits beside it; no secret.",
            ),
        ],
        ChannelKind::Http => vec![
            Field::required(
                "secrets",
                "Secret of pushes",
                "Verifies what is pushed. A reference, env:NAME or file:PATH, to whsec_ and base64; never the secret itself.",
            ),
            Field::optional(
                "callback_url",
                "Callback URL",
                "Where replies are posted. Without it they are only kept in the transcript.",
            ),
            Field::optional(
                "callback_secret",
                "Secret of callbacks",
                "Signs them, where there is an address. A reference as above.",
            ),
        ],
    }
}

pub(super) fn pages() -> Vec<Page> {
    let mut pages = records::pages::<Connection>();
    pages.push(Page::new("/connections/{id}", |desk, visit| {
        Box::pin(show(desk, visit))
    }));
    pages
}

async fn show(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let stored = records::found::<Connection>(&desk, &visit).await?;
    let body = match &stored.record {
        Some(connection) => html! {
            (facts(connection))
            (setup::shown(connection, desk.surroundings.ingress_public_url.as_ref()))
        },
        None => html! {},
    };
    let title = format!("Connection {}", stored.id);
    Ok(Reply::page(
        Connection::PLACES.list,
        title,
        records::framed(&visit, &stored, &body),
    ))
}

fn facts(connection: &Connection) -> Markup {
    html! {
        dl.facts {
            dt { "Channel" } dd { (connection.channel.kind().as_str()) }
            dt { "Bot" } dd { (link::<Bot>(connection.bot.as_str())) }
            @for (key, secret) in connection.channel.secrets() { dt { (purpose(key)) } dd { code { (secret) } } }
            dt { "In groups" } dd {
                @match connection.groups {
                    GroupPolicy::Addressed => "what is meant for the bot is answered",
                    GroupPolicy::Always => "all that the platform shows it is answered",
                }
                @match connection.conversations {
                    ConversationScope::Chat => ", in one conversation of all",
                    ConversationScope::User => ", in a conversation of each user",
                }
            }
            dt { "Changed messages" } dd {
                @match connection.edits {
                    EditPolicy::Ignore => "stay as they were asked",
                    EditPolicy::Ask => "are asked again, on Telegram and Slack",
                }
            }
        }
    }
}

/// What a secret of an account is for.
fn purpose(key: &str) -> &'static str {
    match key {
        "secrets" => "Secret of pushes",
        "callback_secret" => "Secret of callbacks",
        "webhook_secret" => "Webhook secret",
        "signing_secret" => "Signing secret",
        _ => "Bot's token",
    }
}
