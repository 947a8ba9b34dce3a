//! What is due in a conversation now.
//!
//! [`decide`] is level-triggered: it looks at the conversation as it stands and at nothing else, so calling it
//! for a late, repeated or needless event is harmless. Carried out until it says [`Decision::Idle`], it gives
//! every message exactly one turn that answers it, in the order of arrival.
//!
//! A reset is answered by a turn of its own, in its place in the order: what waits before it is not asked any
//! more, but is listed in that turn, so that every message has an outcome in a transcript.

use std::collections::{HashMap, HashSet};

use proto_schemas::content::{IncomingFile, Role, Utterance};
use proto_schemas::context::Context;
use proto_schemas::fetch::Fetch;
use proto_schemas::ids::{IntegrationId, MessageId, UnixMillis};
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::turn::{Task, Turn};

use crate::ids;
use crate::policy::{self, BotPolicy, Overlap};
use crate::size;
use crate::split::Webhook;

/// The most messages that one turn answers. Keeps the list of their ids, which is in turn, delivery and
/// transcript, at most 32 KiB.
pub const MAX_ANSWERS: usize = 256;

/// The most bytes, as JSON, of questions that are asked together: with the context a quarter below the server's
/// `max_payload` of 1 MiB. A single question is asked whatever its size.
pub const MAX_QUESTION_BYTES: usize = 256 * 1024;

/// A context and its place in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextAt {
    /// The revision that a commit compares with.
    pub revision: u64,
    /// What stands there.
    pub record: Context,
}

/// An inbox entry and its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// What stands there.
    pub entry: InboxEntry,
}

/// What is to be done for a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: every message has its outcome.
    Idle,
    /// Bring in the files of the message that is due.
    Fetch(Fetch),
    /// Run this turn.
    Call(Box<Turn>),
}

/// Decides what is due.
///
/// `pending` is *everything* in the inbox after the context's `answered_through`: a message whose `Attached`
/// is cut off would be fetched for ever. What is older, and any order, does no harm. `built_at` is only
/// written into the turn; ages count from the time the due message was accepted.
pub fn decide(
    context: Option<&ContextAt>,
    pending: &[Pending],
    policy: &BotPolicy,
    built_at: UnixMillis,
) -> Decision {
    let inbox = Inbox::read(context, pending);
    if let Some(reset) = inbox.messages.iter().rposition(|message| message.is_reset) {
        return forget(context, &inbox.messages[..=reset], policy, built_at);
    }
    let Some(due) = inbox.messages.first() else {
        return Decision::Idle;
    };
    match inbox.files(due) {
        None => Decision::Fetch(fetch(due.received)),
        Some(_) => ask(context, &inbox.questions(policy.overlap), policy, built_at),
    }
}

/// What waits in a conversation.
struct Inbox<'a> {
    /// The messages without an outcome, in order, each once.
    messages: Vec<Waiting<'a>>,
    attached: HashMap<&'a MessageId, &'a [IncomingFile]>,
}

#[derive(Clone, Copy)]
struct Waiting<'a> {
    sequence: u64,
    received: &'a Received,
    is_reset: bool,
}

impl<'a> Inbox<'a> {
    fn read(context: Option<&'a ContextAt>, pending: &'a [Pending]) -> Self {
        let through = context.map_or(0, |context| context.record.answered_through);
        let mut seen: HashSet<&MessageId> = context
            .into_iter()
            .flat_map(|context| &context.record.answered)
            .collect();
        let mut ordered: Vec<&Pending> = pending.iter().filter(|entry| entry.sequence > through).collect();
        ordered.sort_by_key(|entry| entry.sequence);

        let mut inbox = Self {
            messages: Vec::new(),
            attached: HashMap::new(),
        };
        for Pending { sequence, entry } in ordered {
            let (received, is_reset) = match entry {
                InboxEntry::Received(received) => (received, false),
                InboxEntry::Reset(received) => (received, true),
                InboxEntry::Attached(attached) => {
                    inbox
                        .attached
                        .entry(&attached.message_id)
                        .or_insert(&attached.files);
                    continue;
                }
            };
            if seen.insert(&received.message_id) {
                inbox.messages.push(Waiting {
                    sequence: *sequence,
                    received,
                    is_reset,
                });
            }
        }
        inbox
    }

    /// The message's files; none if they have to be fetched first.
    fn files(&self, message: &Waiting) -> Option<Vec<IncomingFile>> {
        let fetched = || {
            self.attached
                .get(&message.received.message_id)
                .map(|files| files.to_vec())
        };
        message.received.stored_files().or_else(fetched)
    }

