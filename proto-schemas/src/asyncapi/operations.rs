//! Who sends and who receives, each service from its own point of view.

use serde_json::{Map, Value, json};

use super::channels::{ANSWER, HINT, QUESTION};
use crate::topology::{CONTEXT_EVENTS, ConsumerSpec, DELIVERY_WORK, FETCH_WORK, INBOX_EVENTS, TURN_WORK};

#[derive(Clone, Copy)]
enum Action {
    Send,
    /// Reads or watches without a consumer of its own.
    Receive,
    /// Reads through a durable consumer.
    Consume(ConsumerSpec),
    /// Sends a question, and gets the answer back.
    Ask,
    /// Takes questions as one of a queue group, and answers them.
    Answer,
}

/// The operator's configuration.
const REGISTRY: &[&str] = &["registry.bots", "registry.integrations", "registry.connections"];

/// What a dead letter goes back to.
const REPLAYED: &[&str] = &["inbox", "turns", "fetches.in", "fetches.out", "deliveries"];

/// Service, what it does, on which channels.
const OPERATIONS: &[(&str, Action, &[&str])] = &[
    ("ingress", Action::Send, &["inbox", "gateways", "dead-letters"]),
    (
        "ingress",
        Action::Receive,
        &["gateways", "registry.bots", "registry.connections"],
    ),
    ("context-builder", Action::Consume(INBOX_EVENTS), &["inbox"]),
    ("context-builder", Action::Consume(CONTEXT_EVENTS), &["contexts"]),
    ("context-builder", Action::Receive, &["registry.bots"]),
    (
        "context-builder",
        Action::Send,
        &["turns", "fetches.in", "dead-letters"],
    ),
    ("webhook-caller", Action::Consume(TURN_WORK), &["turns"]),
    (
        "webhook-caller",
        Action::Receive,
        &[
            "contexts",
            "progress.turn",
            "limits.rates",
            "limits.breakers",
            "registry.integrations",
            "registry.connections",
        ],
    ),
    (
        "webhook-caller",
        Action::Send,
        &[
            "contexts",
            "deliveries",
            "fetches.out",
            "progress.turn",
            "limits.rates",
            "limits.breakers",
            "dead-letters",
        ],
    ),
    (
        "attachment-fetcher",
        Action::Consume(FETCH_WORK),
        &["fetches.in", "fetches.out"],
    ),
    (
        "attachment-fetcher",
        Action::Receive,
        &[
            "inbox",
            "progress.fetch-in",
            "progress.fetch-out",
            "progress.files",
            "registry.connections",
        ],
    ),
    (
        "attachment-fetcher",
        Action::Send,
        &[
            "inbox",
            "progress.fetch-in",
            "progress.fetch-out",
            "progress.files",
            "dead-letters",
        ],
    ),
    ("egress", Action::Consume(DELIVERY_WORK), &["deliveries"]),
    (
        "egress",
        Action::Receive,
        &[
            "transcripts",
            "progress.delivery",
            "progress.files",
            "limits.connection-rates",
            "limits.chat-rates",
            "registry.connections",
        ],
    ),
    (
        "egress",
        Action::Send,
        &[
            "transcripts",
            "progress.delivery",
            "limits.connection-rates",
            "limits.chat-rates",
            "dead-letters",
        ],
    ),
    (
        "chatbot",
        Action::Send,
        &[
            "registry.bots",
            "registry.integrations",
            "registry.connections",
            "limits.breakers",
            "inbox",
            "turns",
            "fetches.in",
            "fetches.out",
            "deliveries",
        ],
    ),
    ("chatbot", Action::Receive, &["transcripts", "dead-letters"]),
    // A user of its own, as it alone removes what was said.
    (
        "forget",
        Action::Receive,
        &[
            "contexts",
            "turns",
            "inbox",
            "fetches.in",
            "fetches.out",
            "deliveries",
            "progress.turn",
            "progress.fetch-in",
            "progress.fetch-out",
            "progress.files",
            "progress.delivery",
            "dead-letters",
            "transcripts",
        ],
    ),
    ("forget", Action::Send, &["contexts"]),
    ("webhook-caller", Action::Answer, &[QUESTION]),
    ("webhook-caller", Action::Send, &[HINT]),
    ("egress", Action::Receive, &[HINT]),
    ("chatbot", Action::Ask, &[QUESTION]),
    ("console", Action::Ask, &[QUESTION]),
    ("console", Action::Receive, REGISTRY),
    (
        "console",
        Action::Receive,
        &[
            "transcripts",
            "dead-letters",
            "inbox",
            "contexts",
            "turns",
            "fetches.in",
            "fetches.out",
            "deliveries",
            "limits.breakers",
            "progress.links",
        ],
    ),
    ("console", Action::Send, REGISTRY),
    ("console", Action::Send, &["limits.breakers", "progress.links"]),
    ("console", Action::Send, REPLAYED),
];

