//! What is kept of a delivery: the parts sent so far, and the transcript at the end.

use bus::{Bus, BusError, Entry, Outgoing, Revision};
use proto_schemas::context::ANSWERED_THROUGH;
use proto_schemas::delivery::Delivery;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::subjects;
use proto_schemas::topology::{PROGRESS, TRANSCRIPTS};
use proto_schemas::transcript::{Receipt, Transcript};
use runtime::insist::insist;
use runtime::stage::Job;
use runtime::{clock, random};

/// The conversation's last finished turn, and where its transcript stands.
pub(crate) struct Last {
    /// The sequence in the stream; 0 when there is none.
    sequence: u64,
    /// The inbox sequence through which everything is answered; 0 when there is none.
    cursor: u64,
    entry: Option<Entry>,
}

impl Last {
    /// Reads the last transcript of the delivery's conversation.
    pub(crate) async fn of(bus: &Bus, delivery: &Delivery) -> Result<Self, BusError> {
        let subject = subjects::transcript(&delivery.conversation);
        let entry = bus.last(TRANSCRIPTS.name, &subject).await?;
        // An entry that names no cursor says nothing; at worst a message is sent twice.
        let cursor = entry
            .as_ref()
            .and_then(|entry| entry.header(ANSWERED_THROUGH)?.parse().ok());
        Ok(Self {
            sequence: entry.as_ref().map_or(0, |entry| entry.sequence),
            cursor: cursor.unwrap_or(0),
            entry,
        })
    }

    /// Whether it shows that the delivery is finished.
    pub(crate) fn shows_finished(&self, delivery: &Delivery) -> bool {
        if delivery.replay == 0 {
            return self.cursor >= delivery.answered_through;
        }
        let last = self.entry.as_ref().and_then(|entry| entry.decode().ok());
        last.is_some_and(|last: Transcript| {
            last.conclusion.turn == delivery.conclusion.turn && last.replay >= delivery.replay
        })
    }
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
    // The same state may be kept more than once, when a try was taken back.
    let identity = random::name();
    insist(|| bus.put(&PROGRESS, &key, progress, &identity, job.trace)).await
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
    let transcript = Transcript {
        conversation: delivery.conversation.clone(),
        bot: delivery.bot.clone(),
        connection: delivery.connection.clone(),
        channel: delivery.channel,
        user: delivery.user.clone(),
        answers: delivery.answers.clone(),
        answered_through: delivery.answered_through.max(last.cursor),
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
    let outgoing = Outgoing::new(subject, &transcript, &identity, job.trace)?.after(last.sequence);
    insist(|| bus.publish(outgoing.clone())).await?;
    Ok(())
}
