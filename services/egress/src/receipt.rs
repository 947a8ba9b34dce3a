//! What is kept of a delivery: the parts sent so far, and the transcript at the end.

use bus::{Bus, BusError, Outgoing, Revision};
use proto_schemas::delivery::Delivery;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::subjects;
use proto_schemas::topology::{PROGRESS, TRANSCRIPTS};
use proto_schemas::transcript::{Receipt, Transcript};
use runtime::clock;
use runtime::stage::Job;

/// The conversation's last finished turn, and where its transcript stands.
pub(crate) struct Last {
    /// The sequence in the stream; 0 when there is none.
    pub(crate) sequence: u64,
    transcript: Option<Transcript>,
}

impl Last {
    /// Reads the last transcript of the delivery's conversation.
    pub(crate) async fn of(bus: &Bus, delivery: &Delivery) -> Result<Self, BusError> {
        let subject = subjects::transcript(&delivery.conversation);
        let last = bus.last(TRANSCRIPTS.name, &subject).await?;
        Ok(Self {
            sequence: last.as_ref().map_or(0, |entry| entry.sequence),
            // An entry that nobody can read says nothing; at worst a message is sent twice.
            transcript: last.and_then(|entry| entry.decode().ok()),
        })
    }

    /// Whether it shows that the delivery is finished.
    pub(crate) fn shows_finished(&self, delivery: &Delivery) -> bool {
        let last = self.transcript.as_ref();
        last.is_some_and(|last| is_finished(delivery, last))
    }
}

/// Whether a transcript shows that the delivery is finished.
fn is_finished(delivery: &Delivery, last: &Transcript) -> bool {
    if delivery.replay > 0 {
        return last.conclusion.turn == delivery.conclusion.turn && last.replay >= delivery.replay;
    }
    last.answered_through >= delivery.answered_through
}

/// The parts that went out before, and how often the next one failed.
pub(crate) async fn progress(bus: &Bus, delivery: &Delivery) -> Result<DeliveryProgress, BusError> {
    let key = subjects::delivery_progress(&delivery.conclusion.turn, delivery.replay);
    let found: Option<Revision<DeliveryProgress>> = bus.get(&PROGRESS, &key).await?;
    Ok(found.map(|found| found.record).unwrap_or_default())
}

/// Keeps how far the delivery got.
pub(crate) async fn keep_progress(
    bus: &Bus,
    delivery: &Delivery,
    progress: &DeliveryProgress,
    job: &Job,
) -> Result<(), BusError> {
    let key = subjects::delivery_progress(&delivery.conclusion.turn, delivery.replay);
    let identity = format!(
        "{key}:{}:{}",
        progress.platform_message_ids.len(),
        progress.failures
    );
    bus.put(&PROGRESS, &key, progress, &identity, job.trace).await
}

/// Writes the transcript behind the one that was last when the delivery was looked up: nobody who wakes up late
/// makes an earlier reply the last one. The cursor does not go back either when an old delivery is replayed.
///
/// # Errors
/// [`BusError::Conflict`] when another one was written since.
pub(crate) async fn write_transcript(
    bus: &Bus,
    delivery: &Delivery,
    receipt: Receipt,
    last: &Last,
    job: &Job,
) -> Result<(), BusError> {
    let cursor = last.transcript.as_ref().map_or(0, |last| last.answered_through);
    let transcript = Transcript {
        conversation: delivery.conversation.clone(),
        bot: delivery.bot.clone(),
        connection: delivery.connection.clone(),
        channel: delivery.channel,
        user: delivery.user.clone(),
        answers: delivery.answers.clone(),
        answered_through: delivery.answered_through.max(cursor),
        question: delivery.question.clone(),
        conclusion: delivery.conclusion.clone(),
        receipt,
        accepted_at: delivery.accepted_at,
        built_at: delivery.built_at,
        concluded_at: clock::now(),
        replay: delivery.replay,
    };
    let subject = subjects::transcript(&delivery.conversation);
    let identity = format!("transcript:{}:{}", delivery.conclusion.turn, delivery.replay);
    let outgoing = Outgoing::new(subject, &transcript, &identity, job.trace)?;
    bus.publish(outgoing.after(last.sequence)).await?;
    Ok(())
}
