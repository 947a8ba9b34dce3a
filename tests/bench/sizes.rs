//! How large the platform's messages are: looked up in the broker while it works.

use bus::Bus;
use domain::ids::conversation_id;
use proto_schemas::ids::{ConnectionId, ConversationId};
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, DELIVERIES, INBOX, TRANSCRIPTS, TURNS, bucket_stream};

use crate::bare::Sizes;
use crate::driver::chat;
use crate::fakes::Fake;
use crate::pipeline::connection_of;

/// Looks at conversations, one after the other, until one of each size was seen. What is not seen is 0.
pub(crate) async fn sizes(bus: &Bus, conversations: usize, backend: &Fake, receiver: &Fake) -> Sizes {
    let mut sizes = Sizes {
        webhook: backend.last_body_bytes(),
        callback: receiver.last_body_bytes(),
        ..Sizes::default()
    };
    let contexts = bucket_stream(&CONTEXTS);
    for conversation in (0..conversations).map(identity) {
        look(bus, INBOX.name, &subjects::inbox(&conversation), &mut sizes.inbox).await;
        look(bus, TURNS.name, &subjects::turn(&conversation), &mut sizes.turn).await;
        let key = subjects::key(CONTEXTS.name, conversation.as_str());
        look(bus, &contexts, &key, &mut sizes.context).await;
        look(
            bus,
            DELIVERIES.name,
            &subjects::delivery(&conversation),
            &mut sizes.delivery,
        )
        .await;
        look(
            bus,
            TRANSCRIPTS.name,
            &subjects::transcript(&conversation),
            &mut sizes.transcript,
        )
        .await;
        let Sizes {
            inbox,
            turn,
            context,
            delivery,
            transcript,
            ..
        } = sizes;
        if [inbox, turn, context, delivery, transcript]
            .iter()
            .all(|size| *size > 0)
        {
            break;
        }
    }
    sizes
}

/// The identifier that ingress gives a conversation of the driver.
pub(crate) fn identity(conversation: usize) -> ConversationId {
    let connection = ConnectionId::new(connection_of(conversation)).expect("the name is an identifier");
    conversation_id(&connection, &chat(conversation), None, None)
}

async fn look(bus: &Bus, stream: &str, subject: &str, size: &mut usize) {
    if *size == 0
        && let Ok(Some(entry)) = bus.last(stream, subject).await
    {
        *size = entry.payload.len();
    }
}
