//! Sends a part by the Bot API.

use bytes::Bytes;
use outbound::Client;
use proto_schemas::content::{ReplyAddress, StoredFile};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, multipart};
use serde::{Deserialize, Serialize};

use super::Account;
use super::api::{CallError, Refused, call};
use super::keyboard::{Keyboard, keyboard};
use crate::markdown::telegram::Entity;
use crate::outgoing::{
    Part, PartContent, SEND_DEADLINE, SendError, SendMeta, Sent, UPLOAD_DEADLINE, UploadForm, form_part,
};

/// The topic that every forum has. Telegram finds no thread by this number (`channels.md`, section 2.3).
const GENERAL_TOPIC: i64 = 1;

/// Where a message goes, in Telegram's names.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Target {
    chat_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_parameters: Option<ReplyParameters>,
}

#[derive(Debug, Clone, Serialize)]
struct ReplyParameters {
    message_id: i64,
    /// A question that was deleted must not make its answer undeliverable.
    allow_sending_without_reply: bool,
}

#[derive(Serialize)]
struct SendMessage<'a> {
    #[serde(flatten)]
    target: &'a Target,
    text: &'a str,
    #[serde(skip_serializing_if = "<[Entity]>::is_empty")]
    entities: &'a [Entity],
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<&'a Keyboard<'a>>,
}

/// Of the message that Telegram made, all that we need.
#[derive(Deserialize)]
struct SentMessage {
    message_id: i64,
}

/// What goes out, as the fix-ups may change it.
struct Attempt<'a> {
    target: Target,
    content: AttemptContent<'a>,
    keyboard: Option<Keyboard<'a>>,
    migrated: bool,
}

enum AttemptContent<'a> {
    Text {
        text: &'a str,
        entities: &'a [Entity],
    },
    File {
        file: &'a StoredFile,
        bytes: Bytes,
        form: UploadForm,
    },
}

impl Account {
    /// Some refusals can be mended on the spot, each at most once: a group that has become a supergroup, a file
    /// that Telegram will only take as a document, and formats or buttons that it does not take.
    pub(crate) async fn send(
        &self,
        client: &Client,
        address: &ReplyAddress,
        part: &Part,
        meta: &SendMeta<'_>,
    ) -> Result<Sent, SendError> {
        let mut attempt = Attempt {
            target: target(address, part.quotes),
            content: content(part, meta)?,
            keyboard: keyboard(&part.buttons),
            migrated: false,
        };
        loop {
            let outcome = match self.request(client, &attempt) {
                Ok(request) => call::<SentMessage>(request, meta.now_secs).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(message) => {
                    return Ok(Sent {
                        platform_message_id: message.message_id.to_string(),
                    });
                }
                Err(CallError::Refused(refused)) if attempt.mend(&refused) => {}
                Err(error) => return Err(error.verdict()),
            }
        }
    }

    fn request(&self, client: &Client, attempt: &Attempt<'_>) -> Result<RequestBuilder, CallError> {
        match &attempt.content {
            AttemptContent::Text { text, entities } => {
                let message = SendMessage {
                    target: &attempt.target,
                    text,
                    entities,
                    reply_markup: attempt.keyboard.as_ref(),
                };
                let body = serde_json::to_vec(&message).expect("a struct of texts has a JSON form");
                let request = client.request(Method::POST, &self.method_url("sendMessage"))?;
                Ok(request
                    .timeout(SEND_DEADLINE)
                    .header(CONTENT_TYPE, "application/json")
                    .body(body))
            }
            AttemptContent::File { file, bytes, form } => {
                let (method, field) = match form {
                    UploadForm::Photo => ("sendPhoto", "photo"),
                    UploadForm::Audio => ("sendAudio", "audio"),
                    UploadForm::Video => ("sendVideo", "video"),
                    UploadForm::Document => ("sendDocument", "document"),
                };
                let request = client.request(Method::POST, &self.method_url(method))?;
                let mut form = attempt.target.as_form();
                if let Some(keyboard) = &attempt.keyboard {
                    form = form.text("reply_markup", as_json(keyboard));
                }
                let body = form.part(field, form_part(file, bytes));
                Ok(request.timeout(UPLOAD_DEADLINE).multipart(body))
            }
        }
    }
}

impl Attempt<'_> {
    /// Changes the attempt so that it may succeed; false when there is nothing to change.
    fn mend(&mut self, refused: &Refused) -> bool {
        if let Some(chat) = refused.migrated_to
            && !self.migrated
        {
            // Messages and topics of the old group have no numbers in the new one.
            self.target = Target {
                chat_id: chat.to_string(),
                message_thread_id: None,
                reply_parameters: None,
            };
            self.migrated = true;
            return true;
        }
        if self.keyboard.is_some() && refused.is_about_the_buttons() {
            self.keyboard = None;
            return true;
        }
        match &mut self.content {
            AttemptContent::File {
                form: form @ (UploadForm::Photo | UploadForm::Audio | UploadForm::Video),
                ..
            } if refused.is_about_the_photo() => {
                *form = UploadForm::Document;
                true
            }
            AttemptContent::Text { entities, .. }
                if !entities.is_empty() && refused.is_about_the_entities() =>
            {
                *entities = &[];
                true
            }
            AttemptContent::Text { .. } | AttemptContent::File { .. } => false,
        }
    }
}

pub(super) fn target(address: &ReplyAddress, quotes: bool) -> Target {
    let number = |text: &String| text.parse::<i64>().ok();
    let question = address.message_id.as_ref().filter(|_| quotes).and_then(number);
    Target {
        chat_id: address.chat_id.clone(),
        message_thread_id: address
            .thread_id
            .as_ref()
            .and_then(number)
            .filter(|id| *id != GENERAL_TOPIC),
        reply_parameters: question.map(|message_id| ReplyParameters {
            message_id,
            allow_sending_without_reply: true,
        }),
    }
}

fn content<'a>(part: &'a Part, meta: &SendMeta<'_>) -> Result<AttemptContent<'a>, SendError> {
    match (&part.content, &meta.content) {
        (PartContent::Message { text, entities, .. }, _) => Ok(AttemptContent::Text { text, entities }),
        (PartContent::Upload { file, form }, Some(bytes)) => Ok(AttemptContent::File {
            file,
            bytes: bytes.clone(),
            form: *form,
        }),
        (PartContent::Upload { .. }, None) => Err(SendError::file_missing()),
    }
}

impl Target {
    /// In a form every value is a text, and objects are JSON (`channels.md`, section 2.5.1).
    fn as_form(&self) -> multipart::Form {
        let mut form = multipart::Form::new().text("chat_id", self.chat_id.clone());
        if let Some(thread) = self.message_thread_id {
            form = form.text("message_thread_id", thread.to_string());
        }
        if let Some(reply) = &self.reply_parameters {
            form = form.text("reply_parameters", as_json(reply));
        }
        form
    }
}

pub(super) fn as_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a struct of texts and numbers has a JSON form")
}
