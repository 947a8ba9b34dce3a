//! What follows from a turn's end: the next context record, the delivery, and what may be forgotten.

use proto_schemas::content::{Attachment, Role, Utterance};
use proto_schemas::context::{Conclusion, Context, REMEMBERED_MESSAGES, TurnResult};
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::MessageId;
use proto_schemas::turn::{Task, Turn};

use crate::size;

/// The most bytes, as JSON, of what a record keeps of a conversation. Half of the server's `max_payload` of
/// 1 MiB: the record also holds the conclusion, and a turn holds the next question beside the history.
pub const MAX_CONTEXT_BYTES: usize = 512 * 1024;

/// The record that a commit of `conclusion` writes.
///
/// It keeps what the turn was asked with, the question and the reply. A failed question stays without an
/// answer; a reset leaves nothing. Beyond [`MAX_CONTEXT_BYTES`] the oldest utterances go; question and reply
/// stay, if need be cut.
pub fn next_context(turn: &Turn, conclusion: Conclusion) -> Context {
    let utterances = match &turn.task {
        Task::Reset { .. } => Vec::new(),
        Task::Ask {
            history, question, ..
        } => {
            let mut latest = question.clone();
            latest.extend(bot_utterance(&conclusion));
            within_limit(history, latest)
        }
    };
    Context {
        conversation: turn.conversation.clone(),
        answered_through: turn.answered_through,
        inbox_reaches: turn.inbox_reaches.max(turn.answered_through),
        utterances,
        answered: remembered(turn),
        last: conclusion,
    }
}

/// The finished turn on its way to the chat.
pub fn delivery(turn: &Turn, conclusion: &Conclusion) -> Delivery {
    let question = match &turn.task {
        Task::Ask { question, .. } => question.clone(),
        Task::Reset { .. } => Vec::new(),
    };
    Delivery {
        conversation: turn.conversation.clone(),
        bot: turn.bot.clone(),
        connection: turn.connection.clone(),
        channel: turn.channel,
        address: turn.address.clone(),
        user: turn.user.clone(),
        answers: turn.answers.clone(),
        answered_through: turn.answered_through,
        question,
        conclusion: conclusion.clone(),
        accepted_at: turn.accepted_at,
        built_at: turn.built_at,
        replay: 0,
    }
}

/// Whether `context` shows that `message`, at `sequence` in the inbox, has its outcome.
pub fn looked_after(message: &MessageId, sequence: u64, context: Option<&Context>) -> bool {
    context.is_some_and(|context| context.answered_through >= sequence || context.answered.contains(message))
}

/// What the server says to a turn that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotAnswer {
    /// It took this very turn.
    Accepted,
    /// It has taken a turn of this id before.
    Duplicate,
    /// Another turn of the conversation is in the slot.
    Taken,
}

/// Whether publishing `turn` has made sure that `message` gets its outcome.
///
/// A duplicate vouches only for the message that the turn is named after: the turn that the server took may
/// have been built before the later ones of a group, or the reset, arrived.
pub fn vouches_for(turn: &Turn, answer: SlotAnswer, message: &MessageId) -> bool {
    match answer {
        SlotAnswer::Accepted => turn.answers.contains(message),
        SlotAnswer::Duplicate => turn.answers.first() == Some(message),
        SlotAnswer::Taken => false,
    }
}

/// What the bot said, if anything.
fn bot_utterance(conclusion: &Conclusion) -> Option<Utterance> {
    let text = match &conclusion.result {
        TurnResult::Reply {
            content,
            attachments,
            buttons: _,
            metadata: _,
        } => said(content, attachments),
        TurnResult::NoReply | TurnResult::Failure { .. } | TurnResult::Reset { .. } => return None,
    };
    let at = conclusion.committed_at;
    (!text.is_empty()).then(|| Utterance {
        role: Role::Assistant,
        text,
        files: Vec::new(),
        message_id: None,
        at,
    })
}

/// A reply of files only is remembered by their names, or the next question would seem to follow on silence.
/// Their URLs are left out: they may hold credentials.
fn said(content: &str, attachments: &[Attachment]) -> String {
    if !content.is_empty() {
        return content.to_owned();
    }
    let line = |file: &Attachment| format!("[file: {}]", file.filename.as_deref().unwrap_or("unnamed"));
    attachments.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn remembered(turn: &Turn) -> Vec<MessageId> {
    let all: Vec<&MessageId> = turn.answered_before.iter().chain(&turn.answers).collect();
    let start = all.len().saturating_sub(REMEMBERED_MESSAGES);
    all[start..].iter().map(|&message| message.clone()).collect()
}

/// As much of `history` before `latest` as the limit leaves room for, the newest first to stay.
fn within_limit(history: &[Utterance], latest: Vec<Utterance>) -> Vec<Utterance> {
    let mut bytes: usize = latest.iter().map(size::utterance_bytes).sum();
    if bytes > MAX_CONTEXT_BYTES {
        return cut_to_share(latest);
    }
    let kept = history
        .iter()
        .rev()
        .take_while(|utterance| {
            bytes += size::utterance_bytes(utterance);
            bytes <= MAX_CONTEXT_BYTES
        })
        .count();
    history[history.len() - kept..]
        .iter()
        .cloned()
        .chain(latest)
        .collect()
}

/// Cuts each text to an equal share of the limit.
fn cut_to_share(mut utterances: Vec<Utterance>) -> Vec<Utterance> {
    let share = MAX_CONTEXT_BYTES / utterances.len().max(1);
    for utterance in &mut utterances {
        let room = share.saturating_sub(size::frame_bytes(utterance));
        utterance.text.truncate(size::cut(&utterance.text, room).len());
    }
    utterances
}

#[cfg(test)]
mod tests;