/// All operations by name, as `egress.receive.deliveries`.
pub(super) fn all() -> Map<String, Value> {
    OPERATIONS
        .iter()
        .flat_map(|(service, action, channels)| {
            channels
                .iter()
                .map(|channel| operation(service, *action, channel))
        })
        .collect()
}

fn operation(service: &str, action: Action, channel: &str) -> (String, Value) {
    let (verb, name) = match action {
        Action::Send => ("send", "send"),
        Action::Receive => ("receive", "receive"),
        Action::Consume(_) => ("receive", "consume"),
        Action::Ask => ("send", "ask"),
        Action::Answer => ("receive", "answer"),
    };
    let mut operation = json!({
        "action": verb,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "tags": [{"name": service}],
    });
    match action {
        Action::Consume(consumer) => operation["x-jetstream"] = consumer_facts(&consumer),
        Action::Ask => operation["reply"] = reply(),
        Action::Answer => {
            operation["reply"] = reply();
            operation["bindings"] = json!({"nats": {"queue": service}});
        }
        Action::Send | Action::Receive => {}
    }
    (format!("{service}.{name}.{channel}"), operation)
}

fn reply() -> Value {
    json!({"channel": {"$ref": format!("#/channels/{ANSWER}")}})
}

fn consumer_facts(consumer: &ConsumerSpec) -> Value {
    json!({
        "stream": consumer.stream,
        "consumer": consumer.name,
        "durable": true,
        "pull": true,
        "ack_policy": "explicit",
        "ack_wait_seconds": consumer.ack_wait.as_secs(),
        "max_ack_pending": consumer.max_ack_pending,
        "max_deliver": -1,
        "headers_only": consumer.headers_only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access;
    use crate::asyncapi::channels;
    use crate::topology::{CONSUMERS, bucket_stream};

    #[test]
    fn every_channel_has_a_sender_and_a_receiver() {
        let operations = all();
        let named = channels::all();
        for channel in named.keys().filter(|name| *name != ANSWER) {
            for action in ["send", "receive"] {
                let reference = format!("#/channels/{channel}");
                let found = operations.values().any(|operation| {
                    operation["action"] == action && operation["channel"]["$ref"] == reference
                });
                assert!(found, "nobody has {action} on {channel}");
            }
        }
    }

    #[test]
    fn every_operation_is_on_a_channel_that_exists() {
        let channels = channels::all();
        for (_, _, names) in OPERATIONS {
            for name in *names {
                assert!(channels.contains_key(*name), "there is no channel {name}");
            }
        }
    }

    #[test]
    fn every_consumer_is_used_by_its_own_service_on_its_own_stream() {
        let channels = channels::all();
        for consumer in CONSUMERS {
            let uses: Vec<_> = OPERATIONS
                .iter()
                .filter(|(_, action, _)| matches!(action, Action::Consume(used) if *used == consumer))
                .collect();
            let [(service, _, names)] = uses[..] else {
                panic!("{consumer:?} is used {} times", uses.len())
            };
            assert_eq!(*service, consumer.name);
            for name in *names {
                let facts = &channels[*name]["x-jetstream"];
                let bucket = facts["bucket"].as_str().map(|bucket| format!("KV_{bucket}"));
                let stream = bucket.or(facts["stream"].as_str().map(str::to_owned)).unwrap();
                assert_eq!(stream, consumer.stream);
            }
        }
        assert_eq!(bucket_stream(&crate::topology::CONTEXTS), "KV_contexts");
    }

    /// The subjects of a channel, its variable tokens as wildcards.
    fn subjects_of(channels: &Map<String, Value>, name: &str, service: &str) -> String {
        let address = channels[name]["address"].as_str().unwrap();
        let tokens = address.split('.').map(|token| match token {
            // A dead letter names who gave up.
            "{stage}" => service,
            token if token.starts_with('{') => "*",
            token => token,
        });
        tokens.collect::<Vec<_>>().join(".")
    }

    fn covers(right: &str, subject: &str) -> bool {
        let (right, subject): (Vec<_>, Vec<_>) = (right.split('.').collect(), subject.split('.').collect());
        let mut pairs = right.iter().zip(&subject);
        right.len() == subject.len() && pairs.all(|(right, token)| *right == "*" || right == token)
    }

    #[test]
    fn what_a_service_may_send_is_what_it_sends() {
        let channels = channels::all();
        let sent: Vec<(&str, String)> = OPERATIONS
            .iter()
            .filter(|(_, action, _)| matches!(action, Action::Send | Action::Ask))
            .flat_map(|(service, _, names)| names.iter().map(move |name| (*service, *name)))
            .map(|(service, name)| (service, subjects_of(&channels, name, service)))
            .collect();
        for (service, subject) in &sent {
            let rights = access::user(service).unwrap().sends;
            assert!(
                rights.iter().any(|right| covers(right, subject)),
                "{service} may not send {subject}"
            );
        }
        for user in &access::USERS {
            for right in user.sends {
                let used = sent
                    .iter()
                    .any(|(service, subject)| *service == user.name && covers(right, subject));
                assert!(used, "{} sends no {right}", user.name);
            }
        }
    }
}
