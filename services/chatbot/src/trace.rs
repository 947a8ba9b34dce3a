//! `chatbot trace`: what became of a message, read by literal subjects from what the pipeline keeps.

use std::fmt::Write as _;

use bus::{Bus, Entry, TraceContext};
use operations::dead_letters;
use proto_schemas::context::{Context, TurnResult};
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::{ConversationId, IntegrationId, MessageId, UnixMillis};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, DELIVERIES, INBOX, TRANSCRIPTS, TURNS};
use proto_schemas::transcript::{Receipt, Transcript};
use proto_schemas::turn::Turn;
use proto_schemas::wire::TRACEPARENT;

use crate::Failure;

/// The story of a message, a line per step; times count from when ingress took it.
pub(crate) async fn of(bus: &Bus, message: &str) -> Result<String, Failure> {
    let message = MessageId::new(message).map_err(Failure::new)?;
    let conversation = message
        .conversation()
        .ok_or_else(|| Failure(format!("{message} is not a message of this platform")))?;
    let mut story = String::new();
    let accepted_at = inbox(bus, &conversation, &message, &mut story).await?;
    let Some(accepted_at) = accepted_at else {
        return Err(Failure(format!(
            "{message} is not in the inbox: unknown, or older than it keeps"
        )));
    };
    let finished = transcript(bus, &conversation, &message, accepted_at, &mut story).await?;
    if !finished {
        whereabouts(bus, &conversation, &message, accepted_at, &mut story).await?;
    }
    for letter in dead_letters::about(bus, message.as_str())
        .await
        .map_err(Failure::new)?
    {
        line(
            &mut story,
            accepted_at,
            letter.buried_at,
            letter.stage.as_str(),
            &format!(
                "gave up ({}): {}; dead letter {}",
                letter.class, letter.cause, letter.id
            ),
        );
    }
    Ok(story)
}

async fn inbox(
    bus: &Bus,
    conversation: &ConversationId,
    message: &MessageId,
    story: &mut String,
) -> Result<Option<UnixMillis>, Failure> {
    let mut accepted_at = None;
    for entry in all(bus, INBOX.name, &subjects::inbox(conversation)).await? {
        let Ok(decoded) = entry.decode::<InboxEntry>() else {
            continue;
        };
        if decoded.message_id() != message {
            continue;
        }
        match decoded {
            InboxEntry::Received(received) | InboxEntry::Reset(received) => {
                let origin = accepted_at.get_or_insert(received.accepted_at);
                let text = format!(
                    "accepted as inbox entry {} through {} ({}), trace {}",
                    entry.sequence,
                    received.connection,
                    received.channel.as_str(),
                    trace_id(&entry)
                );
                line(story, *origin, received.accepted_at, "ingress", &text);
            }
            InboxEntry::Attached(attached) => {
                let text = format!("{} files brought in at {}", attached.files.len(), entry.stored_at);
                line_without_time(story, "attachment-fetcher", &text);
            }
        }
    }
    Ok(accepted_at)
}

async fn transcript(
    bus: &Bus,
    conversation: &ConversationId,
    message: &MessageId,
    origin: UnixMillis,
    story: &mut String,
) -> Result<bool, Failure> {
    let mut found = false;
    for entry in all(bus, TRANSCRIPTS.name, &subjects::transcript(conversation)).await? {
        let Ok(transcript) = entry.decode::<Transcript>() else {
            continue;
        };
        if transcript.answers.contains(message) {
            found = true;
            finished(&transcript, &trace_id(&entry), origin, story);
        }
    }
    Ok(found)
}

