//! Deterministic identifiers: the same input always gives the same id, so that whatever happens twice is
//! recognised as one.
//!
//! The ids are keys of what is stored. A change of the derivation loses every stored conversation; the golden
//! tests stand for that.

use data_encoding::BASE32_NOPAD;
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::{ConnectionId, ConversationId, DeadLetterId, MessageId, TurnId};
use sha2::{Digest, Sha256};

use crate::fields;

/// Bytes of hash in an id that must be unique in the whole cluster: 128 bits, as a UUID.
const GLOBAL_BYTES: usize = 16;
/// Bytes of hash in an id that must be unique in one conversation.
const LOCAL_BYTES: usize = 10;

const VALID: &str = "a prefix and base32 are an identifier";

/// The conversation of `chat` on `connection`; of one `thread` in it, and of one `user` where the connection
/// is configured to keep the users of a group apart.
pub fn conversation_id(
    connection: &ConnectionId,
    chat: &str,
    thread: Option<&str>,
    user: Option<&str>,
) -> ConversationId {
    let fields = [Some(connection.as_str()), Some(chat), thread, user];
    ConversationId::new(format!("conv_{}", token("conversation", &fields, GLOBAL_BYTES))).expect(VALID)
}

/// The message that the platform tells from the others of `conversation` by `dedup_key`.
pub fn message_id(conversation: &ConversationId, dedup_key: &str) -> MessageId {
    let token = token(
        "message",
        &[Some(conversation.as_str()), Some(dedup_key)],
        LOCAL_BYTES,
    );
    in_conversation(Some(conversation), &token)
}

/// The message by which `original` is asked again for the `n`th time. Belongs to the same conversation.
pub fn replay_message_id(original: &MessageId, n: u32) -> MessageId {
    let token = token(
        "replay",
        &[Some(original.as_str()), Some(&n.to_string())],
        LOCAL_BYTES,
    );
    in_conversation(original.conversation().as_ref(), &token)
}

/// The message by which an operator has `conversation` start afresh, told from other such messages by `request`.
pub fn reset_message_id(conversation: &ConversationId, request: &str) -> MessageId {
    let token = token(
        "reset",
        &[Some(conversation.as_str()), Some(request)],
        LOCAL_BYTES,
    );
    in_conversation(Some(conversation), &token)
}

/// The turn whose oldest message is `first`. Named after its oldest message, a turn is tied to one revision of
/// the context: the next revision has answered that message.
pub fn turn_id(first: &MessageId) -> TurnId {
    let readable = first
        .as_str()
        .strip_prefix("msg_")
        .map(|rest| TurnId::new(format!("turn_{rest}")));
    match readable {
        Some(Ok(id)) => id,
        Some(Err(_)) | None => TurnId::new(format!(
            "turn_{}",
            token("turn", &[Some(first.as_str())], GLOBAL_BYTES)
        ))
        .expect(VALID),
    }
}

/// The dead letter of the work that `stage` tells from all other work by `unique`.
pub fn dead_letter_id(stage: Stage, unique: &str) -> DeadLetterId {
    let token = token("dead-letter", &[Some(stage.as_str()), Some(unique)], GLOBAL_BYTES);
    DeadLetterId::new(format!("dl_{token}")).expect(VALID)
}

/// A foreign conversation id can be too long to be repeated in the id of its messages: these then lead back to
/// no conversation.
fn in_conversation(conversation: Option<&ConversationId>, token: &str) -> MessageId {
    conversation
        .and_then(|conversation| MessageId::in_conversation(conversation, token).ok())
        .unwrap_or_else(|| MessageId::new(format!("orphan_{token}")).expect(VALID))
}

