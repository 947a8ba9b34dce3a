//! Conversations that exist already: their inbox entries, context records and last transcripts, as the platform
//! would have left them, written straight into the broker.
//!
//! Written without identities: the broker would remember them for two minutes, and read them again at its next
//! start, as if all these conversations had just been active.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, Context as JetStream};
use async_nats::{Client, HeaderMap};
use domain::ids::{message_id, turn_id};
use proto_schemas::content::{ChannelKind, ReplyAddress, Role, User, Utterance};
use proto_schemas::context::{Conclusion, Context, TurnResult};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, UnixMillis};
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXT_EVENTS, CONTEXTS, ConsumerSpec, INBOX_EVENTS};
use proto_schemas::transcript::{Receipt, Transcript};
use proto_schemas::wire::{self, MESSAGE_TYPE, TRACEPARENT, Wire};

use crate::broker::{Broker, create_topology};
use crate::door::chat;
use crate::pipeline::{connection, one_of_all};
use crate::sizes::identity;

/// Questions of a conversation; as many answers.
const QUESTIONS: usize = 10;
/// Length of a question and of an answer, in bytes.
const TEXT_BYTES: usize = 200;
/// After so many messages a confirmation is waited for: what is sent beyond the broker's own queue is lost.
const UNCONFIRMED: usize = 2000;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// When all of it was said.
const THEN: UnixMillis = UnixMillis(1_767_225_600_000);
/// As the platform creates its consumers.
const MAX_WAITING: i64 = 2048;

/// Writes conversations `0..count` into an empty broker. No message of theirs is left to be answered.
pub(crate) async fn preload(broker: &Broker, count: usize) {
    create_topology(&broker.connect().await).await;
    let client = async_nats::connect(broker.server.url())
        .await
        .expect("the broker is there");
    let writer = Writer {
        jetstream: jetstream::new(client.clone()),
        client,
    };
    // The consumers begin anew behind what is written: it was handled long ago.
    for consumer in [&INBOX_EVENTS, &CONTEXT_EVENTS] {
        writer.delete_consumer(consumer).await;
    }
    for question in 0..QUESTIONS {
        let entries = (0..count).map(|conversation| Conversation::new(conversation, count).entry(question));
        writer.write_all(entries).await;
    }
    writer
        .write_all((0..count).map(|conversation| Conversation::new(conversation, count).context()))
        .await;
    writer
        .write_all((0..count).map(|conversation| Conversation::new(conversation, count).transcript()))
        .await;
    for consumer in [&INBOX_EVENTS, &CONTEXT_EVENTS] {
        writer.create_consumer(consumer).await;
    }
}

/// A message to be written: subject, headers, payload.
type Written = (String, HeaderMap, Vec<u8>);

struct Writer {
    client: Client,
    jetstream: JetStream,
}

impl Writer {
    async fn write_all(&self, messages: impl Iterator<Item = Written>) {
        let mut messages = messages.peekable();
        let mut unconfirmed = 0;
        while let Some((subject, headers, payload)) = messages.next() {
            unconfirmed += 1;
            if unconfirmed < UNCONFIRMED && messages.peek().is_some() {
                let sent = self
                    .client
                    .publish_with_headers(subject, headers, payload.into())
                    .await;
                sent.expect("the client lives");
                continue;
            }
            // Confirmed in order, it confirms all before it.
            let sent = self
                .jetstream
                .publish_with_headers(subject, headers, payload.into())
                .await;
            sent.expect("the client lives")
                .await
                .expect("the broker confirms");
            unconfirmed = 0;
        }
    }

    async fn delete_consumer(&self, spec: &ConsumerSpec) {
        let stream = self
            .jetstream
            .get_stream_no_info(spec.stream)
            .await
            .expect("the stream");
        stream
            .delete_consumer(spec.name)
            .await
            .expect("it was just created");
    }

    async fn create_consumer(&self, spec: &ConsumerSpec) {
        let stream = self
            .jetstream
            .get_stream_no_info(spec.stream)
            .await
            .expect("the stream");
        let config = pull::Config {
            durable_name: Some(spec.name.to_owned()),
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::Explicit,
            ack_wait: spec.ack_wait,
            max_deliver: -1,
            max_ack_pending: spec.max_ack_pending,
            max_waiting: MAX_WAITING,
            headers_only: spec.headers_only,
            ..Default::default()
        };
        stream.create_consumer(config).await.expect("a consumer");
    }
}

