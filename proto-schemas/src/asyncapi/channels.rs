//! The channels: one for each subject of a stream and each family of keys in a bucket.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::integration_test::{IntegrationTest, IntegrationTestReport};
use crate::topology::{
    BucketSpec, CONTEXTS, GATEWAYS, LIMITS, PROGRESS, REGISTRY, Retention, STREAMS, StreamSpec,
};
use crate::typing::Typing;
use crate::wire::Wire;

/// A family of keys in a bucket.
pub(super) struct Keys {
    pub(super) channel: &'static str,
    pub(super) bucket: BucketSpec,
    /// The key, its variable tokens in braces.
    pub(super) key: &'static str,
    pub(super) carries: &'static str,
    pub(super) about: &'static str,
}

/// What the pipeline keeps.
const STATE: [Keys; 12] = [
    Keys {
        channel: "contexts",
        bucket: CONTEXTS,
        key: "{conversation}",
        carries: "context.v1",
        about: "What has been said in a conversation. Each new revision may make its next message due.",
    },
    Keys {
        channel: "progress.turn",
        bucket: PROGRESS,
        key: "turn.{turn}",
        carries: "turn-progress.v1",
        about: "The failed attempts of a turn.",
    },
    Keys {
        channel: "progress.delivery",
        bucket: PROGRESS,
        key: "delivery.{turn}.{replay}",
        carries: "delivery-progress.v1",
        about: "The parts of a delivery that the platform has taken.",
    },
    Keys {
        channel: "progress.fetch-in",
        bucket: PROGRESS,
        key: "fetch.in.{message}",
        carries: "fetch-progress.v1",
        about: "The files of a user's message that are stored.",
    },
    Keys {
        channel: "progress.fetch-out",
        bucket: PROGRESS,
        key: "fetch.out.{turn}",
        carries: "fetch-progress.v1",
        about: "The files of a reply that are stored.",
    },
    Keys {
        channel: "progress.files",
        bucket: PROGRESS,
        key: "files.{turn}",
        carries: "files-progress.v1",
        about: "What became of a reply's files.",
    },
    Keys {
        channel: "progress.links",
        bucket: PROGRESS,
        key: "links.{link}",
        carries: "used-link.v1",
        about: "A login link of the console that was used, so that nobody uses it again.",
    },
    Keys {
        channel: "limits.rates",
        bucket: LIMITS,
        key: "rates.integrations.{integration}",
        carries: "rate-limit.v1",
        about: "How far the rate of an integration is used up. Each write takes a lease of some calls.",
    },
    Keys {
        channel: "limits.connection-rates",
        bucket: LIMITS,
        key: "rates.connections.{connection}",
        carries: "rate-limit.v1",
        about: "How far the rate of a connection is used up: what its platform lets one account send.",
    },
    Keys {
        channel: "limits.chat-rates",
        bucket: LIMITS,
        key: "rates.chats.{connection}.{chat}",
        carries: "rate-limit.v1",
        about: "How far the rate of one chat is used up: what its platform lets one account send there.",
    },
    Keys {
        channel: "limits.breakers",
        bucket: LIMITS,
        key: "breakers.integrations.{integration}",
        carries: "circuit-breaker.v1",
        about: "Whether an integration's webhook is asked, as one replica found and all keep to.",
    },
    Keys {
        channel: "gateways",
        bucket: GATEWAYS,
        key: "{connection}",
        carries: "gateway-lease.v1",
        about: "Which replica of ingress reads a connection's Gateway, and how far it has read.",
    },
];

/// What the operator configures.
pub(super) const CONFIGURATION: [Keys; 3] = [
    Keys {
        channel: "registry.bots",
        bucket: REGISTRY,
        key: "bots.{bot}",
        carries: "bot.v1",
        about: "A bot.",
    },
    Keys {
        channel: "registry.integrations",
        bucket: REGISTRY,
        key: "integrations.{integration}",
        carries: "integration.v1",
        about: "A webhook.",
    },
    Keys {
        channel: "registry.connections",
        bucket: REGISTRY,
        key: "connections.{connection}",
        carries: "connection.v1",
        about: "An account of a channel.",
    },
];

/// What is asked and answered by request-reply, past all streams: the question's channel and the answer's.
pub(super) const QUESTION: &str = "integration-tests";
/// The answer goes to the address that the question names.
pub(super) const ANSWER: &str = "integration-tests.report";

/// A hint, past all streams as well.
pub(super) const HINT: &str = "typing";

