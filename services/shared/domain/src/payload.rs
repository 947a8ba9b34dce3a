//! What a webhook is sent (`webhook-guide.txt`, "Request Format" and "Message Format").

use proto_schemas::content::{IncomingFile, StoredFile, Utterance};
use proto_schemas::turn::{Task, Turn};
use proto_schemas::webhook::{
    ContentPart, FileLink, Link, WebhookBot, WebhookContent, WebhookMessage, WebhookMetadata, WebhookRequest,
    WebhookUser,
};

/// The request of a turn: the system prompt, the history, and each question as a message of its own. None for a
/// turn that calls no webhook. `link` gives the address that a stored file is served at.
pub fn webhook_request(turn: &Turn, link: impl Fn(&StoredFile) -> String) -> Option<WebhookRequest> {
    let (system_prompt, said) = told(turn)?;
    let prompt = system_prompt.map(|prompt| message("system", WebhookContent::Text(prompt.to_owned())));
    let said = said.map(|utterance| spoken(utterance, &link));
    let channel = turn.channel.as_str().to_owned();
    Some(WebhookRequest {
        messages: prompt.into_iter().chain(said).collect(),
        conversation_id: turn.conversation.to_string(),
        user: WebhookUser {
            id: turn.user.id.clone(),
            platform: channel.clone(),
            name: turn.user.name.clone(),
            username: turn.user.username.clone(),
        },
        bot: WebhookBot {
            id: turn.bot.to_string(),
            name: turn.bot_name.clone(),
        },
        metadata: WebhookMetadata {
            channel,
            chat_id: turn.address.chat_id.clone(),
            message_id: turn.address.message_id.clone(),
        },
    })
}

/// What whoever answers is told of a turn: the bot's system prompt, and what was said, the question last. None for
/// a turn that asks nobody.
pub fn told(turn: &Turn) -> Option<(Option<&str>, impl Iterator<Item = &Utterance>)> {
    match &turn.task {
        Task::Ask {
            system_prompt,
            history,
            question,
            ..
        } => Some((system_prompt.as_deref(), history.iter().chain(question))),
        Task::Reset { .. } => None,
    }
}

fn message(role: &str, content: WebhookContent) -> WebhookMessage {
    WebhookMessage {
        role: role.to_owned(),
        content,
    }
}

fn spoken(utterance: &Utterance, link: impl Fn(&StoredFile) -> String) -> WebhookMessage {
    let role = utterance.role.as_str();
    if utterance.files.is_empty() {
        return message(role, WebhookContent::Text(utterance.text.clone()));
    }
    let text = Some(&utterance.text).filter(|text| !text.is_empty());
    let text = text.map(|text| ContentPart::Text { text: text.clone() });
    let files = utterance.files.iter().map(|file| part(file, &link));
    message(
        role,
        WebhookContent::Parts(text.into_iter().chain(files).collect()),
    )
}

fn part(file: &IncomingFile, link: impl Fn(&StoredFile) -> String) -> ContentPart {
    match file {
        IncomingFile::Unavailable { name, reason } => ContentPart::Text {
            text: unavailable(name, reason),
        },
        IncomingFile::Stored(stored) if stored.mime_type.starts_with("image/") => ContentPart::ImageUrl {
            image_url: Link { url: link(stored) },
        },
        IncomingFile::Stored(stored) => ContentPart::File {
            file: FileLink {
                url: link(stored),
                filename: stored.name.clone(),
                mime_type: stored.mime_type.clone(),
            },
        },
    }
}

/// The words for a file that cannot be had, for whoever answers.
pub fn unavailable(name: &str, reason: &str) -> String {
    format!("[File {name} could not be read: {reason}]")
}

#[cfg(test)]
mod tests {
    use proto_schemas::ids::ConversationId;
    use serde_json::{Value, json};

    use super::*;
    use crate::samples::{answer, question, reset_turn, stored, turn};

    const STORAGE: &str = "https://storage.chatbotplatform.io/attachments";

