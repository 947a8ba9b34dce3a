//! What happens in a chat besides messages: pressed buttons, and what becomes of the bot.

use serde_json::json;

use super::receive::{person_as_user, topic};
use super::update::{CallbackQuery, Membership};
use crate::inbound::{Addressed, Inbound, InboundMessage, Refusal, ignored, lacks};

/// A pressed button says what stands behind it, in answer to its message. Telegram is told at once that it was pressed,
/// or its client would go on showing that it waits (`channels.md`, sections 2.1.4 and 2.5.1).
pub(super) fn pressed(query: CallbackQuery) -> Result<Inbound, Refusal> {
    let (Some(message), Some(text)) = (query.message, query.data) else {
        return Ok(ignored("button_without_message"));
    };
    if text.is_empty() {
        return Ok(ignored("button_without_data"));
    }
    if query.from.is_bot {
        return Ok(ignored("from_a_bot"));
    }
    if query.id.is_empty() {
        return Err(lacks("id"));
    }
    let inbound = InboundMessage {
        dedup_key: format!("callback:{}", query.id),
        chat_id: message.chat.id.to_string(),
        thread_id: topic(message.message_thread_id, message.is_topic_message),
        thread_is_conversation: true,
        message_id: Some(message.message_id.to_string()),
        user: person_as_user(&query.from),
        text,
        files: Vec::new(),
        is_group: message.chat.kind != "private",
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: None,
        answer: Some(json!({"method": "answerCallbackQuery", "callback_query_id": query.id})),
    };
    inbound.said()
}

/// What became of the bot in a chat (`channels.md`, section 2.2.3).
pub(super) fn changed(membership: &Membership) -> &'static str {
    let is_out = matches!(membership.new_chat_member.status.as_str(), "left" | "kicked");
    match (membership.chat.kind.as_str(), is_out) {
        ("private", true) => "blocked_by_the_user",
        ("private", false) => "unblocked_by_the_user",
        (_, true) => "removed_from_the_chat",
        (_, false) => "member_of_the_chat",
    }
}