/// All channels by name.
pub(super) fn all() -> Map<String, Value> {
    let streams = STREAMS.iter().flat_map(|stream| {
        stream
            .subjects
            .iter()
            .map(|subject| stream_channel(stream, subject))
    });
    let buckets = STATE.iter().chain(&CONFIGURATION).map(bucket_channel);
    streams.chain(buckets).chain(past_the_streams()).collect()
}

fn past_the_streams() -> [(String, Value); 3] {
    let question = unstored(
        json!("integration-tests.{integration}"),
        "Test Integration: one call of a webhook on an operator's word. Nothing of it is stored.",
        json!({"integration": {"description": parameter_text("integration")}}),
        IntegrationTest::TYPE,
    );
    let answer = unstored(
        Value::Null,
        "What came of the test, sent to the address that the request asks for.",
        json!({}),
        IntegrationTestReport::TYPE,
    );
    let hint = unstored(
        json!("typing.{conversation}"),
        "The bot works on an answer, and the chat may show it. Nothing of it is stored, and a lost one does no harm.",
        json!({"conversation": {"description": parameter_text("conversation")}}),
        Typing::TYPE,
    );
    [
        (QUESTION.to_owned(), question),
        (ANSWER.to_owned(), answer),
        (HINT.to_owned(), hint),
    ]
}

fn unstored(address: Value, about: &str, parameters: Value, carries: &str) -> Value {
    json!({
        "address": address,
        "description": about,
        "parameters": parameters,
        "messages": messages(carries),
    })
}

fn messages(carries: &str) -> Value {
    json!({carries: {"$ref": format!("#/components/messages/{carries}")}})
}

/// The channel of a stream's subject: `inbox.*` is `inbox`, `fetches.in.*` is `fetches.in`.
fn stream_channel(stream: &StreamSpec, subject: &str) -> (String, Value) {
    let name = subject.trim_end_matches(".*");
    let mut parameters = parameters_of(name).iter();
    let address: Vec<String> = subject
        .split('.')
        .map(|token| match token {
            "*" => format!(
                "{{{}}}",
                parameters.next().expect("every variable token has a name")
            ),
            fixed => fixed.to_owned(),
        })
        .collect();
    (
        name.to_owned(),
        channel(
            &address.join("."),
            stream.about,
            stream.carries,
            stream_facts(stream),
        ),
    )
}

/// What the variable tokens of a stream's subjects are.
fn parameters_of(channel: &str) -> &'static [&'static str] {
    match channel {
        "fetches.in" => &["message"],
        "fetches.out" => &["turn"],
        "dead-letters" => &["stage", "class", "id"],
        _ => &["conversation"],
    }
}

fn bucket_channel(keys: &Keys) -> (String, Value) {
    let address = format!("$KV.{}.{}", keys.bucket.name, keys.key);
    (
        keys.channel.to_owned(),
        channel(&address, keys.about, keys.carries, bucket_facts(&keys.bucket)),
    )
}

fn channel(address: &str, about: &str, carries: &str, facts: Value) -> Value {
    let parameters: Map<String, Value> = variables(address)
        .map(|name| (name.to_owned(), json!({"description": parameter_text(name)})))
        .collect();
    json!({
        "address": address,
        "description": about,
        "parameters": parameters,
        "messages": messages(carries),
        "x-jetstream": facts,
    })
}