    fn request(turn: &Turn) -> Value {
        let request = webhook_request(turn, |file| format!("{STORAGE}/{}", file.name)).unwrap();
        serde_json::to_value(request).unwrap()
    }

    fn asked_with(files: Vec<IncomingFile>, text: &str) -> Value {
        let question = Utterance {
            files,
            ..question(3, text)
        };
        request(&turn(Vec::new(), vec![question]))["messages"][0].clone()
    }

    #[test]
    fn the_guides_sample_is_reproduced() {
        let mut turn = turn(Vec::new(), vec![question(3, "Hello!")]);
        turn.conversation = ConversationId::new("conv_abc123").unwrap();
        turn.address.message_id = Some("789".to_owned());
        let expected = json!({
            "messages": [{ "role": "user", "content": "Hello!" }],
            "conversation_id": "conv_abc123",
            "user": {
                "id": "user_123", "platform": "telegram", "name": "John Doe", "username": "johndoe"
            },
            "bot": { "id": "bot_456", "name": "Support Bot" },
            "metadata": { "channel": "telegram", "chat_id": "123456789", "message_id": "789" }
        });
        assert_eq!(request(&turn), expected);
    }

    #[test]
    fn the_guides_multimodal_sample_is_reproduced() {
        let image = StoredFile {
            name: "abc123.jpg".to_owned(),
            mime_type: "image/jpeg".to_owned(),
            ..stored(1)
        };
        let expected = json!({ "role": "user", "content": [
            { "type": "text", "text": "What's in this image?" },
            { "type": "image_url", "image_url": { "url": format!("{STORAGE}/abc123.jpg") } }
        ]});
        assert_eq!(
            asked_with(vec![IncomingFile::Stored(image)], "What's in this image?"),
            expected
        );
    }

    #[test]
    fn files_without_words_have_no_text_part() {
        let report = StoredFile {
            name: "report.pdf".to_owned(),
            mime_type: "application/pdf".to_owned(),
            ..stored(1)
        };
        let expected = json!([{ "type": "file", "file": {
            "url": format!("{STORAGE}/report.pdf"),
            "filename": "report.pdf",
            "mime_type": "application/pdf"
        }}]);
        assert_eq!(
            asked_with(vec![IncomingFile::Stored(report)], "")["content"],
            expected
        );
    }

    #[test]
    fn a_file_that_cannot_be_had_is_named_in_words() {
        let lost = IncomingFile::Unavailable {
            name: "a.mp4".to_owned(),
            reason: "too large".to_owned(),
        };
        let expected = json!([
            { "type": "text", "text": "look" },
            { "type": "text", "text": "[File a.mp4 could not be read: too large]" }
        ]);
        assert_eq!(asked_with(vec![lost], "look")["content"], expected);
    }

    #[test]
    fn prompt_history_and_questions_follow_each_other() {
        let mut turn = turn(
            vec![question(1, "q1"), answer("r1")],
            vec![question(2, "q2"), question(3, "q3")],
        );
        if let Task::Ask { system_prompt, .. } = &mut turn.task {
            *system_prompt = Some("Be brief.".to_owned());
        }
        let expected = json!([
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "q1" },
            { "role": "assistant", "content": "r1" },
            { "role": "user", "content": "q2" },
            { "role": "user", "content": "q3" }
        ]);
        assert_eq!(request(&turn)["messages"], expected);
    }

    #[test]
    fn unknown_names_are_absent_and_not_null() {
        let mut turn = turn(Vec::new(), vec![question(3, "q3")]);
        (turn.user.name, turn.user.username, turn.address.message_id) = (None, None, None);
        let request = request(&turn);
        assert_eq!(
            request["user"],
            json!({ "id": "user_123", "platform": "telegram" })
        );
        assert_eq!(
            request["metadata"],
            json!({ "channel": "telegram", "chat_id": "123456789" })
        );
    }

    #[test]
    fn a_reset_calls_no_webhook() {
        assert_eq!(webhook_request(&reset_turn(), |_| String::new()), None);
    }
}
