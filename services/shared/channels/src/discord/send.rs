//! Sends a part: back to the interaction while that is open, otherwise to the channel (`channels.md`, section 4.5).
//!
//! A first part takes the place of what says that the bot is thinking, so sending it again changes nothing. In the
//! channel Discord knows a message again by its nonce. Between the two lie further parts to an interaction: they have
//! no identity, so one whose answer is lost may be shown twice.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE32_NOPAD;
use outbound::{Client, Denied};
use proto_schemas::content::{ReplyAddress, StoredFile};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use reqwest::{Method, RequestBuilder, multipart};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::api::{CallError, Refused, call, unreadable};
use super::components::{Row, rows};
use super::{Account, WAY_BACK_IS_OPEN};
use crate::outgoing::{
    Part, PartContent, SEND_DEADLINE, SendError, SendMeta, Sent, UPLOAD_DEADLINE, form_part,
};

/// Discord lets nobody in who does not present himself like this.
const PRESENTATION: &str = concat!(
    "DiscordBot (https://docs.chatbotplatform.io, ",
    env!("CARGO_PKG_VERSION"),
    ")"
);
/// How long a nonce may be.
const NONCE_CHARS: usize = 25;
/// How long after an interaction its answer may still be on its way from ingress to Discord, which takes none that
/// comes later than after three seconds. The rest is for clocks: the interaction's time is by that of ingress, ours by
/// that of egress.
const ANSWER_ARRIVES: Duration = Duration::from_secs(15);
/// The answer to an interaction, whatever its number.
const ORIGINAL: &str = "@original";

#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    allowed_mentions: AllowedMentions,
    #[serde(skip_serializing_if = "<[Row<'_>]>::is_empty")]
    components: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachments: Option<[Attachment<'a>; 1]>,
    #[serde(flatten)]
    in_channel: Option<InChannel<'a>>,
}

/// Nobody is called, whatever stands in the text.
#[derive(Serialize)]
struct AllowedMentions {
    parse: [&'static str; 0],
    replied_user: bool,
}

/// The place in the form is the identifier.
#[derive(Serialize)]
struct Attachment<'a> {
    id: &'static str,
    filename: &'a str,
}

/// What only a message in a channel has.
#[derive(Serialize)]
struct InChannel<'a> {
    nonce: String,
    enforce_nonce: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_reference: Option<Reference<'a>>,
}

#[derive(Serialize)]
struct Reference<'a> {
    message_id: &'a str,
    /// A question that was deleted must not make its answer undeliverable.
    fail_if_not_exists: bool,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

