//! Slash commands and pressed buttons, which come as forms (`channels.md`, section 3.2.4).

use std::borrow::Cow;
use std::collections::HashMap;

use proto_schemas::content::User;
use serde::Deserialize;
use url::form_urlencoded;

use super::blocks::LINK;
use super::event::is_direct;
use super::text;
use crate::inbound::{Addressed, Inbound, InboundMessage, Refusal, ignored, json_problem, lacks};

type Form<'a> = HashMap<Cow<'a, str>, Cow<'a, str>>;

/// Kinds of interactions that are known and not answered.
const OTHER_INTERACTIONS: [&str; 5] = [
    "view_submission",
    "view_closed",
    "shortcut",
    "message_action",
    "block_suggestion",
];

#[derive(Deserialize)]
struct Interaction {
    #[serde(rename = "type")]
    kind: String,
    user: Option<Person>,
    container: Option<Container>,
    trigger_id: Option<String>,
    actions: Option<Vec<Action>>,
}

#[derive(Deserialize)]
struct Person {
    id: String,
    username: Option<String>,
}

/// Where the button stands; without a channel in windows and on the app's home page.
#[derive(Deserialize)]
struct Container {
    channel_id: Option<String>,
    message_ts: Option<String>,
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    action_id: Option<String>,
    action_ts: Option<String>,
    value: Option<String>,
    selected_option: Option<Choice>,
    selected_user: Option<String>,
    selected_channel: Option<String>,
    selected_conversation: Option<String>,
    selected_date: Option<String>,
    selected_time: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    value: String,
}

pub(super) fn read(body: &[u8]) -> Result<Inbound, Refusal> {
    let form: Form<'_> = form_urlencoded::parse(body).collect();
    if let Some(payload) = form.get("payload") {
        let interaction: Interaction =
            serde_json::from_str(payload).map_err(|error| Refusal::NotUnderstood(json_problem(&error)))?;
        return pressed(interaction);
    }
    if form.contains_key("command") {
        return command(&form);
    }
    if form.contains_key("ssl_check") {
        return Ok(ignored("ssl_check"));
    }
    Err(lacks("command and no payload"))
}

/// A command is said to the whole channel: it cannot be given in a thread.
fn command(form: &Form<'_>) -> Result<Inbound, Refusal> {
    let field = |name: &str| form.get(name).map(|value| value.trim()).unwrap_or_default();
    let required = |name: &str| {
        Some(field(name))
            .filter(|value| !value.is_empty())
            .ok_or_else(|| lacks(name))
    };
    let chat_id = required("channel_id")?.to_owned();
    let words = format!("{} {}", required("command")?, text::decode(field("text")));
    let inbound = InboundMessage {
        dedup_key: required("trigger_id")?.to_owned(),
        thread_id: None,
        thread_is_conversation: false,
        message_id: None,
        user: User {
            id: required("user_id")?.to_owned(),
            name: None,
            username: Some(field("user_name").to_owned()).filter(|name| !name.is_empty()),
        },
        text: words.trim_end().to_owned(),
        files: Vec::new(),
        is_group: !is_direct(&chat_id),
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: None,
        answer: None,
        chat_id,
    };
    inbound.said()
}

/// What was pressed or chosen is said by its user, in the thread of the button's message.
fn pressed(interaction: Interaction) -> Result<Inbound, Refusal> {
    if interaction.kind != "block_actions" {
        let known = OTHER_INTERACTIONS
            .into_iter()
            .find(|kind| *kind == interaction.kind);
        return Ok(ignored(known.unwrap_or("other_interaction")));
    }
    let action = interaction.actions.and_then(|actions| actions.into_iter().next());
    let action = action.ok_or_else(|| lacks("action"))?;
    if action.opens_a_page() {
        return Ok(ignored("button_of_a_page"));
    }
    let user = interaction.user.ok_or_else(|| lacks("user"))?;
    let trigger = interaction.trigger_id.filter(|trigger| !trigger.is_empty());
    let trigger = trigger.ok_or_else(|| lacks("trigger_id"))?;
    let Some(Container {
        channel_id: Some(chat_id),
        message_ts,
        thread_ts,
    }) = interaction.container
    else {
        return Ok(ignored("action_outside_of_a_channel"));
    };
    let is_direct = is_direct(&chat_id);
    let thread_id = match thread_ts {
        None if is_direct => None,
        None => message_ts.clone(),
        thread => thread,
    };
    let inbound = InboundMessage {
        dedup_key: format!("{trigger}:{}", action.action_ts.as_deref().unwrap_or_default()),
        chat_id,
        thread_id,
        thread_is_conversation: !is_direct,
        message_id: message_ts,
        user: User {
            id: user.id,
            name: None,
            username: user.username,
        },
        text: action.meaning().ok_or_else(|| lacks("value"))?,
        files: Vec::new(),
        is_group: !is_direct,
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: None,
        answer: None,
    };
    inbound.said()
}

impl Action {
    /// Whether the user left for a page and said nothing.
    fn opens_a_page(&self) -> bool {
        let name = self.action_id.as_deref();
        self.value.is_none() && name.is_some_and(|name| name.starts_with(LINK))
    }

    /// What it stands for: its value, what was chosen, or else its name.
    fn meaning(self) -> Option<String> {
        let chosen = [
            self.value,
            self.selected_option.map(|choice| choice.value),
            self.selected_user,
            self.selected_channel,
            self.selected_conversation,
            self.selected_date,
            self.selected_time,
            self.action_id,
        ];
        chosen
            .into_iter()
            .flatten()
            .find(|value| !value.trim().is_empty())
    }
}
