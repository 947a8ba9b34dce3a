//! The subjects, written and read in one place.

use crate::dead_letter::Stage;
use crate::ids::{ConnectionId, ConversationId, DeadLetterId, IntegrationId, MessageId, TurnId};

/// Where a conversation's inbox entries go.
pub fn inbox(conversation: &ConversationId) -> String {
    format!("inbox.{conversation}")
}

/// A conversation's slot for one turn.
pub fn turn(conversation: &ConversationId) -> String {
    format!("turns.{conversation}")
}

/// The slot for fetching a message's files.
pub fn fetch_in(message: &MessageId) -> String {
    format!("fetches.in.{message}")
}

/// The slot for fetching a reply's files.
pub fn fetch_out(turn: &TurnId) -> String {
    format!("fetches.out.{turn}")
}

/// A conversation's slot for one delivery.
pub fn delivery(conversation: &ConversationId) -> String {
    format!("deliveries.{conversation}")
}

/// Where a conversation's finished turns are written down.
pub fn transcript(conversation: &ConversationId) -> String {
    format!("transcripts.{conversation}")
}

/// Where a dead letter goes. `class` must be one token.
pub fn dead_letter(stage: Stage, class: &str, id: &DeadLetterId) -> String {
    format!("dead-letters.{}.{class}.{id}", stage.as_str())
}

/// The conversation that a subject of `INBOX`, `TURNS`, `DELIVERIES` or `TRANSCRIPTS`, or a key of the
/// `contexts` bucket's stream, belongs to.
pub fn conversation(subject: &str) -> Option<ConversationId> {
    let (family, token) = subject.rsplit_once('.')?;
    match family {
        "inbox" | "turns" | "deliveries" | "transcripts" | "$KV.contexts" => ConversationId::new(token).ok(),
        _ => None,
    }
}

/// The form of the subject of a message of the pipeline, as documents and spans name it; none for anything else.
pub fn template(subject: &str) -> Option<&'static str> {
    let beginnings = [
        ("inbox.", "inbox.{conversation}"),
        ("turns.", "turns.{conversation}"),
        ("fetches.in.", "fetches.in.{message}"),
        ("fetches.out.", "fetches.out.{turn}"),
        ("deliveries.", "deliveries.{conversation}"),
        ("transcripts.", "transcripts.{conversation}"),
        ("dead-letters.", "dead-letters.{stage}.{class}.{id}"),
        ("$KV.contexts.", "$KV.contexts.{conversation}"),
    ];
    let found = beginnings
        .iter()
        .find(|(beginning, _)| subject.starts_with(beginning));
    found.map(|(_, template)| *template)
}

/// The conversation that a subject, or the key of a bucket, names in any way: by itself, by a message or by a turn.
pub fn named_conversation(subject: &str) -> Option<ConversationId> {
    let of_part = |part: &str| {
        let rest = part.strip_prefix("msg_").or_else(|| part.strip_prefix("turn_"))?;
        let (token, _) = rest.split_once('_')?;
        ConversationId::new(format!("conv_{token}")).ok()
    };
    conversation(subject).or_else(|| subject.split('.').find_map(of_part))
}

/// Subject of a key in a bucket.
pub fn key(bucket: &str, key: &str) -> String {
    format!("$KV.{bucket}.{key}")
}

/// Key of a turn's failed attempts in `progress`.
pub fn turn_progress(turn: &TurnId) -> String {
    format!("turn.{turn}")
}

/// Key of a delivery's sent parts in `progress`. A replay starts from the beginning, under a key of its own.
pub fn delivery_progress(turn: &TurnId, replay: u32) -> String {
    format!("delivery.{turn}.{replay}")
}

/// Key of a reply's files in `progress`.
pub fn files_progress(turn: &TurnId) -> String {
    format!("files.{turn}")
}

/// Key of a login link of the console in `progress`, by the name that it carries.
pub fn used_link(name: &str) -> String {
    format!("links.{name}")
}

/// Key of the stored files of a user's message in `progress`.
pub fn fetch_in_progress(message: &MessageId) -> String {
    format!("fetch.in.{message}")
}

/// Key of the stored files of a reply in `progress`.
pub fn fetch_out_progress(turn: &TurnId) -> String {
    format!("fetch.out.{turn}")
}

/// Key of an integration's rate in `limits`.
pub fn integration_rate(integration: &IntegrationId) -> String {
    format!("rates.integrations.{integration}")
}

