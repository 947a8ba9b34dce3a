//! Having a conversation start afresh, as its user does with `/reset`.

use bus::{Bus, BusError, Outgoing, Published, TraceContext};
use domain::ids;
use proto_schemas::content::ReplyAddress;
use proto_schemas::ids::{ConversationId, MessageId, UnixMillis};
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::subjects;
use proto_schemas::topology::INBOX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reset that waits for its place in the order of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResetAsked {
    /// The message that asks for it: what becomes of it is told by its trace.
    pub message: MessageId,
    /// Whether it had been asked for already, under the same name.
    pub is_repeated: bool,
}

/// Appends a reset to the inbox of a conversation, in the name of who wrote there last; none when the inbox has nothing of
/// the conversation. The user is told what the bot says to a reset. A request of the same name changes nothing when it
/// comes again; one without a name is a new one each time.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn reset(
    bus: &Bus,
    conversation: &ConversationId,
    request: Option<&str>,
    now: UnixMillis,
) -> Result<Option<ResetAsked>, BusError> {
    let Some(newest) = newest(bus, conversation).await? else {
        return Ok(None);
    };
    let trace = TraceContext::new();
    let unnamed = trace.trace_id();
    let message = ids::reset_message_id(conversation, request.unwrap_or(&unnamed));
    let entry = InboxEntry::Reset(asking(newest, message.clone(), now));
    let subject = subjects::inbox(conversation);
    let published = bus
        .publish(Outgoing::new(subject, &entry, message.as_str(), trace)?)
        .await?;
    Ok(Some(ResetAsked {
        message,
        is_repeated: published == Published::Duplicate,
    }))
}

/// What was written last in a conversation.
async fn newest(bus: &Bus, conversation: &ConversationId) -> Result<Option<Received>, BusError> {
    let mut newest = None;
    let subject = subjects::inbox(conversation);
    bus.each(INBOX.name, &subject, 1, |entry| match entry.decode() {
        Ok(InboxEntry::Received(received) | InboxEntry::Reset(received)) => newest = Some(received),
        // What cannot be read was written by a later build.
        Ok(InboxEntry::Attached(_)) | Err(_) => {}
    })
    .await?;
    Ok(newest)
}

/// Of the same user in the same chat. It answers no message of the platform, and the way back that one had stays for its
/// own answer.
fn asking(newest: Received, message_id: MessageId, accepted_at: UnixMillis) -> Received {
    Received {
        message_id,
        address: ReplyAddress {
            message_id: None,
            interaction: None,
            ..newest.address
        },
        text: String::new(),
        files: Vec::new(),
        album: None,
        replay_of: None,
        accepted_at,
        ..newest
    }
}