fn token(purpose: &str, fields: &[Option<&str>], bytes: usize) -> String {
    let hash = Sha256::digest(fields::encode(purpose, fields));
    BASE32_NOPAD.encode(&hash[..bytes]).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto_schemas::ids::MAX_ID_BYTES;

    use super::*;

    fn connection(id: &str) -> ConnectionId {
        ConnectionId::new(id).unwrap()
    }

    #[test]
    fn stored_conversations_keep_their_ids() {
        let telegram = connection("support-telegram");
        let chat = conversation_id(&telegram, "-100200300", None, None);
        let thread = conversation_id(&telegram, "-100200300", Some("7"), None);
        let user = conversation_id(&telegram, "-100200300", Some("7"), Some("42"));
        assert_eq!(chat.as_str(), "conv_mzu6dot63pzbxkznliiambjk4u");
        assert_eq!(thread.as_str(), "conv_eqvfsu3xvmvhyv2opxwlb2iuvi");
        assert_eq!(user.as_str(), "conv_sv7yzqy4dhfhk542eikiz4m4oi");
    }

    #[test]
    fn stored_messages_turns_and_dead_letters_keep_their_ids() {
        let chat = conversation_id(&connection("support-telegram"), "-100200300", None, None);
        let message = message_id(&chat, "789");
        assert_eq!(
            message.as_str(),
            "msg_mzu6dot63pzbxkznliiambjk4u_72vpxi4l4hrgcals"
        );
        assert_eq!(
            turn_id(&message).as_str(),
            "turn_mzu6dot63pzbxkznliiambjk4u_72vpxi4l4hrgcals"
        );
        assert_eq!(
            replay_message_id(&message, 1).as_str(),
            "msg_mzu6dot63pzbxkznliiambjk4u_4fwvbw66cty62gbx"
        );
        assert_eq!(
            reset_message_id(&chat, "789").as_str(),
            "msg_mzu6dot63pzbxkznliiambjk4u_d335uzupd4trvhjy"
        );
        assert_eq!(
            dead_letter_id(Stage::Egress, "INBOX/17").as_str(),
            "dl_okgwexbr4cjewbu46ng6f77hqe"
        );
    }

    #[test]
    fn a_message_and_its_replay_lead_back_to_the_conversation() {
        let chat = conversation_id(&connection("c"), "1", None, None);
        let message = message_id(&chat, "789");
        let replay = replay_message_id(&message, 1);
        assert_eq!(message.conversation(), Some(chat.clone()));
        assert_eq!(replay.conversation(), Some(chat));
        assert_ne!(replay, message);
        assert_ne!(replay, replay_message_id(&message, 2));
    }

    #[test]
    fn field_borders_count() {
        let id = |chat, thread, user| conversation_id(&connection("c"), chat, thread, user);
        assert_ne!(id("a", Some("bc"), None), id("ab", Some("c"), None));
        assert_ne!(id("a", None, None), id("a", Some(""), None));
        assert_ne!(id("a", Some("b"), None), id("a", None, Some("b")));
        assert_ne!(
            conversation_id(&connection("a"), "bc", None, None),
            conversation_id(&connection("ab"), "c", None, None)
        );
    }

    #[test]
    fn foreign_ids_of_any_length_are_taken() {
        let long = ConversationId::new("x".repeat(MAX_ID_BYTES)).unwrap();
        let message = message_id(&long, "1");
        assert_eq!(message.conversation(), None);
        assert_eq!(replay_message_id(&message, 1).conversation(), None);
        let longest = MessageId::new(format!("msg_{}", "x".repeat(MAX_ID_BYTES - 4))).unwrap();
        assert!(turn_id(&longest).as_str().len() < 40);
    }

    type Parts = (String, String, Option<String>, Option<String>);

    fn parts() -> impl Strategy<Value = Parts> {
        (
            "[ab]{1,2}",
            "[ab]{0,2}",
            proptest::option::of("[ab]{0,2}"),
            proptest::option::of("[ab]{0,2}"),
        )
    }

    fn of(parts: &Parts) -> ConversationId {
        conversation_id(
            &connection(&parts.0),
            &parts.1,
            parts.2.as_deref(),
            parts.3.as_deref(),
        )
    }

    proptest! {
        #[test]
        fn different_chats_are_different_conversations(one in parts(), other in parts()) {
            prop_assert_eq!(of(&one) == of(&other), one == other);
        }

        #[test]
        fn different_keys_are_different_messages_and_turns(one in ".{0,8}", other in ".{0,8}") {
            let chat = conversation_id(&connection("c"), "1", None, None);
            let (a, b) = (message_id(&chat, &one), message_id(&chat, &other));
            prop_assert_eq!(a == b, one == other);
            prop_assert_eq!(turn_id(&a) == turn_id(&b), one == other);
        }
    }
}
