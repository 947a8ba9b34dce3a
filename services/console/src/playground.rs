//! The playground's way in: messages are pushed to ingress over the HTTP channel, as a channel of one's own would.

use std::time::Duration;

use outbound::signature::{self, SigningKey, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use outbound::{Client, Policy, error_text, read_capped};
use proto_schemas::ids::{ConnectionId, MessageId};
use rand::RngExt;
use registry::{Connection, ConnectionChannel, SecretRef};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use runtime::StartError;
use runtime::clock;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::problem::Problem;

/// How long ingress may take to accept a message.
const PUSH_DEADLINE: Duration = Duration::from_secs(10);
/// The most of its answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// The longest message, in bytes: what a person types, and no book.
pub(crate) const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Where the playground's messages go, and what signs them.
#[derive(Debug, Clone)]
pub(crate) struct PlaygroundConfig {
    /// Where we reach ingress.
    pub(crate) ingress: Url,
    /// What signs; a connection that names the same reference takes what is signed so.
    pub(crate) secret: SecretRef,
}

/// The playground's way in.
pub(crate) struct Playground {
    config: PlaygroundConfig,
    client: Client,
}

/// What ingress answers.
#[derive(Deserialize)]
struct Accepted {
    id: MessageId,
}

impl Playground {
    /// Makes ready to push.
    ///
    /// # Errors
    /// [`StartError`] when the secret cannot be had or is no key.
    pub(crate) fn new(config: PlaygroundConfig) -> Result<Self, StartError> {
        let other = |error: String| StartError::Other(format!("the playground: {error}"));
        key(&config.secret).map_err(other)?;
        let policy = Policy::with_server(&config.ingress).map_err(|errors| other(errors.join("; ")))?;
        let client = Client::new(policy, None).map_err(|error| other(error.to_string()))?;
        Ok(Self { config, client })
    }

    /// Whether a connection takes what we push.
    pub(crate) fn reaches(&self, connection: &Connection) -> bool {
        match &connection.channel {
            ConnectionChannel::Http(http) => http.secrets.contains(&self.config.secret),
            ConnectionChannel::Telegram(_) | ConnectionChannel::Slack(_) | ConnectionChannel::Discord(_) => {
                false
            }
        }
    }

    /// A connection of a bot that takes what we push, and keeps replies in the transcript only.
    pub(crate) fn connection(&self, id: &str, bot: &str) -> serde_json::Value {
        json!({"id": id, "bot": bot, "channel": {"http": {"secrets": [self.config.secret]}}})
    }

    /// Says something in a chat. What comes back is the message, which is durable then.
    ///
    /// # Errors
    /// [`Problem::Ingress`] when it does not accept it.
    pub(crate) async fn push(
        &self,
        connection: &ConnectionId,
        chat: &str,
        text: &str,
    ) -> Result<MessageId, Problem> {
        let body =
            json!({"conversation_id": chat, "user": {"id": "console", "name": "Console"}, "text": text});
        let body = body.to_string();
        let refused = |why: String| Problem::Ingress(why);
        let key = key(&self.config.secret).map_err(refused)?;
        let id = format!("console-{:032x}", rand::rng().random::<u128>());
        let now = clock::now().as_secs();
        let mut url = self.config.ingress.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty()
                .extend(["v1", "channels", connection.as_str(), "messages"]);
        }
        let request = self.client.request(Method::POST, &url);
        let request = request.map_err(|error| refused(error.to_string()))?;
        let response = request
            .timeout(PUSH_DEADLINE)
            .header(CONTENT_TYPE, "application/json")
            .header(WEBHOOK_ID, &id)
            .header(WEBHOOK_TIMESTAMP, now)
            .header(
                WEBHOOK_SIGNATURE,
                signature::sign(&key, &id, now, body.as_bytes()),
            )
            .body(body)
            .send()
            .await
            .map_err(|error| refused(error_text(error)))?;
        let status = response.status();
        let answer = read_capped(response, MAX_ANSWER_BYTES).await;
        let answer = answer.map_err(|error| refused(error.to_string()))?;
        let accepted: Option<Accepted> = serde_json::from_slice(&answer).ok();
        match accepted {
            Some(Accepted { id }) if status.is_success() => Ok(id),
            Some(_) | None => Err(refused(format!("it answers HTTP {}", status.as_u16()))),
        }
    }
}

fn key(reference: &SecretRef) -> Result<SigningKey, String> {
    let secret = reference.resolve().map_err(|error| error.to_string())?;
    SigningKey::parse(secret.expose()).map_err(|error| format!("{reference}: {error}"))
}
