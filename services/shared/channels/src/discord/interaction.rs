//! What Discord pushes, as far as we read it (`channels.md`, section 4.2.1).

use std::collections::HashMap;

use proto_schemas::content::User;
use serde::Deserialize;
use serde_json::Value;

use super::attachment::Attachment;

/// An interaction, or an event of the application, which has `event` and little else.
#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(rename = "type")]
    pub(super) kind: u64,
    pub(super) event: Option<Event>,
    pub(super) id: Option<String>,
    pub(super) token: Option<String>,
    pub(super) channel_id: Option<String>,
    channel: Option<Channel>,
    guild_id: Option<String>,
    context: Option<u64>,
    member: Option<Member>,
    user: Option<Person>,
    pub(super) message: Option<Origin>,
    pub(super) data: Option<Data>,
}

#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
struct Channel {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<u64>,
}

/// A person in a server.
#[derive(Deserialize)]
struct Member {
    nick: Option<String>,
    user: Option<Person>,
}

#[derive(Deserialize)]
pub(super) struct Person {
    id: String,
    username: Option<String>,
    global_name: Option<String>,
    bot: Option<bool>,
}

/// The message that a button or a list stands under.
#[derive(Deserialize)]
pub(super) struct Origin {
    pub(super) id: String,
}

/// What was said: members of a command, of what was pressed, and of a form.
#[derive(Deserialize)]
pub(super) struct Data {
    #[serde(rename = "type")]
    pub(super) kind: Option<u64>,
    pub(super) name: Option<String>,
    pub(super) options: Option<Vec<CommandOption>>,
    pub(super) target_id: Option<String>,
    pub(super) custom_id: Option<String>,
    pub(super) component_type: Option<u64>,
    pub(super) values: Option<Vec<String>>,
    pub(super) components: Option<Vec<Component>>,
    pub(super) resolved: Option<Resolved>,
}

#[derive(Deserialize)]
pub(super) struct CommandOption {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: u64,
    pub(super) value: Option<Value>,
    pub(super) options: Option<Vec<CommandOption>>,
}

/// A field of a form, or what fields stand in.
#[derive(Deserialize)]
pub(super) struct Component {
    #[serde(rename = "type")]
    pub(super) kind: Option<u64>,
    pub(super) value: Option<Value>,
    pub(super) values: Option<Vec<String>>,
    pub(super) component: Option<Box<Component>>,
    pub(super) components: Option<Vec<Component>>,
}

/// What the identifiers in the data stand for.
#[derive(Deserialize, Default)]
pub(super) struct Resolved {
    pub(super) users: Option<HashMap<String, Person>>,
    pub(super) roles: Option<HashMap<String, Named>>,
    pub(super) channels: Option<HashMap<String, Named>>,
    pub(super) messages: Option<HashMap<String, TargetMessage>>,
    pub(super) attachments: Option<HashMap<String, Attachment>>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: Option<String>,
}

/// The message that a command was given on.
#[derive(Deserialize)]
pub(super) struct TargetMessage {
    pub(super) content: Option<String>,
    pub(super) attachments: Option<Vec<Attachment>>,
}

impl Push {
    /// Who did it, and whether that is a bot.
    pub(super) fn author(&mut self) -> Option<(User, bool)> {
        let (nick, person) = match self.member.take() {
            Some(member) => (member.nick, member.user),
            None => (None, None),
        };
        let person = person.or_else(|| self.user.take())?;
        let author = User {
            name: nick.or(person.global_name),
            id: person.id,
            username: person.username,
        };
        Some((author, person.bot == Some(true)))
    }

    /// The channel. A thread is one of its own.
    pub(super) fn chat_id(&mut self) -> Option<String> {
        let channel = self.channel.as_mut();
        self.channel_id
            .take()
            .or_else(|| channel.and_then(|channel| channel.id.take()))
    }

    /// Whether the bot is alone with the user.
    pub(super) fn is_direct(&self) -> bool {
        /// Of contexts: the direct messages of the bot.
        const BOT_DM: u64 = 1;
        /// Of channels: direct messages.
        const DM: u64 = 1;
        match self.context {
            Some(context) => context == BOT_DM,
            None => {
                let kind = self.channel.as_ref().and_then(|channel| channel.kind);
                self.guild_id.is_none() && kind.is_none_or(|kind| kind == DM)
            }
        }
    }
}

impl Person {
    /// The name that people see.
    pub(super) fn shown(&self) -> &str {
        let names = self.global_name.as_deref().or(self.username.as_deref());
        names.unwrap_or(&self.id)
    }
}
