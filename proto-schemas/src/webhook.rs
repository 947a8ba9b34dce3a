//! What a webhook is sent and what it answers, exactly as the guide says
//! (`webhook-guide.txt`, "Request Format" and "Response Format").

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{Attachment, Button};

/// The request body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookRequest {
    /// The conversation so far, the question last.
    pub messages: Vec<WebhookMessage>,
    /// The conversation.
    pub conversation_id: String,
    /// Who asks.
    pub user: WebhookUser,
    /// Who is asked.
    pub bot: WebhookBot,
    /// Where it comes from.
    pub metadata: WebhookMetadata,
}

/// One message, in OpenAI's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// A text, or parts when there are files.
    pub content: WebhookContent,
}

/// Content of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WebhookContent {
    /// Only text.
    Text(String),
    /// Text and files.
    Parts(Vec<ContentPart>),
}

/// A part of a multimodal message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    ImageUrl {
        /// Where it is.
        image_url: Link,
    },
    /// Any other file.
    File {
        /// The file.
        file: FileLink,
    },
}

/// A link to an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Signed, expiring.
    pub url: String,
}

/// A link to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileLink {
    /// Signed, expiring.
    pub url: String,
    /// The file's name.
    pub filename: String,
    /// Its media type.
    pub mime_type: String,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookUser {
    /// The platform's identifier of the user.
    pub id: String,
    /// The channel's kind.
    pub platform: String,
    /// The name people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookBot {
    /// The bot.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Where a message comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookMetadata {
    /// The channel's kind.
    pub channel: String,
    /// The platform's identifier of the chat.
    pub chat_id: String,
    /// The platform's identifier of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

/// The response body. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookReply {
    /// The text for the user.
    pub content: String,
    /// Files for the user.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Buttons for the user.
    #[serde(default)]
    pub buttons: Vec<Button>,
    /// Stored in the transcript, never sent.
    #[serde(default)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}
