//! What an interaction says, in words and files.

use serde_json::Value;

use super::attachment::Attachment;
use super::interaction::{CommandOption, Component, Data, Resolved};
use crate::inbound::{InboundFile, Refusal, lacks};

/// The command for talking: it says its options and not itself.
const TALK: &str = "ask";

// Kinds of commands that are given on something.
const ON_USER: u64 = 2;
const ON_MESSAGE: u64 = 3;

// Kinds of options of commands.
const SUB_COMMAND: u64 = 1;
const SUB_COMMAND_GROUP: u64 = 2;
const ATTACHMENT: u64 = 11;
/// A user, a channel, a role, or any of users and roles.
const MENTIONS: [u64; 4] = [6, 7, 8, 9];

/// Lists of users, roles, both or channels.
const LISTS_OF_MENTIONS: [u64; 4] = [5, 6, 7, 8];

/// What was said.
#[derive(Default)]
pub(super) struct Said {
    pub(super) words: Vec<String>,
    pub(super) files: Vec<InboundFile>,
}

/// A command with its options, or with what it was given on.
pub(super) fn command(data: Data) -> Result<Said, Refusal> {
    let name = data.name.ok_or_else(|| lacks("name"))?;
    let mut resolved = data.resolved.unwrap_or_default();
    let mut said = Said::default();
    match data.kind {
        Some(ON_USER) => {
            let target = data.target_id.ok_or_else(|| lacks("target_id"))?;
            said.words = vec![name, resolved.name(&target)];
        }
        Some(ON_MESSAGE) => {
            let target = data.target_id.ok_or_else(|| lacks("target_id"))?;
            return Ok(on_message(&name, &target, resolved));
        }
        Some(_) | None => {
            said.take_options(data.options.unwrap_or_default(), &mut resolved);
            if name != TALK || said.is_empty() {
                said.words.insert(0, format!("/{name}"));
            }
        }
    }
    Ok(said)
}

/// The command's name, what the message says, and its files.
fn on_message(name: &str, id: &str, resolved: Resolved) -> Said {
    let message = resolved.messages.and_then(|mut messages| messages.remove(id));
    let (content, files) = message.map_or((None, None), |message| (message.content, message.attachments));
    let files = files.unwrap_or_default().into_iter();
    Said {
        words: vec![format!("{name}\n\n{}", content.unwrap_or_default())],
        files: files.map(Attachment::into_file).collect(),
    }
}

/// What was pressed, or chosen from a list.
pub(super) fn pressed(data: Data) -> Result<Said, Refusal> {
    let resolved = data.resolved.unwrap_or_default();
    let is_list_of_mentions = data
        .component_type
        .is_some_and(|kind| LISTS_OF_MENTIONS.contains(&kind));
    let chosen = data.values.unwrap_or_default().into_iter();
    let mut chosen: Vec<String> = if is_list_of_mentions {
        chosen.map(|id| resolved.name(&id)).collect()
    } else {
        chosen.collect()
    };
    if chosen.is_empty() {
        chosen.push(data.custom_id.ok_or_else(|| lacks("custom_id"))?);
    }
    Ok(Said {
        words: vec![chosen.join(", ")],
        files: Vec::new(),
    })
}

/// What was filled into a form.
pub(super) fn filled_in(data: Data) -> Result<Said, Refusal> {
    let mut said = Said::default();
    let mut resolved = data.resolved.unwrap_or_default();
    for component in data.components.unwrap_or_default() {
        said.take_field(component, &mut resolved);
    }
    if said.is_empty() {
        said.words.push(data.custom_id.ok_or_else(|| lacks("custom_id"))?);
    }
    said.words = vec![said.words.join("\n")];
    Ok(said)
}

impl Said {
    /// Everything that was said, as one text.
    pub(super) fn text(&self) -> String {
        self.words.join(" ").trim().to_owned()
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.words.iter().all(|word| word.trim().is_empty())
    }

    fn take_options(&mut self, options: Vec<CommandOption>, resolved: &mut Resolved) {
        for option in options {
            match (option.kind, option.value) {
                (SUB_COMMAND | SUB_COMMAND_GROUP, _) => {
                    self.words.push(option.name);
                    self.take_options(option.options.unwrap_or_default(), resolved);
                }
                (ATTACHMENT, Some(Value::String(id))) => self.files.extend(resolved.file(&id)),
                (kind, Some(Value::String(id))) if MENTIONS.contains(&kind) => {
                    self.words.push(resolved.name(&id));
                }
                (_, Some(value)) => self.words.extend(plain(value)),
                (_, None) => {}
            }
        }
    }

    fn take_field(&mut self, component: Component, resolved: &mut Resolved) {
        let is_list_of_mentions = component
            .kind
            .is_some_and(|kind| LISTS_OF_MENTIONS.contains(&kind));
        self.words.extend(component.value.and_then(plain));
        for value in component.values.unwrap_or_default() {
            match resolved.file(&value) {
                Some(file) => self.files.push(file),
                None if is_list_of_mentions => self.words.push(resolved.name(&value)),
                None => self.words.push(value),
            }
        }
        let inner = component.component.map(|component| *component);
        for component in inner.into_iter().chain(component.components.unwrap_or_default()) {
            self.take_field(component, resolved);
        }
    }
}

impl Resolved {
    /// What people read in the place of an identifier.
    fn name(&self, id: &str) -> String {
        let user = self.users.as_ref().and_then(|users| users.get(id));
        let role = self.roles.as_ref().and_then(|roles| roles.get(id));
        let channel = self.channels.as_ref().and_then(|channels| channels.get(id));
        if let Some(user) = user {
            format!("@{}", user.shown())
        } else if let Some(name) = role.and_then(|role| role.name.as_ref()) {
            format!("@{name}")
        } else if let Some(name) = channel.and_then(|channel| channel.name.as_ref()) {
            format!("#{name}")
        } else {
            id.to_owned()
        }
    }

    fn file(&mut self, id: &str) -> Option<InboundFile> {
        self.attachments.as_mut()?.remove(id).map(Attachment::into_file)
    }
}

/// A text without quotation marks; other values as they are written.
fn plain(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