/// The way on which a part goes.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// In the place of what says that the bot is thinking.
    Original(&'a str),
    /// As a further message to the interaction.
    FollowUp(&'a str),
    /// To the channel, as the bot.
    Channel,
}

/// A file, and its bytes.
type File<'a> = (&'a StoredFile, &'a Bytes);

/// What a part says: a text, or a file.
type Said<'a> = (Option<&'a str>, Option<File<'a>>);

impl Account {
    pub(crate) async fn send(
        &self,
        client: &Client,
        address: &ReplyAddress,
        part: &Part,
        meta: &SendMeta<'_>,
    ) -> Result<Sent, SendError> {
        let said = content(part, meta)?;
        if let Some(way) = way_back(address, part.quotes, meta.now_secs) {
            match self.send_on(way, client, address, part, meta, said).await {
                Err(CallError::Refused(refused)) if refused.closes_way_back() => {
                    surely_closed(&refused, address, meta.now_secs)?;
                }
                outcome => return outcome.map_err(CallError::verdict),
            }
        }
        let sent = self.send_on(Way::Channel, client, address, part, meta, said);
        sent.await.map_err(CallError::verdict)
    }

    /// Who gave a command or filled in a form is shown it already.
    pub(crate) async fn show_typing(
        &self,
        client: &Client,
        address: &ReplyAddress,
        now_secs: u64,
    ) -> Result<(), SendError> {
        if let Some(Way::Original(_)) = way_back(address, true, now_secs) {
            return Ok(());
        }
        let url = self.api_base.with(["channels", &address.chat_id, "typing"]);
        let request = self.as_bot(
            client
                .request(Method::POST, &url)?
                .header(USER_AGENT, PRESENTATION),
        );
        let request = request.header(CONTENT_LENGTH, 0).timeout(SEND_DEADLINE);
        call(request, now_secs).await.map_err(CallError::verdict)?;
        Ok(())
    }

    fn as_bot(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(AUTHORIZATION, format!("Bot {}", self.token.expose()))
    }

    /// Takes back what says that the bot is thinking.
    pub(crate) async fn say_nothing(
        &self,
        client: &Client,
        address: &ReplyAddress,
        now_secs: u64,
    ) -> Result<(), SendError> {
        let Some(way @ Way::Original(_)) = way_back(address, true, now_secs) else {
            return Ok(());
        };
        let request = self.begin(way, Method::DELETE, client, address)?;
        match call(request.timeout(SEND_DEADLINE), now_secs).await {
            Ok(_) => Ok(()),
            Err(CallError::Refused(refused)) if refused.closes_way_back() => {
                surely_closed(&refused, address, now_secs)
            }
            Err(error) => Err(error.verdict()),
        }
    }

    /// One call, and another one without the buttons where they may be what Discord does not take.
    async fn send_on(
        &self,
        way: Way<'_>,
        client: &Client,
        address: &ReplyAddress,
        part: &Part,
        meta: &SendMeta<'_>,
        (content, file): Said<'_>,
    ) -> Result<Sent, CallError> {
        let mut message = Message {
            content,
            allowed_mentions: AllowedMentions {
                parse: [],
                replied_user: false,
            },
            components: rows(&part.buttons),
            attachments: file.map(|(file, _)| [attachment(file)]),
            in_channel: match way {
                Way::Original(_) | Way::FollowUp(_) => None,
                Way::Channel => Some(in_channel(address, part, meta)),
            },
        };
        let method = match way {
            Way::Original(_) => Method::PATCH,
            Way::FollowUp(_) | Way::Channel => Method::POST,
        };
        loop {
            let request = self.begin(way, method.clone(), client, address)?;
            match call(with_body(request, &message, file), meta.now_secs).await {
                Ok(body) => return sent(&body),
                Err(CallError::Refused(refused))
                    if !message.components.is_empty() && refused.may_be_about_the_buttons() =>
                {
                    message.components.clear();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The token of an interaction is in its address; the bot's own is shown in the channel only.
    fn begin(
        &self,
        way: Way<'_>,
        method: Method,
        client: &Client,
        address: &ReplyAddress,
    ) -> Result<RequestBuilder, Denied> {
        let application = self.application_id.as_str();
        let url = match way {
            Way::Original(token) => {
                self.api_base
                    .with(["webhooks", application, token, "messages", ORIGINAL])
            }
            Way::FollowUp(token) => self.api_base.with(["webhooks", application, token]),
            Way::Channel => self.api_base.with(["channels", &address.chat_id, "messages"]),
        };
        let request = client.request(method, &url)?.header(USER_AGENT, PRESENTATION);
        Ok(match way {
            Way::Original(_) | Way::FollowUp(_) => request,
            Way::Channel => self.as_bot(request),
        })
    }
}

/// The way back to an interaction, while it is open. What answers a message of its own stands beside it; only
/// what does not has a message that says that the bot is thinking.
fn way_back(address: &ReplyAddress, is_first: bool, now_secs: u64) -> Option<Way<'_>> {
    let interaction = address.interaction.as_ref()?;
    if interaction.expires_at.as_secs() <= now_secs {
        return None;
    }
    if is_first && address.message_id.is_none() {
        Some(Way::Original(&interaction.token))
    } else {
        Some(Way::FollowUp(&interaction.token))
    }
}

/// Nothing, unless ingress may not have answered the interaction yet: Discord knows of no way back before.
fn surely_closed(refused: &Refused, address: &ReplyAddress, now_secs: u64) -> Result<(), SendError> {
    let arrives_by = address.interaction.as_ref().map(|interaction| {
        let began = interaction
            .expires_at
            .as_secs()
            .saturating_sub(WAY_BACK_IS_OPEN.as_secs());
        began + ANSWER_ARRIVES.as_secs()
    });
    if refused.knows_no_answer() && arrives_by.is_some_and(|arrives_by| now_secs < arrives_by) {
        let detail = "the interaction's answer may be on its way";
        return Err(SendError::transient("not_answered_yet", detail));
    }
    Ok(())
}

fn sent(body: &[u8]) -> Result<Sent, CallError> {
    let created: Created = serde_json::from_slice(body).map_err(|_| CallError::Unanswered(unreadable()))?;
    Ok(Sent {
        platform_message_id: created.id,
    })
}

fn content<'a>(part: &'a Part, meta: &'a SendMeta<'_>) -> Result<Said<'a>, SendError> {
    match (&part.content, &meta.content) {
        (PartContent::Message { text, .. }, _) => Ok((Some(text), None)),
        (PartContent::Upload { file, .. }, Some(bytes)) => Ok((None, Some((file, bytes)))),
        (PartContent::Upload { .. }, None) => Err(SendError::file_missing()),
    }
}

fn attachment(file: &StoredFile) -> Attachment<'_> {
    Attachment {
        id: "0",
        filename: &file.name,
    }
}

fn in_channel<'a>(address: &'a ReplyAddress, part: &Part, meta: &SendMeta<'_>) -> InChannel<'a> {
    let question = address.message_id.as_deref().filter(|_| part.quotes);
    InChannel {
        nonce: nonce(meta.part_id),
        enforce_nonce: true,
        message_reference: question.map(|message_id| Reference {
            message_id,
            fail_if_not_exists: false,
        }),
    }
}

fn with_body(request: RequestBuilder, message: &Message<'_>, file: Option<File<'_>>) -> RequestBuilder {
    const JSON: &str = "application/json";
    let body = serde_json::to_vec(message).expect("a struct of texts has a JSON form");
    match file {
        None => request
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, JSON)
            .body(body),
        Some((file, bytes)) => {
            let payload = multipart::Part::bytes(body)
                .mime_str(JSON)
                .expect("the literal is a media type");
            let form = multipart::Form::new()
                .part("payload_json", payload)
                .part("files[0]", form_part(file, bytes));
            request.timeout(UPLOAD_DEADLINE).multipart(form)
        }
    }
}

/// Discord knows a message again by it, for some minutes (`channels.md`, section 4.5.7).
fn nonce(part_id: &str) -> String {
    let mut nonce = BASE32_NOPAD.encode(&Sha256::digest(part_id));
    nonce.truncate(NONCE_CHARS);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_nonce_and_another_part_another() {
        let nonce_of_one = nonce("turn_a_m1_0");
        assert_eq!(nonce_of_one, nonce("turn_a_m1_0"));
        assert_ne!(nonce_of_one, nonce("turn_a_m1_0_r1"));
        assert_eq!(nonce_of_one.len(), NONCE_CHARS);
    }
}