/// A conversation that was had.
struct Conversation {
    number: usize,
    /// How many conversations there are: each question is asked in all of them before the next is asked in one.
    of: usize,
    id: ConversationId,
}

impl Conversation {
    fn new(number: usize, of: usize) -> Self {
        Self {
            number,
            of,
            id: identity(number),
        }
    }

    fn entry(&self, question: usize) -> Written {
        let entry = InboxEntry::Received(Received {
            message_id: self.message(question),
            conversation: self.id.clone(),
            bot: self.bot(),
            connection: self.connection(),
            channel: ChannelKind::Http,
            address: ReplyAddress {
                chat_id: chat(self.number),
                thread_id: None,
                message_id: Some(push(question)),
                interaction: None,
            },
            user: self.user(),
            text: text(),
            files: Vec::new(),
            album: None,
            replay_of: None,
            accepted_at: THEN,
        });
        written(subjects::inbox(&self.id), &entry)
    }

    fn context(&self) -> Written {
        let said = (0..QUESTIONS).flat_map(|question| [self.question(question), answer()]);
        let context = Context {
            conversation: self.id.clone(),
            answered_through: self.last_sequence(),
            inbox_reaches: self.last_sequence(),
            utterances: said.collect(),
            answered: (0..QUESTIONS).map(|question| self.message(question)).collect(),
            last: self.conclusion(),
        };
        written(subjects::key(CONTEXTS.name, self.id.as_str()), &context)
    }

    fn transcript(&self) -> Written {
        let last = QUESTIONS - 1;
        let transcript = Transcript {
            conversation: self.id.clone(),
            bot: self.bot(),
            connection: self.connection(),
            channel: ChannelKind::Http,
            user: self.user(),
            answers: vec![self.message(last)],
            answered_through: self.last_sequence(),
            question: vec![self.question(last)],
            conclusion: self.conclusion(),
            receipt: Receipt::Sent {
                platform_message_ids: vec![format!("{}_0", turn_id(&self.message(last)))],
            },
            accepted_at: THEN,
            built_at: THEN,
            concluded_at: THEN,
            replay: 0,
        };
        written(subjects::transcript(&self.id), &transcript)
    }

    /// The inbox sequence of its last question.
    fn last_sequence(&self) -> u64 {
        ((QUESTIONS - 1) * self.of + self.number + 1) as u64
    }

    fn message(&self, question: usize) -> MessageId {
        message_id(&self.id, &push(question))
    }

    fn question(&self, question: usize) -> Utterance {
        Utterance {
            role: Role::User,
            text: text(),
            files: Vec::new(),
            message_id: Some(self.message(question)),
            at: THEN,
        }
    }

    fn conclusion(&self) -> Conclusion {
        let integration = format!("webhook-{}", one_of_all(self.number));
        Conclusion {
            turn: turn_id(&self.message(QUESTIONS - 1)),
            result: TurnResult::Reply {
                content: text(),
                attachments: Vec::new(),
                buttons: Vec::new(),
                metadata: None,
            },
            integration: Some(IntegrationId::new(integration).expect("the name is an identifier")),
            arm: None,
            attempts: 1,
            webhook_millis: 1,
            committed_at: THEN,
        }
    }

    fn bot(&self) -> BotId {
        BotId::new(format!("bot-{}", one_of_all(self.number))).expect("the name is an identifier")
    }

    fn connection(&self) -> ConnectionId {
        ConnectionId::new(connection(one_of_all(self.number))).expect("the name is an identifier")
    }

    fn user(&self) -> User {
        User {
            id: chat(self.number),
            name: None,
            username: None,
        }
    }
}

fn answer() -> Utterance {
    Utterance {
        role: Role::Assistant,
        text: text(),
        files: Vec::new(),
        message_id: None,
        at: THEN,
    }
}

fn push(question: usize) -> String {
    format!("preloaded-{question}")
}

fn text() -> String {
    let mut text = "what was said before ".repeat(TEXT_BYTES / 20);
    text.truncate(TEXT_BYTES);
    text
}

fn written<T: Wire>(subject: String, value: &T) -> Written {
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_TYPE, T::TYPE);
    headers.insert(TRACEPARENT, TRACE);
    for (name, text) in value.headers() {
        headers.insert(name, text.as_str());
    }
    (
        subject,
        headers,
        wire::encode(value).expect("a wire type has a JSON form"),
    )
}