fn variables(address: &str) -> impl Iterator<Item = &str> {
    address
        .split('.')
        .filter_map(|token| token.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter_text(name: &str) -> &'static str {
    match name {
        "conversation" => "The conversation's identifier.",
        "message" => "The identifier of the message whose files are fetched.",
        "turn" => "The turn's identifier.",
        "link" => "The random name in a login link.",
        "replay" => "How often an operator has sent it again; 0 for the pipeline's own.",
        "stage" => "The service that gave up.",
        "class" => "The class of the cause, one token.",
        "id" => "The dead letter's identifier.",
        "bot" => "The bot's identifier.",
        "integration" => "The integration's identifier.",
        "connection" => "The connection's identifier.",
        "chat" => "The chat's identifier, its bytes in hexadecimal.",
        _ => "An identifier.",
    }
}

fn stream_facts(stream: &StreamSpec) -> Value {
    let retention = match stream.retention {
        Retention::Limits => json!({"retention": "limits"}),
        Retention::Slots => json!({
            "retention": "workqueue",
            "discard": "new",
            "discard_new_per_subject": true,
        }),
    };
    let mut facts = json!({"stream": stream.name});
    merge(&mut facts, retention);
    insert(&mut facts, "max_msgs_per_subject", stream.max_per_subject);
    insert(
        &mut facts,
        "max_age_seconds",
        stream.max_age.map(|age| age.as_secs()),
    );
    insert(&mut facts, "max_bytes", stream.max_bytes);
    facts
}

fn bucket_facts(bucket: &BucketSpec) -> Value {
    let mut facts = json!({"bucket": bucket.name, "about": bucket.about, "history": bucket.history});
    insert(
        &mut facts,
        "ttl_seconds",
        bucket.ttl.as_ref().map(Duration::as_secs),
    );
    insert(&mut facts, "storage", bucket.in_memory.then_some("memory"));
    facts
}

fn merge(target: &mut Value, more: Value) {
    if let (Some(target), Value::Object(more)) = (target.as_object_mut(), more) {
        target.extend(more);
    }
}

fn insert(target: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        target[name] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::BUCKETS;

    #[test]
    fn every_variable_token_is_explained() {
        for (name, channel) in all().into_iter().filter(|(name, _)| name != ANSWER) {
            let parameters = channel["parameters"].as_object().unwrap();
            assert!(!parameters.is_empty(), "{name} has no variable token");
            for (parameter, text) in parameters {
                assert_ne!(text["description"], "An identifier.", "{parameter} of {name}");
            }
        }
    }

    #[test]
    fn every_bucket_has_a_channel() {
        for bucket in BUCKETS {
            let found = all()
                .values()
                .any(|channel| channel["x-jetstream"]["bucket"] == bucket.name);
            assert!(found, "{} has no channel", bucket.name);
        }
    }

    #[test]
    fn addresses_are_what_the_subject_functions_write() {
        let conversation = crate::ids::ConversationId::new("conv_1").unwrap();
        let turn = crate::ids::TurnId::new("turn_1").unwrap();
        let message = crate::ids::MessageId::new("msg_1").unwrap();
        let integration = crate::ids::IntegrationId::new("int_1").unwrap();
        let connection = crate::ids::ConnectionId::new("con_1").unwrap();
        let letter = crate::ids::DeadLetterId::new("dl_1").unwrap();
        let stage = crate::dead_letter::Stage::Egress;
        let written = [
            ("inbox", crate::subjects::inbox(&conversation)),
            ("turns", crate::subjects::turn(&conversation)),
            ("fetches.in", crate::subjects::fetch_in(&message)),
            ("fetches.out", crate::subjects::fetch_out(&turn)),
            ("deliveries", crate::subjects::delivery(&conversation)),
            ("transcripts", crate::subjects::transcript(&conversation)),
            (
                "dead-letters",
                crate::subjects::dead_letter(stage, "timeout", &letter),
            ),
            (
                "contexts",
                crate::subjects::key("contexts", conversation.as_str()),
            ),
            (
                "progress.turn",
                crate::subjects::key("progress", &crate::subjects::turn_progress(&turn)),
            ),
            (
                "progress.delivery",
                crate::subjects::key("progress", &crate::subjects::delivery_progress(&turn, 0)),
            ),
            (
                "progress.files",
                crate::subjects::key("progress", &crate::subjects::files_progress(&turn)),
            ),
            (
                "progress.links",
                crate::subjects::key("progress", &crate::subjects::used_link("x")),
            ),
            (
                "limits.rates",
                crate::subjects::key("limits", &crate::subjects::integration_rate(&integration)),
            ),
            (
                "limits.breakers",
                crate::subjects::key("limits", &crate::subjects::integration_breaker(&integration)),
            ),
            (
                "limits.connection-rates",
                crate::subjects::key("limits", &crate::subjects::connection_rate(&connection)),
            ),
            (
                "limits.chat-rates",
                crate::subjects::key("limits", &crate::subjects::chat_rate(&connection, "-100")),
            ),
            (QUESTION, crate::subjects::integration_test(&integration)),
            (HINT, crate::subjects::typing(&conversation)),
        ];
        let channels = all();
        for (name, subject) in written {
            let address = channels[name]["address"].as_str().unwrap();
            assert!(fits(address, &subject), "{subject} is not on {address}");
        }
    }

    fn fits(address: &str, subject: &str) -> bool {
        let (address, subject): (Vec<_>, Vec<_>) =
            (address.split('.').collect(), subject.split('.').collect());
        address.len() == subject.len()
            && address
                .iter()
                .zip(&subject)
                .all(|(pattern, token)| pattern.starts_with('{') || pattern == token)
    }
}
