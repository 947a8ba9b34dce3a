//! How large the platform's messages are: looked up in the broker while it works.

use bus::Bus;
use domain::ids::conversation_id;
use proto_schemas::ids::{ConnectionId, ConversationId};
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, DELIVERIES, INBOX, TRANSCRIPTS, TURNS, bucket_stream};
use serde::{Deserialize, Serialize};

use crate::door::chat;
use crate::fakes::Fake;
use crate::pipeline::{connection, one_of_all};

/// The sizes of what a turn publishes and sends, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sizes {
    pub(crate) inbox: usize,
    pub(crate) turn: usize,
    pub(crate) context: usize,
    pub(crate) delivery: usize,
    pub(crate) transcript: usize,
    pub(crate) webhook: usize,
    pub(crate) callback: usize,
}

impl Sizes {
    /// Looks at conversations, one after the other, until one message of each kind was seen. What is not seen is
    /// 0.
    pub(crate) async fn seen(bus: &Bus, conversations: &[usize], backend: &Fake, receiver: &Fake) -> Self {
        let mut sizes = Self {
            webhook: backend.last_body_bytes(),
            callback: receiver.last_body_bytes(),
            ..Self::default()
        };
        let contexts = bucket_stream(&CONTEXTS);
        for conversation in conversations.iter().map(|&conversation| identity(conversation)) {
            let key = subjects::key(CONTEXTS.name, conversation.as_str());
            look(bus, INBOX.name, &subjects::inbox(&conversation), &mut sizes.inbox).await;
            look(bus, TURNS.name, &subjects::turn(&conversation), &mut sizes.turn).await;
            look(bus, &contexts, &key, &mut sizes.context).await;
            let delivery = subjects::delivery(&conversation);
            look(bus, DELIVERIES.name, &delivery, &mut sizes.delivery).await;
            let transcript = subjects::transcript(&conversation);
            look(bus, TRANSCRIPTS.name, &transcript, &mut sizes.transcript).await;
            // The others outlive their turn.
            if sizes.turn > 0 && sizes.delivery > 0 {
                break;
            }
        }
        sizes
    }
}

/// The identifier that ingress gives a conversation of the driver.
pub(crate) fn identity(conversation: usize) -> ConversationId {
    let connection =
        ConnectionId::new(connection(one_of_all(conversation))).expect("the name is an identifier");
    conversation_id(&connection, &chat(conversation), None, None)
}

async fn look(bus: &Bus, stream: &str, subject: &str, size: &mut usize) {
    if *size == 0
        && let Ok(Some(entry)) = bus.last(stream, subject).await
    {
        *size = entry.payload.len();
    }
}
