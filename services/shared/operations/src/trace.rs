//! What became of a message, read from what the pipeline keeps: by literal subjects what its conversation has, and among
//! the dead letters since it arrived, up to a number, those that name it. A page of entries is held at a time.

mod step;

use std::fmt;

use bus::{Bus, BusError, Entry, TraceContext};
use proto_schemas::content::ChannelKind;
use proto_schemas::context::Context;
use proto_schemas::dead_letter::Stage;
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, MessageId, UnixMillis};
use proto_schemas::inbox::{Attached, InboxEntry, Received};
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, DELIVERIES, INBOX, TRANSCRIPTS, TURNS};
use proto_schemas::transcript::Transcript;
use proto_schemas::turn::Turn;
use proto_schemas::wire::TRACEPARENT;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dead_letters::{self, Summary};
pub use step::{Step, StepEvent};

/// The story of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The bot that it was for.
    pub bot: BotId,
    /// The connection that it came through.
    pub connection: ConnectionId,
    /// The kind of that connection.
    pub channel: ChannelKind,
    /// When ingress took it.
    pub accepted_at: UnixMillis,
    /// Whether a turn that answers it is finished.
    pub is_finished: bool,
    /// What was asked; may be empty when there were files.
    pub question: String,
    /// What went to the chat, at last; absent while nothing is committed, or nothing was to be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// What happened, in the order of the stages; what was given up last.
    pub steps: Vec<Step>,
    /// Whether dead letters were left out, mostly as there were too many to look at all: more may tell of it.
    #[serde(default)]
    pub may_have_more_dead_letters: bool,
}

/// A line for each step, and one when not all dead letters were looked at; times count from when ingress took the message.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { stage, at, event } in &self.steps {
            match at {
                Some(at) => write!(f, "{:>8} ms", at.since(self.accepted_at).as_millis())?,
                None => write!(f, "{:>11}", "")?,
            }
            let stage = stage.map_or("now", Stage::as_str);
            writeln!(f, "  {stage:<18}  {event}")?;
        }
        if self.may_have_more_dead_letters {
            writeln!(f, "Not all dead letters were looked at: more may tell of it.")?;
        }
        Ok(())
    }
}

/// The story of a message; none when the inbox has no such message: it is unknown, or older than the inbox keeps.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn of(bus: &Bus, message: &MessageId) -> Result<Option<Trace>, BusError> {
    let Some((mut trace, stored_at)) = told(bus, message).await? else {
        return Ok(None);
    };
    let found = dead_letters::about(bus, message.as_str(), stored_at).await?;
    trace.steps.extend(found.letters.into_iter().map(given_up));
    trace.may_have_more_dead_letters = found.may_have_more;
    Ok(Some(trace))
}

/// The same without the dead letters, none of which is looked at: for who asks again and again.
///
/// # Errors
/// As for [`of`].
pub async fn so_far(bus: &Bus, message: &MessageId) -> Result<Option<Trace>, BusError> {
    Ok(told(bus, message).await?.map(|(trace, _)| trace))
}

/// What its conversation tells of it, and when its first entry was stored, by the broker's clock.
async fn told(bus: &Bus, message: &MessageId) -> Result<Option<(Trace, UnixMillis)>, BusError> {
    let Some(conversation) = message.conversation() else {
        return Ok(None);
    };
    let Some((mut trace, stored_at)) = inbox(bus, &conversation, message).await? else {
        return Ok(None);
    };
    turns(bus, &mut trace).await?;
    if !trace.is_finished {
        let step = whereabouts(bus, &trace).await?;
        note(&mut trace, step);
    }
    Ok(Some((trace, stored_at)))
}

/// What the inbox has of it, and when its first entry was stored, by the broker's clock.
async fn inbox(
    bus: &Bus,
    conversation: &ConversationId,
    message: &MessageId,
) -> Result<Option<(Trace, UnixMillis)>, BusError> {
    let mut found = None;
    let subject = subjects::inbox(conversation);
    bus.each(INBOX.name, &subject, 1, |entry| {
        let decoded = entry.decode::<InboxEntry>().ok();
        if let Some(decoded) = decoded.filter(|decoded| decoded.message_id() == message) {
            arrived(&mut found, decoded, &entry);
        }
    })
    .await?;
    Ok(found)
}

/// Adds what an entry of its inbox tells.
fn arrived(found: &mut Option<(Trace, UnixMillis)>, decoded: InboxEntry, entry: &Entry) {
    match decoded {
        InboxEntry::Received(received) | InboxEntry::Reset(received) => {
            let step = accepted(&received, entry);
            let stored_at = entry.stored_millis().unwrap_or_default();
            let (trace, _) = found.get_or_insert_with(|| (begun(received), stored_at));
            trace.steps.push(step);
        }
        InboxEntry::Attached(attached) => {
            if let Some((trace, _)) = found {
                trace.steps.push(attached_at(&attached, entry));
            }
        }
    }
}

