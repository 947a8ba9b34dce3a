//! The steps of a message's story, and how they are told.

use std::fmt;

use proto_schemas::content::ChannelKind;
use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::{ConnectionId, DeadLetterId, IntegrationId, TurnId, UnixMillis};
use proto_schemas::transcript::Receipt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many characters of a reply are shown in a step.
const SHOWN_CHARS: usize = 60;

/// Something that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TraceStep")]
pub struct Step {
    /// Who did it; absent for where the message is just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// When, by the clock of that stage; absent where nothing tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixMillis>,
    /// What.
    #[serde(flatten)]
    pub event: StepEvent,
}

/// What happened to a message. Shown as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[schemars(rename = "TraceEvent")]
pub enum StepEvent {
    /// It was taken in.
    Accepted {
        /// Its sequence in the inbox.
        sequence: u64,
        /// The connection that it came through.
        connection: ConnectionId,
        /// The kind of that connection.
        channel: ChannelKind,
        /// The trace that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace_id: Option<String>,
    },
    /// Its files were brought in, or it was found that they cannot be.
    FilesBroughtIn {
        /// How many.
        files: usize,
        /// When that was stored, in RFC 3339, by the broker's clock.
        stored_at: String,
    },
    /// A turn that answers it was built, and is finished.
    Built {
        /// The turn.
        turn: TurnId,
    },
    /// A turn that answers it is in its conversation's slot.
    BeingAsked {
        /// The turn.
        turn: TurnId,
    },
    /// The turn came to its end.
    Asked {
        /// The integration that answered, or was asked last; absent when no webhook was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        integration: Option<IntegrationId>,
        /// The arm of the bot's split that the turn counts for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arm: Option<IntegrationId>,
        /// How many HTTP calls it took.
        attempts: u32,
        /// How long the last call took, in milliseconds.
        webhook_millis: u64,
        /// What was committed.
        result: TurnResult,
    },
    /// Its reply is in its conversation's slot for deliveries.
    OnItsWayOut {
        /// What was committed.
        result: TurnResult,
    },
    /// Its outcome is committed, and nothing was published of it yet.
    Committed,
    /// It waits in the inbox.
    Waits,
    /// The reply left.
    Concluded {
        /// What became of it.
        receipt: Receipt,
        /// How often an operator had sent it again.
        replay: u32,
        /// The trace that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace_id: Option<String>,
    },
    /// Work about it was given up.
    GaveUp {
        /// The dead letter.
        dead_letter: DeadLetterId,
        /// The class of the cause.
        class: String,
        /// The cause in words.
        cause: String,
    },
}

impl Step {
    pub(super) fn new(stage: Stage, at: UnixMillis, event: StepEvent) -> Self {
        Self {
            stage: Some(stage),
            at: Some(at),
            event,
        }
    }
}

impl StepEvent {
    /// The text that goes to the chat, where the step tells of one.
    pub(super) fn reply(&self) -> Option<&str> {
        match self {
            Self::Asked { result, .. } | Self::OnItsWayOut { result } => Some(result.text()),
            Self::Accepted { .. }
            | Self::FilesBroughtIn { .. }
            | Self::Built { .. }
            | Self::BeingAsked { .. }
            | Self::Committed
            | Self::Waits
            | Self::Concluded { .. }
            | Self::GaveUp { .. } => None,
        }
    }
}

impl fmt::Display for StepEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted {
                sequence,
                connection,
                channel,
                trace_id,
            } => {
                let (channel, trace) = (channel.as_str(), known(trace_id));
                write!(
                    f,
                    "accepted as inbox entry {sequence} through {connection} ({channel}), trace {trace}"
                )
            }
            Self::FilesBroughtIn { files, stored_at } => write!(f, "{files} files brought in at {stored_at}"),
            Self::Built { turn } => write!(f, "built {turn}"),
            Self::BeingAsked { turn } => write!(f, "built {turn}; the webhook is being asked"),
            Self::Asked { result, .. } => {
                self.write_asked(f)?;
                write!(f, "; committed: {}", shown(result))
            }
            Self::OnItsWayOut { result } => write!(f, "committed ({}), on its way out", shown(result)),
            Self::Committed => f.write_str("committed; its delivery is to be published"),
            Self::Waits => f.write_str("waits for its turn"),
            Self::Concluded {
                receipt,
                replay,
                trace_id,
            } => {
                write_receipt(f, receipt)?;
                if *replay > 0 {
                    write!(f, " (replay {replay})")?;
                }
                write!(f, ", trace {}", known(trace_id))
            }
            Self::GaveUp {
                dead_letter,
                class,
                cause,
            } => write!(f, "gave up ({class}): {cause}; dead letter {dead_letter}"),
        }
    }
}

impl StepEvent {
    fn write_asked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Asked {
            integration: Some(integration),
            arm,
            attempts,
            webhook_millis,
            ..
        } = self
        else {
            return f.write_str("no webhook was asked");
        };
        write!(f, "asked {integration}")?;
        if let Some(arm) = arm {
            write!(f, " (arm {arm})")?;
        }
        write!(f, ", {attempts} attempts, the last took {webhook_millis} ms")
    }
}

fn write_receipt(f: &mut fmt::Formatter<'_>, receipt: &Receipt) -> fmt::Result {
    match receipt {
        Receipt::Sent { platform_message_ids } => write!(f, "sent as {}", platform_message_ids.join(", ")),
        Receipt::Nothing => f.write_str("nothing to send"),
        Receipt::Undeliverable { class } => write!(f, "undeliverable: {class}"),
    }
}

fn shown(result: &TurnResult) -> String {
    let text: String = result.text().chars().take(SHOWN_CHARS).collect();
    format!("{} {text:?}", result.as_str())
}

fn known(trace_id: &Option<String>) -> &str {
    trace_id.as_deref().unwrap_or("unknown")
}
