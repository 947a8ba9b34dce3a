//! Having a conversation start afresh.

use operations::reset::reset;
use proto_schemas::ids::{ConversationId, UnixMillis};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::topology::INBOX;
use serde_json::json;

use crate::broker::Broker;
use crate::samples::{CONVERSATION, attached, received};

const NOW: UnixMillis = UnixMillis(2_000_000);

impl Broker {
    async fn inbox(&self) -> Vec<InboxEntry> {
        let mut entries = Vec::new();
        let subject = format!("inbox.{CONVERSATION}");
        self.bus
            .each(INBOX.name, &subject, 1, |entry| {
                entries.push(entry.decode().unwrap())
            })
            .await
            .unwrap();
        entries
    }
}

#[tokio::test]
async fn a_reset_is_asked_for_in_the_name_of_who_wrote_last_and_once_for_each_request() {
    let broker = Broker::start().await;
    let id = ConversationId::new(CONVERSATION).unwrap();
    assert_eq!(reset(&broker.bus, &id, None, NOW).await.unwrap(), None);
    assert!(broker.inbox().await.is_empty(), "nobody has written there");

    let subject = format!("inbox.{CONVERSATION}");
    broker.publish(&subject, &received(json!({}))).await;
    let newest = json!({"message_id": "msg_3kq7zt_t902", "user": {"id": "43"},
        "address": {"chat_id": "42", "thread_id": "7", "message_id": "902"}});
    broker.publish(&subject, &received(newest)).await;
    broker.publish(&subject, &attached()).await;
    let asked = reset(&broker.bus, &id, Some("monday"), NOW)
        .await
        .unwrap()
        .unwrap();
    assert!(!asked.is_repeated);
    let entries = broker.inbox().await;
    let InboxEntry::Reset(entry) = &entries[3] else {
        panic!("{entries:?}");
    };
    assert_eq!((&entry.message_id, entry.accepted_at), (&asked.message, NOW));
    assert_eq!(entry.message_id.conversation(), Some(id.clone()));
    assert_eq!((entry.user.id.as_str(), entry.text.as_str()), ("43", ""));
    let address = (&entry.address.thread_id, &entry.address.message_id);
    assert_eq!(address, (&Some("7".to_owned()), &None));

    let again = reset(&broker.bus, &id, Some("monday"), NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((again.message, again.is_repeated), (asked.message, true));
    for request in [Some("tuesday"), None, None] {
        let other = reset(&broker.bus, &id, request, NOW).await.unwrap().unwrap();
        assert!(!other.is_repeated, "{request:?}");
    }
    assert_eq!(broker.inbox().await.len(), 7);
}