fn begun(received: Received) -> Trace {
    Trace {
        message: received.message_id,
        conversation: received.conversation,
        bot: received.bot,
        connection: received.connection,
        channel: received.channel,
        accepted_at: received.accepted_at,
        is_finished: false,
        question: received.text,
        reply: None,
        steps: Vec::new(),
        may_have_more_dead_letters: true,
    }
}

fn accepted(received: &Received, entry: &Entry) -> Step {
    let event = StepEvent::Accepted {
        sequence: entry.sequence,
        connection: received.connection.clone(),
        channel: received.channel,
        trace_id: trace_id(entry),
    };
    Step::new(Stage::Ingress, received.accepted_at, event)
}

/// Without a time of its own: the entry has that of the broker's clock only, which the others do not count by.
fn attached_at(attached: &Attached, entry: &Entry) -> Step {
    Step {
        stage: Some(Stage::AttachmentFetcher),
        at: None,
        event: StepEvent::FilesBroughtIn {
            files: attached.files.len(),
            stored_at: entry.stored_at.clone(),
        },
    }
}

/// The finished turns that answer it: more than one when a reply was sent again.
async fn turns(bus: &Bus, trace: &mut Trace) -> Result<(), BusError> {
    let subject = subjects::transcript(&trace.conversation);
    bus.each(TRANSCRIPTS.name, &subject, 1, |entry| {
        let transcript = entry.decode::<Transcript>().ok();
        if let Some(transcript) = transcript.filter(|transcript| transcript.answers.contains(&trace.message))
        {
            trace.is_finished = true;
            for step in finished(transcript, trace_id(&entry)) {
                note(trace, step);
            }
        }
    })
    .await
}

fn finished(transcript: Transcript, trace_id: Option<String>) -> [Step; 3] {
    let conclusion = transcript.conclusion;
    let built = StepEvent::Built {
        turn: conclusion.turn,
    };
    let asked = StepEvent::Asked {
        integration: conclusion.integration,
        arm: conclusion.arm,
        attempts: conclusion.attempts,
        webhook_millis: conclusion.webhook_millis,
        result: conclusion.result,
    };
    let sent = StepEvent::Concluded {
        receipt: transcript.receipt,
        replay: transcript.replay,
        trace_id,
    };
    [
        Step::new(Stage::ContextBuilder, transcript.built_at, built),
        Step::new(Stage::WebhookCaller, conclusion.committed_at, asked),
        Step::new(Stage::Egress, transcript.concluded_at, sent),
    ]
}

/// Where an unfinished message is.
async fn whereabouts(bus: &Bus, trace: &Trace) -> Result<Step, BusError> {
    let (conversation, message) = (&trace.conversation, &trace.message);
    let in_slot = bus
        .last(DELIVERIES.name, &subjects::delivery(conversation))
        .await?;
    if let Some(delivery) = in_slot.and_then(|entry| entry.decode::<Delivery>().ok())
        && delivery.answers.contains(message)
    {
        let conclusion = delivery.conclusion;
        let event = StepEvent::OnItsWayOut {
            result: conclusion.result,
        };
        return Ok(Step::new(Stage::WebhookCaller, conclusion.committed_at, event));
    }
    let in_slot = bus.last(TURNS.name, &subjects::turn(conversation)).await?;
    if let Some(turn) = in_slot.and_then(|entry| entry.decode::<Turn>().ok())
        && turn.answers.contains(message)
    {
        let event = StepEvent::BeingAsked { turn: turn.id };
        return Ok(Step::new(Stage::ContextBuilder, turn.built_at, event));
    }
    let context = bus.get::<Context>(&CONTEXTS, conversation.as_str()).await?;
    let answered = context.is_some_and(|context| context.record.answered.contains(message));
    Ok(Step {
        stage: None,
        at: None,
        event: if answered {
            StepEvent::Committed
        } else {
            StepEvent::Waits
        },
    })
}

/// Adds a step, and the reply that it tells of.
fn note(trace: &mut Trace, step: Step) {
    let text = step.event.reply().filter(|text| !text.is_empty());
    if let Some(text) = text {
        trace.reply = Some(text.to_owned());
    }
    trace.steps.push(step);
}

fn given_up(letter: Summary) -> Step {
    let event = StepEvent::GaveUp {
        dead_letter: letter.id,
        class: letter.class,
        cause: letter.cause,
    };
    Step::new(letter.stage, letter.buried_at, event)
}

fn trace_id(entry: &Entry) -> Option<String> {
    let trace = entry.header(TRACEPARENT).and_then(TraceContext::parse);
    trace.map(TraceContext::trace_id)
}
