//! The part of Slack's events that we read (`channels.md`, section 3.2). Unknown members are ignored, absent ones
//! tolerated: Slack adds members without notice.

use serde::Deserialize;

/// What the Events API posts. `kind` says which of the members are there.
#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) challenge: Option<String>,
    pub(super) event: Option<Event>,
    authorizations: Option<Vec<Authorization>>,
}

/// For whom of our app's users an event is meant.
#[derive(Deserialize)]
struct Authorization {
    user_id: Option<String>,
    #[serde(default)]
    is_bot: bool,
}

impl Push {
    /// The bot as a user of the workspace.
    pub(super) fn bot(&self) -> Option<&str> {
        let mut all = self.authorizations.iter().flatten();
        all.find(|authorization| authorization.is_bot)?.user_id.as_deref()
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event {
    Message(Message),
    AppMention(Message),
    TokensRevoked,
    AppUninstalled,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) channel: String,
    pub(super) channel_type: Option<String>,
    pub(super) subtype: Option<String>,
    pub(super) user: Option<String>,
    pub(super) bot_id: Option<String>,
    pub(super) text: Option<String>,
    /// A number with a point that names the message in its channel; as a number it would lose digits.
    pub(super) ts: String,
    pub(super) thread_ts: Option<String>,
    pub(super) parent_user_id: Option<String>,
    pub(super) files: Option<Vec<File>>,
    /// What it has become, if this tells of a change.
    pub(super) message: Option<Box<Changed>>,
    /// What it was before.
    pub(super) previous_message: Option<Previous>,
}

/// A message after a change. Slack changes messages itself as well, when it shows what a link leads to.
#[derive(Deserialize)]
pub(super) struct Changed {
    user: Option<String>,
    bot_id: Option<String>,
    text: Option<String>,
    ts: String,
    thread_ts: Option<String>,
    parent_user_id: Option<String>,
    /// By whom and when; absent when nobody did.
    edited: Option<Edited>,
}

#[derive(Deserialize)]
struct Edited {
    ts: String,
}

#[derive(Deserialize)]
pub(super) struct Previous {
    text: Option<String>,
}

impl Message {
    /// The message as its user has changed it, and when that was; none if nothing was said anew.
    pub(super) fn changed(self) -> Option<(Self, String)> {
        let changed = *self.message?;
        let edited = changed.edited?.ts;
        if changed.text == self.previous_message?.text {
            return None;
        }
        let message = Self {
            channel: self.channel,
            channel_type: self.channel_type,
            subtype: None,
            user: changed.user,
            bot_id: changed.bot_id,
            text: changed.text,
            ts: changed.ts,
            thread_ts: changed.thread_ts,
            parent_user_id: changed.parent_user_id,
            files: None,
            message: None,
            previous_message: None,
        };
        Some((message, edited))
    }

    /// Whether it was written to the bot alone.
    pub(super) fn is_direct(&self) -> bool {
        match &self.channel_type {
            Some(kind) => matches!(kind.as_str(), "im" | "app_home"),
            None => is_direct(&self.channel),
        }
    }
}

/// Whether a channel is a direct message, by its identifier: not every push says more.
pub(super) fn is_direct(channel: &str) -> bool {
    channel.starts_with('D')
}

#[derive(Deserialize)]
pub(super) struct File {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) title: Option<String>,
    pub(super) mimetype: Option<String>,
    pub(super) size: Option<u64>,
}
