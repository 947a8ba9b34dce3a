//! `chatbot send`: a message through the front door of a running pipeline, as a channel would push it.

use std::time::Duration;

use clap::Args;
use outbound::signature::{self, SigningKey};
use outbound::{Client, Policy, error_text};
use rand::RngExt;
use reqwest::Method;
use runtime::clock;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use crate::Failure;
use crate::output::say;
use crate::pipeline::CONNECTION;
use crate::playground::Reply;
use crate::run_dir::{Addresses, RunDir};

/// How long a push may take.
const PUSH_DEADLINE: Duration = Duration::from_secs(10);

/// Options of `send`.
#[derive(Args)]
pub(crate) struct Options {
    /// What to say.
    text: String,
    /// The conversation.
    #[arg(short, long, default_value = "me")]
    conversation: String,
    /// How many seconds to wait for the reply.
    #[arg(short, long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: u64,
}

/// What ingress answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Accepted {
    /// The message.
    pub(crate) id: String,
    /// What we called it.
    #[serde(skip)]
    pushed_as: String,
}

/// Pushes to the connection `web` of a pipeline.
pub(crate) struct Pusher {
    client: Client,
    addresses: Addresses,
    key: SigningKey,
}

impl Pusher {
    pub(crate) fn new(addresses: Addresses) -> Result<Self, Failure> {
        // A pipeline of `up` is on this machine, behind plain HTTP.
        let policy = Policy::new(&["127.0.0.1".to_owned()]).unwrap_or_default();
        let client = Client::new(policy, None).map_err(Failure::new)?;
        let key = SigningKey::parse(&addresses.secret).map_err(Failure::new)?;
        Ok(Self {
            client,
            addresses,
            key,
        })
    }

    /// Pushes one message, and returns what ingress made of it.
    pub(crate) async fn push(&self, conversation: &str, text: &str) -> Result<Accepted, Failure> {
        let body = serde_json::json!({
            "conversation_id": conversation, "user": { "id": conversation }, "text": text });
        let body = body.to_string();
        let id = format!("cli-{:016x}", rand::rng().random::<u64>());
        let timestamp = clock::now().as_secs();
        let url = format!("{}/v1/channels/{CONNECTION}/messages", self.addresses.ingress);
        let response = self
            .client
            .request(Method::POST, &Url::parse(&url).map_err(Failure::new)?)
            .map_err(Failure::new)?
            .timeout(PUSH_DEADLINE)
            .header("content-type", "application/json")
            .header(signature::WEBHOOK_ID, &id)
            .header(signature::WEBHOOK_TIMESTAMP, timestamp)
            .header(
                signature::WEBHOOK_SIGNATURE,
                signature::sign(&self.key, &id, timestamp, body.as_bytes()),
            )
            .body(body)
            .send()
            .await
            .map_err(|error| Failure(format!("ingress does not answer: {}", error_text(error))))?;
        let status = response.status();
        let answer = response.text().await.map_err(Failure::new)?;
        if !status.is_success() {
            return Err(Failure(format!("ingress refused ({status}): {answer}")));
        }
        let accepted: Accepted = serde_json::from_str(&answer).map_err(Failure::new)?;
        Ok(Accepted {
            pushed_as: id,
            ..accepted
        })
    }

    /// The reply to a message, if it comes within `wait` seconds.
    async fn reply(&self, conversation: &str, to: &Accepted, wait: u64) -> Result<Option<Reply>, Failure> {
        let mut url = Url::parse(&self.addresses.replies).map_err(Failure::new)?;
        url.path_segments_mut()
            .map_err(|()| Failure::new("bad address"))?
            .push(conversation);
        url.query_pairs_mut()
            .append_pair("in_reply_to", &to.pushed_as)
            .append_pair("wait", &wait.to_string());
        let asked = self.client.request(Method::GET, &url).map_err(Failure::new)?;
        let asked = asked.timeout(PUSH_DEADLINE + Duration::from_secs(wait));
        let answer = asked
            .send()
            .await
            .map_err(Failure::new)?
            .bytes()
            .await
            .map_err(Failure::new)?;
        let replies: Vec<Reply> = serde_json::from_slice(&answer).map_err(Failure::new)?;
        Ok(replies.into_iter().next())
    }
}

/// Sends and waits.
pub(crate) async fn send(options: &Options, run_dir: &RunDir) -> Result<(), Failure> {
    let pusher = Pusher::new(run_dir.addresses()?)?;
    let began = Instant::now();
    let accepted = pusher.push(&options.conversation, &options.text).await?;
    say!("accepted as {}", accepted.id);
    match pusher
        .reply(&options.conversation, &accepted, options.wait)
        .await?
    {
        Some(reply) => {
            say!("{} ({} ms)", reply.text, began.elapsed().as_millis());
            Ok(())
        }
        None => Err(Failure(format!(
            "no reply within {} s; try: chatbot trace {}",
            options.wait, accepted.id
        ))),
    }
}
