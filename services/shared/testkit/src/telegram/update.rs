//! Updates as Telegram pushes them (`channels.md`, section 2.2), and the push itself.

use serde_json::{Value, json};

use crate::client::client;

/// The author of messages in groups; in a private chat the author has the chat's identifier.
const GROUP_AUTHOR: i64 = 250_918_540;

/// A document as a message names it.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// The identifier for `getFile`.
    pub file_id: &'a str,
    /// The file's name.
    pub file_name: &'a str,
    /// The media type that the sender claims.
    pub mime_type: &'a str,
    /// The size that is announced.
    pub file_size: u64,
}

/// A text. A positive `chat_id` is a private chat, a negative one a group.
pub fn text_update(update_id: i64, chat_id: i64, message_id: i64, text: &str) -> Value {
    update(update_id, chat_id, message_id, json!({ "text": text }))
}

/// A text that begins with a command, as `/reset` or `/start@demo_bot now`, marked as such.
pub fn command_update(update_id: i64, chat_id: i64, message_id: i64, text: &str) -> Value {
    let command = text.split_whitespace().next().unwrap_or_default();
    // Offsets and lengths count UTF-16 code units.
    let entity = json!({ "type": "bot_command", "offset": 0, "length": command.encode_utf16().count() });
    update(
        update_id,
        chat_id,
        message_id,
        json!({ "text": text, "entities": [entity] }),
    )
}

/// A photo in two sizes, of which `file_id` is the larger. Without a caption when `caption` is empty.
pub fn photo_update(update_id: i64, chat_id: i64, message_id: i64, file_id: &str, caption: &str) -> Value {
    let small = json!({
        "file_id": format!("{file_id}-small"), "file_unique_id": "small", "width": 90, "height": 67,
    });
    let large = json!({ "file_id": file_id, "file_unique_id": "large", "width": 962, "height": 719 });
    let content = with_caption(json!({ "photo": [small, large] }), caption);
    update(update_id, chat_id, message_id, content)
}

/// A document. Without a caption when `caption` is empty.
pub fn document_update(
    update_id: i64,
    chat_id: i64,
    message_id: i64,
    document: &Document<'_>,
    caption: &str,
) -> Value {
    let document = json!({
        "file_id": document.file_id,
        "file_unique_id": format!("unique-{}", document.file_id),
        "file_name": document.file_name,
        "mime_type": document.mime_type,
        "file_size": document.file_size,
    });
    update(
        update_id,
        chat_id,
        message_id,
        with_caption(json!({ "document": document }), caption),
    )
}

/// The update as one of an album: messages with the same name were sent together.
pub fn in_album(mut update: Value, album: &str) -> Value {
    update["message"]["media_group_id"] = album.into();
    update
}

/// The user of a private chat presses a button with this value under a message of the bot.
pub fn press_update(update_id: i64, chat_id: i64, message_id: i64, query_id: &str, value: &str) -> Value {
    let mut pressed = text_update(update_id, chat_id, message_id, "the question")["message"].take();
    let user = pressed["from"].take();
    pressed["from"] = json!({ "id": 8_765_336_106_i64, "is_bot": true, "first_name": "Demo" });
    let query = json!({
        "id": query_id,
        "from": user,
        "message": pressed,
        "chat_instance": "-3141592653589793",
        "data": value,
    });
    json!({ "update_id": update_id, "callback_query": query })
}

/// Pushes an update to `url` with the secret header, as Telegram does.
///
/// # Errors
/// What the client says when `url` cannot be reached or is cut off.
pub async fn push_update(url: &str, secret: &str, update: &Value) -> reqwest::Result<reqwest::Response> {
    let request = client().post(url).header("content-type", "application/json");
    let request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
    request.body(update.to_string()).send().await
}

fn with_caption(mut content: Value, caption: &str) -> Value {
    if !caption.is_empty() {
        content["caption"] = caption.into();
    }
    content
}

fn update(update_id: i64, chat_id: i64, message_id: i64, content: Value) -> Value {
    let private = chat_id > 0;
    let author = if private { chat_id } else { GROUP_AUTHOR };
    let chat = if private {
        json!({ "id": chat_id, "type": "private", "first_name": "Ada", "username": "ada_b" })
    } else {
        json!({ "id": chat_id, "type": "supergroup", "title": "Ops" })
    };
    let mut message = json!({
        "message_id": message_id,
        "from": { "id": author, "is_bot": false, "first_name": "Ada", "username": "ada_b" },
        "chat": chat,
        "date": 1_767_224_888,
    });
    let Value::Object(content) = content else {
        unreachable!("every builder passes an object")
    };
    message.as_object_mut().unwrap().extend(content);
    json!({ "update_id": update_id, "message": message })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: i64 = 7;

    #[test]
    fn updates_have_the_shape_that_telegram_sends() {
        let text = text_update(1, CHAT, 101, "hi");
        assert_eq!(text["message"]["chat"]["type"], "private");
        assert_eq!(text["message"]["from"]["id"], CHAT);
        let group = text_update(1, -1001, 101, "hi");
        assert_eq!(group["message"]["chat"]["type"], "supergroup");
        assert_ne!(group["message"]["from"]["id"], -1001);

        let command = command_update(2, CHAT, 102, "/start@demo_bot hello 😀");
        let entity = json!({ "type": "bot_command", "offset": 0, "length": 15 });
        assert_eq!(command["message"]["entities"], json!([entity]));

        let photo = photo_update(3, CHAT, 103, "AgAC-big", "look");
        let sizes = photo["message"]["photo"].as_array().unwrap();
        assert_eq!(
            (&sizes[1]["file_id"], &photo["message"]["caption"]),
            (&json!("AgAC-big"), &json!("look"))
        );

        let report = Document {
            file_id: "BQAC-1",
            file_name: "r.pdf",
            mime_type: "application/pdf",
            file_size: 7,
        };
        let document = document_update(4, CHAT, 104, &report, "");
        assert_eq!(document["message"]["document"]["file_name"], "r.pdf");
        assert!(document["message"].get("caption").is_none());
    }
}