fn finished(transcript: &Transcript, trace: &str, origin: UnixMillis, story: &mut String) {
    let conclusion = &transcript.conclusion;
    line(
        story,
        origin,
        transcript.built_at,
        "context-builder",
        &format!("built {}", conclusion.turn),
    );
    let asked = conclusion.integration.as_ref().map_or_else(
        || "no webhook was asked".to_owned(),
        |integration| {
            format!(
                "asked {integration}{}, {} attempts, the last took {} ms",
                of_arm(conclusion.arm.as_ref()),
                conclusion.attempts,
                conclusion.webhook_millis
            )
        },
    );
    let text = format!("{asked}; committed: {}", result(&conclusion.result));
    line(story, origin, conclusion.committed_at, "webhook-caller", &text);
    let receipt = match &transcript.receipt {
        Receipt::Sent { platform_message_ids } => format!("sent as {}", platform_message_ids.join(", ")),
        Receipt::Nothing => "nothing to send".to_owned(),
        Receipt::Undeliverable { class } => format!("undeliverable: {class}"),
    };
    let replay = if transcript.replay > 0 {
        format!(" (replay {})", transcript.replay)
    } else {
        String::new()
    };
    let text = format!("{receipt}{replay}, trace {trace}");
    line(story, origin, transcript.concluded_at, "egress", &text);
}

/// Where an unfinished message is.
async fn whereabouts(
    bus: &Bus,
    conversation: &ConversationId,
    message: &MessageId,
    origin: UnixMillis,
    story: &mut String,
) -> Result<(), Failure> {
    let in_slot = bus
        .last(DELIVERIES.name, &subjects::delivery(conversation))
        .await
        .map_err(Failure::new)?;
    if let Some(delivery) = in_slot.and_then(|entry| entry.decode::<Delivery>().ok())
        && delivery.answers.contains(message)
    {
        let text = format!(
            "committed ({}), on its way out",
            result(&delivery.conclusion.result)
        );
        line(
            story,
            origin,
            delivery.conclusion.committed_at,
            "webhook-caller",
            &text,
        );
        return Ok(());
    }
    let in_slot = bus
        .last(TURNS.name, &subjects::turn(conversation))
        .await
        .map_err(Failure::new)?;
    if let Some(turn) = in_slot.and_then(|entry| entry.decode::<Turn>().ok())
        && turn.answers.contains(message)
    {
        line(
            story,
            origin,
            turn.built_at,
            "context-builder",
            &format!("built {}; the webhook is being asked", turn.id),
        );
        return Ok(());
    }
    let context = bus
        .get::<Context>(&CONTEXTS, conversation.as_str())
        .await
        .map_err(Failure::new)?;
    let answered = context.is_some_and(|context| context.record.answered.contains(message));
    let text = if answered {
        "committed; its delivery is to be published"
    } else {
        "waits for its turn"
    };
    line_without_time(story, "now", text);
    Ok(())
}

/// What is said of the arm that a turn counts for.
fn of_arm(arm: Option<&IntegrationId>) -> String {
    arm.map_or_else(String::new, |arm| format!(" (arm {arm})"))
}

fn result(result: &TurnResult) -> String {
    let shown: String = result.text().chars().take(60).collect();
    format!("{} {shown:?}", result.as_str())
}

fn trace_id(entry: &Entry) -> String {
    let trace = entry.header(TRACEPARENT).and_then(TraceContext::parse);
    trace.map_or_else(|| "unknown".to_owned(), TraceContext::trace_id)
}

fn line(story: &mut String, origin: UnixMillis, at: UnixMillis, stage: &str, text: &str) {
    // Writing to a String cannot fail.
    let _written = writeln!(
        story,
        "{:>8} ms  {stage:<18}  {text}",
        at.since(origin).as_millis()
    );
}

fn line_without_time(story: &mut String, stage: &str, text: &str) {
    // Writing to a String cannot fail.
    let _written = writeln!(story, "{:>11}  {stage:<18}  {text}", "");
}

/// All messages of a subject.
pub(crate) async fn all(bus: &Bus, stream: &str, subject: &str) -> Result<Vec<Entry>, Failure> {
    let mut list = Vec::new();
    bus.each(stream, subject, 1, |entry| list.push(entry))
        .await
        .map_err(Failure::new)?;
    Ok(list)
}