    /// The messages to be asked now, the first of which is ready, with what the webhook is told of each.
    fn questions(&self, overlap: Overlap) -> Vec<(Waiting<'a>, Utterance)> {
        let together = match overlap {
            Overlap::Queue => 1,
            Overlap::Coalesce => MAX_ANSWERS,
        };
        let mut bytes = 0;
        self.messages
            .iter()
            .take(together)
            .map_while(|message| Some((*message, utterance(message.received, self.files(message)?))))
            .enumerate()
            .take_while(|(position, (_, utterance))| {
                bytes += size::utterance_bytes(utterance);
                *position == 0 || bytes <= MAX_QUESTION_BYTES
            })
            .map(|(_, question)| question)
            .collect()
    }
}

/// Ends everything up to the last of `messages`, a reset. More than one turn can list is ended by silent
/// resets first; only the last one confirms.
fn forget(
    context: Option<&ContextAt>,
    messages: &[Waiting],
    policy: &BotPolicy,
    built_at: UnixMillis,
) -> Decision {
    match messages.get(..MAX_ANSWERS) {
        Some(first) if first.len() < messages.len() => call(
            context,
            first,
            policy,
            Task::Reset {
                message: String::new(),
            },
            built_at,
        ),
        Some(_) | None => {
            let task = Task::Reset {
                message: policy.reset_message.clone(),
            };
            call(context, messages, policy, task, built_at)
        }
    }
}

fn ask(
    context: Option<&ContextAt>,
    questions: &[(Waiting, Utterance)],
    policy: &BotPolicy,
    built_at: UnixMillis,
) -> Decision {
    let messages: Vec<Waiting> = questions.iter().map(|(message, _)| *message).collect();
    let replaced: Vec<&MessageId> = messages
        .iter()
        .filter_map(|message| message.received.replay_of.as_ref())
        .collect();
    let said = context.map_or(&[][..], |context| &context.record.utterances);
    let Some(due) = messages.first() else {
        return Decision::Idle;
    };
    let (integration, arm) = webhook(due.received, policy);
    // One arm of a split may be the fallback of the others.
    let fallback = policy
        .fallback
        .clone()
        .filter(|fallback| *fallback != integration);
    let task = Task::Ask {
        integration,
        arm,
        fallback,
        system_prompt: policy.system_prompt.clone(),
        history: policy::history(said, &replaced, policy, due.received.accepted_at),
        question: questions.iter().map(|(_, utterance)| utterance.clone()).collect(),
        error_message: policy.error_message.clone(),
    };
    call(context, &messages, policy, task, built_at)
}

/// The webhook that is asked, and the arm that it is of the bot's split.
fn webhook(due: &Received, policy: &BotPolicy) -> (IntegrationId, Option<IntegrationId>) {
    match &policy.webhook {
        Webhook::One(integration) => (integration.clone(), None),
        Webhook::OneOf(split) => {
            let arm = split.arm(&due.bot, &due.conversation, &due.message_id);
            (arm.clone(), Some(arm.clone()))
        }
    }
}

/// The turn that answers `messages`; to answer none is nothing to do.
fn call(
    context: Option<&ContextAt>,
    messages: &[Waiting],
    policy: &BotPolicy,
    task: Task,
    built_at: UnixMillis,
) -> Decision {
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
        return Decision::Idle;
    };
    let replied_to = last.received;
    Decision::Call(Box::new(Turn {
        id: ids::turn_id(&first.received.message_id),
        conversation: replied_to.conversation.clone(),
        bot: replied_to.bot.clone(),
        bot_name: policy.name.clone(),
        connection: replied_to.connection.clone(),
        channel: replied_to.channel,
        address: replied_to.address.clone(),
        user: replied_to.user.clone(),
        task,
        answers: messages
            .iter()
            .map(|message| message.received.message_id.clone())
            .collect(),
        answered_through: last.sequence,
        context_revision: context.map_or(0, |context| context.revision),
        answered_before: context.map_or_else(Vec::new, |context| context.record.answered.clone()),
        inbox_reaches: context.map_or(0, |context| context.record.inbox_reaches),
        accepted_at: first.received.accepted_at,
        built_at,
    }))
}

fn fetch(received: &Received) -> Fetch {
    Fetch::In {
        message_id: received.message_id.clone(),
        conversation: received.conversation.clone(),
        connection: received.connection.clone(),
        files: received.files.clone(),
    }
}

fn utterance(received: &Received, files: Vec<IncomingFile>) -> Utterance {
    Utterance {
        role: Role::User,
        text: received.text.clone(),
        files,
        message_id: Some(received.message_id.clone()),
        at: received.accepted_at,
    }
}

#[cfg(test)]
mod tests;
