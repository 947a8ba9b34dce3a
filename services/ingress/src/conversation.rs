//! Which conversation a message belongs to.

use channels::InboundMessage;
use domain::ids;
use proto_schemas::ids::ConversationId;
use registry::{Connection, ConversationScope};

/// The conversation that a message belongs to. Users of a group have one each where the connection wants it.
pub(crate) fn conversation_of(connection: &Connection, message: &InboundMessage) -> ConversationId {
    let user = match connection.conversations {
        ConversationScope::User if message.is_group => Some(message.user.id.as_str()),
        ConversationScope::User | ConversationScope::Chat => None,
    };
    let thread = message
        .thread_id
        .as_deref()
        .filter(|_| message.thread_is_conversation);
    ids::conversation_id(&connection.id, &message.chat_id, thread, user)
}

#[cfg(test)]
mod tests {
    use channels::Addressed;
    use proto_schemas::content::User;

    use super::*;

    fn message(is_group: bool, user: &str) -> InboundMessage {
        InboundMessage {
            dedup_key: "1".to_owned(),
            chat_id: "-100".to_owned(),
            thread_id: None,
            thread_is_conversation: true,
            message_id: None,
            user: User {
                id: user.to_owned(),
                name: None,
                username: None,
            },
            text: String::new(),
            files: Vec::new(),
            is_group,
            addressed: Addressed::Surely,
            album: None,
            is_edit: false,
            interaction: None,
            answer: None,
        }
    }

    fn connection(conversations: &str) -> Connection {
        let channel = serde_json::json!({"telegram": {"token": "env:T", "webhook_secret": "env:S"}});
        let connection = serde_json::json!({
            "id": "c", "bot": "b", "conversations": conversations, "channel": channel,
        });
        serde_json::from_value(connection).unwrap()
    }

    #[test]
    fn users_of_a_group_are_kept_apart_only_where_it_is_configured() {
        let of = |scope, is_group, user| conversation_of(&connection(scope), &message(is_group, user));
        assert_eq!(of("chat", true, "a"), of("chat", true, "b"));
        assert_ne!(of("user", true, "a"), of("user", true, "b"));
        assert_eq!(of("user", false, "a"), of("chat", false, "a"));
    }

    #[test]
    fn a_thread_that_is_only_a_place_shares_the_conversation_of_its_chat() {
        let of = |thread: Option<&str>, thread_is_conversation| {
            let message = InboundMessage {
                thread_id: thread.map(str::to_owned),
                thread_is_conversation,
                ..message(false, "a")
            };
            conversation_of(&connection("chat"), &message)
        };
        assert_eq!(of(Some("7"), false), of(None, true));
        assert_ne!(of(Some("7"), true), of(None, true));
    }
}
