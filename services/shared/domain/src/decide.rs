//! What is due in a conversation now.
//!
//! [`decide`] is level-triggered: it looks at the conversation as it stands and at nothing else, so calling it
//! for a late, repeated or needless event is harmless. Carried out until it says [`Decision::Idle`], it gives
//! every message exactly one turn that answers it, in the order of arrival.
//!
//! A reset is answered by a turn of its own, in its place in the order: what waits before it is not asked any
//! more, but is listed in that turn, so that every message has an outcome in a transcript.
//!
//! An album comes as several messages that share a name. They are one question, asked when the album is whole.

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

/// An album is whole when nothing has been added to it for so long. Platforms bring its messages one right after the
/// other; between two of them lies the time in which we answer.
pub const ALBUM_SETTLES_MILLIS: u64 = 1000;

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
    /// Look again then: more may belong to the message that is due.
    Wait {
        /// When.
        until: UnixMillis,
    },
    /// Run this turn.
    Call(Box<Turn>),
}

/// Decides what is due.
///
/// `pending` is *everything* in the inbox after the context's `answered_through`: a message whose `Attached`
/// is cut off would be fetched for ever. What is older, and any order, does no harm. `now` is written into the
/// turn, and says whether an album is whole; other ages count from the time the due message was accepted.
pub fn decide(
    context: Option<&ContextAt>,
    pending: &[Pending],
    policy: &BotPolicy,
    now: UnixMillis,
) -> Decision {
    let inbox = Inbox::read(context, pending);
    if let Some(reset) = inbox.messages.iter().rposition(|message| message.is_reset) {
        return forget(context, &inbox.messages[..=reset], policy, now);
    }
    let Some(due) = inbox.said_together().next() else {
        return Decision::Idle;
    };
    if let Some(message) = due.iter().find(|message| inbox.files(message).is_none()) {
        return Decision::Fetch(fetch(message.received));
    }
    match inbox.whole_at(due, now) {
        Some(until) => Decision::Wait { until },
        None => ask(context, inbox.questions(policy.overlap, now), policy, now),
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

    /// The messages, those of an album together.
    fn said_together(&self) -> impl Iterator<Item = &[Waiting<'a>]> {
        let same_album = |one: &Waiting, other: &Waiting| {
            one.received.album.is_some() && one.received.album == other.received.album
        };
        self.messages
            .chunk_by(same_album)
            .flat_map(|album| album.chunks(MAX_ANSWERS))
    }

    /// When an album will be whole; none if it is, or if it is none. It is once something else was said, or nothing
    /// has come for a while. An age that cannot be, because two clocks differ, is none to wait for.
    fn whole_at(&self, album: &[Waiting], now: UnixMillis) -> Option<UnixMillis> {
        let last = album.last().filter(|last| last.received.album.is_some())?;
        let is_newest = self.messages.last().map(|newest| newest.sequence) == Some(last.sequence);
        let settled = last.received.accepted_at.0 + ALBUM_SETTLES_MILLIS;
        let is_settled = now.0 >= settled || now.0 + ALBUM_SETTLES_MILLIS < last.received.accepted_at.0;
        (is_newest && !is_settled).then_some(UnixMillis(settled))
    }

    /// What is asked now: what was said first, which is ready, and as much of what follows as the bot wants.
    fn questions(&self, overlap: Overlap, now: UnixMillis) -> Vec<Question<'a>> {
        let most = match overlap {
            Overlap::Queue => 1,
            Overlap::Coalesce => MAX_ANSWERS,
        };
        let (mut count, mut bytes) = (0, 0);
        self.said_together()
            .take(most)
            .map_while(|together| self.question(together, now))
            .enumerate()
            .take_while(|(position, question)| {
                count += question.messages.len();
                bytes += size::utterance_bytes(&question.utterance);
                *position == 0 || (count <= MAX_ANSWERS && bytes <= MAX_QUESTION_BYTES)
            })
            .map(|(_, question)| question)
            .collect()
    }

    /// What was said together, as one question; none while it is not whole.
    fn question(&self, together: &[Waiting<'a>], now: UnixMillis) -> Option<Question<'a>> {
        if self.whole_at(together, now).is_some() {
            return None;
        }
        let first = together.first()?.received;
        let texts = together.iter().map(|message| message.received.text.as_str());
        let files: Option<Vec<Vec<_>>> = together.iter().map(|message| self.files(message)).collect();
        Some(Question {
            messages: together.to_vec(),
            utterance: Utterance {
                role: Role::User,
                text: texts
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>()
                    .join("\n"),
                files: files?.into_iter().flatten().collect(),
                message_id: Some(first.message_id.clone()),
                at: first.accepted_at,
            },
        })
    }
}

/// What a user said at once, in one message or in an album of them.
struct Question<'a> {
    messages: Vec<Waiting<'a>>,
    utterance: Utterance,
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
    questions: Vec<Question>,
    policy: &BotPolicy,
    built_at: UnixMillis,
) -> Decision {
    let messages: Vec<Waiting> = questions
        .iter()
        .flat_map(|question| &question.messages)
        .copied()
        .collect();
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
        question: questions.into_iter().map(|question| question.utterance).collect(),
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
        album: received.album.clone(),
    }
}

#[cfg(test)]
mod tests;
