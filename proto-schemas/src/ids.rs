//! Identifiers. Each is one token of a NATS subject: letters, digits, `_` and `-` only.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest identifier, in bytes. Keeps subjects far below the server's limit of 4 KiB.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an identifier: 1 to {MAX_ID_BYTES} of a-z, A-Z, 0-9, '_' and '-'")]
pub struct InvalidId {
    text: String,
}

fn check(text: &str) -> Result<(), InvalidId> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !text.is_empty() && text.len() <= MAX_ID_BYTES && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(InvalidId {
        text: text.chars().take(MAX_ID_BYTES).collect(),
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text as an identifier.
            ///
            /// # Errors
            /// [`InvalidId`] when it holds anything but letters, digits, `_` and `-`, or is too long.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The identifier as it stands in subjects and payloads.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // By hand: the derived one would copy the text first, and a turn writes some hundred identifiers.
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(/// A bot, as named in the configuration.
    BotId);
id!(/// A webhook, as named in the configuration.
    IntegrationId);
id!(/// One account of one channel, as named in the configuration.
    ConnectionId);
id!(/// A conversation: derived from connection, chat, thread and (where the bot wants it) user.
    ConversationId);
id!(/// A user's message: derived from conversation and the platform's identity of the message. It starts with
    /// its conversation's identifier, so that the conversation can be found from it.
    MessageId);
id!(/// A question to the webhook and its answer: derived from the first message it answers.
    TurnId);
id!(/// A dead letter: derived from the work that was given up.
    DeadLetterId);

impl MessageId {
    /// Builds the identifier of a message of `conversation` from the token that tells it from the others.
    ///
    /// # Errors
    /// [`InvalidId`] as for [`MessageId::new`].
    pub fn in_conversation(conversation: &ConversationId, token: &str) -> Result<Self, InvalidId> {
        Self::new(format!("msg_{}_{token}", conversation.token()))
    }

    /// The conversation that the message belongs to, read back from the identifier itself.
    pub fn conversation(&self) -> Option<ConversationId> {
        let (token, _) = self.0.strip_prefix("msg_")?.split_once('_')?;
        ConversationId::new(format!("conv_{token}")).ok()
    }
}

impl ConversationId {
    /// The part behind `conv_`.
    fn token(&self) -> &str {
        self.0.strip_prefix("conv_").unwrap_or(&self.0)
    }
}

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The moment in whole seconds since 1970.
    pub fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: UnixMillis) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A moment of the broker's clock, in microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
pub struct BrokerMicros(pub u64);

impl BrokerMicros {
    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: BrokerMicros) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment after this time has passed.
    #[must_use]
    pub fn after(self, time: std::time::Duration) -> Self {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_wildcards_and_separators_are_refused() {
        for bad in [
            "",
            "a.b",
            "a b",
            "*",
            ">",
            "é",
            "a/b",
            &"x".repeat(MAX_ID_BYTES + 1),
        ] {
            assert!(BotId::new(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(BotId::new("support-bot_2").unwrap().as_str(), "support-bot_2");
    }

    #[test]
    fn decoding_checks_the_same_rule() {
        assert!(serde_json::from_str::<BotId>("\"a.b\"").is_err());
        assert!(serde_json::from_str::<BotId>("\"a-b\"").is_ok());
    }

    #[test]
    fn message_id_leads_back_to_its_conversation() {
        let conversation = ConversationId::new("conv_abc").unwrap();
        let message = MessageId::in_conversation(&conversation, "t1").unwrap();
        assert_eq!(message.as_str(), "msg_abc_t1");
        assert_eq!(message.conversation(), Some(conversation));
        assert_eq!(MessageId::new("other").unwrap().conversation(), None);
    }
}