/// Key of the rate of one chat of a connection in `limits`. The chat's own identifier may hold what a key may not.
pub fn chat_rate(connection: &ConnectionId, chat: &str) -> String {
    let chat: String = chat.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("rates.chats.{connection}.{chat}")
}

/// Key of a connection's rate in `limits`.
pub fn connection_rate(connection: &ConnectionId) -> String {
    format!("rates.connections.{connection}")
}

/// All circuit breakers in `limits`.
pub const BREAKERS: &str = "breakers.integrations.*";

/// Key of an integration's circuit breaker in `limits`.
pub fn integration_breaker(integration: &IntegrationId) -> String {
    format!("breakers.integrations.{integration}")
}

/// The integration that a key of [`BREAKERS`] belongs to, or the subject of one.
pub fn integration_of_breaker(key: &str) -> Option<IntegrationId> {
    match key.rsplit_once('.')? {
        ("breakers.integrations" | "$KV.limits.breakers.integrations", id) => IntegrationId::new(id).ok(),
        _ => None,
    }
}

/// Where it is told that an answer is being waited for.
pub fn typing(conversation: &ConversationId) -> String {
    format!("typing.{conversation}")
}

/// All of these. Who listens does so as one of a queue group.
pub const TYPING: &str = "typing.*";

/// Where a test of an integration is asked for.
pub fn integration_test(integration: &IntegrationId) -> String {
    format!("integration-tests.{integration}")
}

/// All of these. Who answers does so as one of a queue group.
pub const INTEGRATION_TESTS: &str = "integration-tests.*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_read_back_from_its_subjects() {
        let conversation = ConversationId::new("conv_1").unwrap();
        for subject in [
            inbox(&conversation),
            turn(&conversation),
            delivery(&conversation),
            transcript(&conversation),
            key("contexts", conversation.as_str()),
        ] {
            assert_eq!(
                super::conversation(&subject),
                Some(conversation.clone()),
                "{subject}"
            );
        }
        assert_eq!(super::conversation("fetches.in.msg_1"), None);
    }

    #[test]
    fn every_subject_of_the_pipeline_has_a_form_without_identifiers() {
        let conversation = ConversationId::new("conv_1").unwrap();
        let message = MessageId::new("msg_1").unwrap();
        let letter = DeadLetterId::new("dl_1").unwrap();
        let turn_id = TurnId::new("turn_1").unwrap();
        for subject in [
            inbox(&conversation),
            turn(&conversation),
            fetch_in(&message),
            fetch_out(&turn_id),
            delivery(&conversation),
            transcript(&conversation),
            dead_letter(Stage::Egress, "oversize", &letter),
            key("contexts", conversation.as_str()),
        ] {
            let template = template(&subject).unwrap();
            assert_eq!(
                template.split('.').count(),
                subject.split('.').count(),
                "{subject}"
            );
            assert!(!template.contains("_1"), "{template}");
        }
        assert_eq!(template(&key("limits", "rates.integrations.echo")), None);
    }

    #[test]
    fn a_conversation_is_found_by_whatever_names_it() {
        let conversation = ConversationId::new("conv_1").unwrap();
        let message = MessageId::new("msg_1_a").unwrap();
        let turn = TurnId::new("turn_1_a").unwrap();
        for subject in [
            inbox(&conversation),
            fetch_in(&message),
            fetch_out(&turn),
            key("progress", &turn_progress(&turn)),
            key("progress", &delivery_progress(&turn, 2)),
            key("progress", &files_progress(&turn)),
            key("progress", &fetch_in_progress(&message)),
            key("progress", &fetch_out_progress(&turn)),
        ] {
            assert_eq!(
                named_conversation(&subject),
                Some(conversation.clone()),
                "{subject}"
            );
        }
        assert_eq!(named_conversation("/v1/channels/web/messages"), None);
    }

    #[test]
    fn an_integration_is_read_back_from_its_breakers_key() {
        let integration = IntegrationId::new("echo").unwrap();
        let breaker = integration_breaker(&integration);
        for written in [breaker.clone(), key("limits", &breaker)] {
            assert_eq!(
                integration_of_breaker(&written),
                Some(integration.clone()),
                "{written}"
            );
        }
        assert_eq!(integration_of_breaker("rates.integrations.echo"), None);
    }
}
