//! The story of one event: read the conversation, decide what is due, do it, and let go of the event only
//! when its own message is looked after.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, Outgoing, Published, TraceContext, Work};
use domain::conclude::{SlotAnswer, looked_after, vouches_for};
use domain::decide::{Decision, decide};
use domain::retry;
use proto_schemas::context::{ANSWERED_THROUGH, Context, INBOX_REACHES};
use proto_schemas::fetch::Fetch;
use proto_schemas::ids::{BotId, ConversationId, UnixMillis};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::TURNS;
use proto_schemas::turn::{Task, Turn};
use proto_schemas::wire::{self, DecodeError, MESSAGE_ID, MESSAGE_TYPE, PREDECESSOR};
use registry::Registry;
use runtime::stage::{Job, Outcome, Stage};
use runtime::{clock, stage};

use crate::metrics::BuilderMetrics;
use crate::policy;
use crate::reading::{Reading, newest, predecessor};

/// How long a message may wait for its bot to be configured.
const UNKNOWN_BOT_PATIENCE: Duration = Duration::from_secs(60 * 60);

/// How soon a slot is looked at again whose turn is committed.
const SETTLING_FIRST: Duration = Duration::from_millis(5);
/// And how late at most.
const SETTLING_CAP: Duration = Duration::from_millis(500);

/// What both kinds of event share.
pub(crate) struct Builder {
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
    pub(crate) metrics: BuilderMetrics,
}

/// What was found due, and what came of it.
enum Step {
    Idle,
    Fetching,
    /// For the rest of an album.
    Waiting(Duration),
    Offered(Box<Turn>, SlotAnswer),
    UnknownBot(BotId),
}

impl Builder {
    /// Decides from a reading and acts on it.
    async fn advance(
        &self,
        conversation: &ConversationId,
        reading: &mut Reading,
        job: &Job,
    ) -> Result<Step, BusError> {
        let Some((_, due)) = reading.due() else {
            self.metrics.decided("idle");
            return Ok(Step::Idle);
        };
        let policy = match self.registry.bot(&due.bot) {
            Some(bot) => policy::of(&bot),
            None if clock::now().since(due.accepted_at) < UNKNOWN_BOT_PATIENCE => {
                return Ok(Step::UnknownBot(due.bot.clone()));
            }
            None => policy::absent(&due.bot),
        };
        let mut decision = decide(reading.context.as_ref(), &reading.pending, &policy, clock::now());
        if let Decision::Fetch(_) = &decision {
            reading.find_attached(&self.bus, conversation).await?;
            decision = decide(reading.context.as_ref(), &reading.pending, &policy, clock::now());
        }
        match decision {
            Decision::Idle => {
                self.metrics.decided("idle");
                Ok(Step::Idle)
            }
            Decision::Fetch(fetch) => {
                self.metrics.decided("fetch");
                self.request_fetch(&fetch, reading, job).await?;
                Ok(Step::Fetching)
            }
            Decision::Wait { until } => {
                self.metrics.decided("wait");
                Ok(Step::Waiting(until.since(clock::now())))
            }
            Decision::Call(mut turn) => {
                self.metrics.decided("call");
                turn.context_revision = reading.revision;
                let trace = turn
                    .answers
                    .first()
                    .map_or(job.trace, |message| reading.trace_of(message, job));
                let (turn, answer) = self.offer(turn, trace).await?;
                Ok(Step::Offered(turn, answer))
            }
        }
    }

    async fn request_fetch(&self, fetch: &Fetch, reading: &Reading, job: &Job) -> Result<(), BusError> {
        let Fetch::In { message_id, .. } = fetch else {
            return Ok(());
        };
        let trace = reading.trace_of(message_id, job);
        let subject = subjects::fetch_in(message_id);
        let identity = format!("fetch:{message_id}");
        match self
            .bus
            .publish(Outgoing::new(subject, fetch, &identity, trace)?)
            .await
        {
            // Taken: it is being fetched.
            Ok(Published::Accepted { .. } | Published::Duplicate) | Err(BusError::SlotTaken) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Offers the turn to its conversation's slot. History that makes it larger than the broker takes is
    /// left out, oldest half first.
    async fn offer(
        &self,
        mut turn: Box<Turn>,
        trace: TraceContext,
    ) -> Result<(Box<Turn>, SlotAnswer), BusError> {
        let subject = subjects::turn(&turn.conversation);
        loop {
            let message = Outgoing::new(subject.clone(), turn.as_ref(), &identity(&turn), trace)?;
            let answer = match self.bus.publish(message).await {
                Ok(Published::Accepted { .. }) => SlotAnswer::Accepted,
                Ok(Published::Duplicate) => SlotAnswer::Duplicate,
                Err(BusError::SlotTaken) => SlotAnswer::Taken,
                Err(BusError::TooLarge) if forget_half(&mut turn) => continue,
                Err(error) => return Err(error),
            };
            self.metrics.offered(match answer {
                SlotAnswer::Accepted => "accepted",
                SlotAnswer::Duplicate => "duplicate",
                SlotAnswer::Taken => "taken",
            });
            return Ok((turn, answer));
        }
    }
}

impl Builder {
    /// Whether a conversation's slot, taken a moment ago, is free by now or soon: it holds nothing, or a turn
    /// that was built on an older revision, which is committed or will be dropped, or what is no turn of ours. Only
    /// a turn that was built on the present revision will bring another one.
    async fn slot_is_settling(
        &self,
        conversation: &ConversationId,
        reading: &Reading,
    ) -> Result<bool, BusError> {
        let held = self.bus.last(TURNS.name, &subjects::turn(conversation)).await?;
        let Some(holder) = held.as_ref().and_then(|entry| entry.header(MESSAGE_ID)) else {
            return Ok(true);
        };
        let built_on = holder
            .split_once(':')
            .and_then(|(_, revision)| revision.parse::<u64>().ok());
        Ok(built_on.is_none_or(|built_on| built_on < reading.revision))
    }

    /// A message that is due and found its slot taken, mostly by the turn before it, which is leaving.
    async fn put_off(&self, conversation: &ConversationId, reading: &Reading, job: &Job) -> Outcome {
        match self.slot_is_settling(conversation, reading).await {
            Ok(true) => retry_when_settled(job),
            Ok(false) => Outcome::retry("a turn of the same context is in the slot"),
            Err(error) => error.into(),
        }
    }
}

/// What the slot recognises a repetition by. A turn that was dropped because the context had moved on is due
/// again at the new revision, and is another one then.
fn identity(turn: &Turn) -> String {
    format!("{}:{}", turn.id, turn.context_revision)
}

/// Drops the older half of the history; false when there is none left.
fn forget_half(turn: &mut Turn) -> bool {
    match &mut turn.task {
        Task::Ask { history, .. } if !history.is_empty() => {
            history.drain(..history.len().div_ceil(2));
            true
        }
        Task::Ask { .. } | Task::Reset { .. } => false,
    }
}

/// The stage that reacts to what arrives.
pub(crate) struct InboxEvents {
    pub(crate) builder: Arc<Builder>,
}

/// An inbox entry and the conversation it lies in.
pub(crate) struct InboxEvent {
    conversation: ConversationId,
    entry: InboxEntry,
    /// The sequence of the entry before it, as the server has checked it; 0 when it is the first.
    predecessor: Option<u64>,
}

impl InboxEvent {
    /// Whether it is something that a user said, and not news of one's files.
    fn is_message(&self) -> bool {
        match &self.entry {
            InboxEntry::Received(_) | InboxEntry::Reset(_) => true,
            InboxEntry::Attached(_) => false,
        }
    }
}

/// What the beginning of a conversation's inbox tells of an event.
enum View {
    /// Its own message is due, alone as far as anybody can know: it has only just arrived.
    Enough,
    /// An older message is due, which has an event of its own, and whose commit will be one.
    WaitsBehind,
    /// What lies behind may change what is due.
    MoreIsNeeded,
}

impl Builder {
    /// Takes up the first entry behind the context. Mostly that is the event itself, and it says so: it names
    /// its predecessor.
    async fn begin(&self, reading: &mut Reading, event: &InboxEvent, job: &Job) -> Result<(), BusError> {
        match event.predecessor {
            Some(predecessor) if reading.ends_at(predecessor) => {
                reading.begin_with(job.sequence, event.entry.clone());
                Ok(())
            }
            Some(_) | None => reading.begin(&self.bus, &event.conversation).await,
        }
    }

    async fn read_on(&self, reading: &mut Reading, event: &InboxEvent) -> Result<(), BusError> {
        let newest = newest(&self.bus, &event.conversation).await?;
        reading
            .read_on(&self.bus, &event.conversation, newest.as_ref())
            .await
    }

    /// Most messages find their conversation idle, and need nothing else. Those behind others would read the
    /// same backlog again each time they come; only the first of it does.
    fn view(&self, event: &InboxEvent, reading: &Reading, job: &Job) -> View {
        match (&event.entry, reading.due()) {
            (InboxEntry::Received(_), Some((due, _))) if due < job.sequence => View::WaitsBehind,
            (InboxEntry::Received(_), Some((due, received)))
                if due == job.sequence
                    && !job.is_redelivery()
                    && received.album.is_none()
                    && !self.coalesces(&received.bot) =>
            {
                View::Enough
            }
            (InboxEntry::Received(_) | InboxEntry::Reset(_) | InboxEntry::Attached(_), _) => {
                View::MoreIsNeeded
            }
        }
    }

    fn coalesces(&self, bot: &BotId) -> bool {
        let bot = self.registry.bot(bot);
        bot.is_some_and(|bot| bot.overlap == registry::Overlap::Coalesce)
    }
}

impl Stage for InboxEvents {
    type Input = InboxEvent;

    fn decode(&self, work: &Work) -> Result<Option<InboxEvent>, DecodeError> {
        let conversation = conversation_of(work)?;
        Ok(stage::decode(work)?.map(|entry| InboxEvent {
            conversation,
            entry,
            predecessor: predecessor(work.header(PREDECESSOR)),
        }))
    }

    async fn handle(&self, event: &InboxEvent, job: &Job) -> Outcome {
        let builder = &self.builder;
        let message = event.entry.message_id();
        let mut reading = match Reading::of_context(&builder.bus, &event.conversation).await {
            Ok(reading) => reading,
            Err(error) => return error.into(),
        };
        if event.is_message() && looked_after(message, job.sequence, reading.record()) {
            return Outcome::Done;
        }
        if let Err(error) = builder.begin(&mut reading, event, job).await {
            return error.into();
        }
        if !reading.includes(job.sequence) {
            builder.metrics.read_stale();
            return Outcome::retry("the read did not include the event yet");
        }
        match builder.view(event, &reading, job) {
            View::Enough => {}
            View::WaitsBehind => return Outcome::retry("an earlier message is due first"),
            View::MoreIsNeeded => {
                if let Err(error) = builder.read_on(&mut reading, event).await {
                    return error.into();
                }
            }
        }
        let step = match builder.advance(&event.conversation, &mut reading, job).await {
            Ok(step) => step,
            Err(error) => return error.into(),
        };
        match step {
            Step::Waiting(delay) => Outcome::retry_after(delay, "more of an album may come"),
            _ if !event.is_message() && !reading.awaits(message) => Outcome::Done,
            Step::Offered(turn, answer) if vouches_for(&turn, answer, message) => Outcome::Done,
            Step::Offered(turn, SlotAnswer::Taken) if turn.answers.first() == Some(message) => {
                builder.put_off(&turn.conversation, &reading, job).await
            }
            Step::Offered(..) => Outcome::retry("an earlier message is due first"),
            Step::Fetching => Outcome::retry("files are being fetched"),
            Step::Idle => Outcome::retry("nothing is due, and the message has no outcome yet"),
            Step::UnknownBot(bot) => Outcome::retry(format!("there is no bot {bot}")),
        }
    }

    fn accepted_at(&self, event: &InboxEvent) -> Option<UnixMillis> {
        match &event.entry {
            InboxEntry::Received(received) | InboxEntry::Reset(received) => Some(received.accepted_at),
            InboxEntry::Attached(_) => None,
        }
    }
}

/// The stage that reacts to finished turns: each may make the next message due.
pub(crate) struct ContextEvents {
    pub(crate) builder: Arc<Builder>,
}

/// A new revision of a conversation's context, as its headers tell of it.
pub(crate) struct ContextEvent {
    conversation: ConversationId,
    cursor: Option<Cursor>,
}

/// What a context's headers say of the inbox. A record that was written by hand has none.
struct Cursor {
    answered_through: u64,
    inbox_reaches: u64,
}

impl Cursor {
    /// Whether nothing can be due when the inbox is seen to reach to a sequence.
    fn shows_idle(&self, reaches: u64) -> bool {
        reaches <= self.answered_through && self.inbox_reaches <= self.answered_through
    }

    fn of(work: &Work) -> Option<Self> {
        let number = |name| work.header(name)?.parse().ok();
        Some(Self {
            answered_through: number(ANSWERED_THROUGH)?,
            inbox_reaches: number(INBOX_REACHES)?,
        })
    }
}

impl Stage for ContextEvents {
    type Input = ContextEvent;

    fn decode(&self, work: &Work) -> Result<Option<ContextEvent>, DecodeError> {
        if work.is_removal() {
            return Ok(None);
        }
        wire::check_type::<Context>(work.header(MESSAGE_TYPE))?;
        Ok(Some(ContextEvent {
            conversation: conversation_of(work)?,
            cursor: Cursor::of(work),
        }))
    }

    /// The safety of messages does not depend on this event, their speed does: it comes with the commit, a
    /// moment before the committed turn leaves its slot, and stays until that has happened.
    async fn handle(&self, event: &ContextEvent, job: &Job) -> Outcome {
        let builder = &self.builder;
        let newest = match newest(&builder.bus, &event.conversation).await {
            Ok(newest) => newest,
            Err(error) => return error.into(),
        };
        let reaches = newest.as_ref().map_or(0, |entry| entry.sequence);
        if event
            .cursor
            .as_ref()
            .is_some_and(|cursor| cursor.shows_idle(reaches))
        {
            builder.metrics.decided("idle");
            return Outcome::Done;
        }
        let mut reading = match Reading::up_to(&builder.bus, &event.conversation, newest.as_ref()).await {
            Ok(reading) => reading,
            Err(error) => return error.into(),
        };
        if !reading.follows(job.sequence) {
            builder.metrics.read_stale();
            return Outcome::retry_after(settling(job.delivered), "the read is older than what is known");
        }
        let step = match builder.advance(&event.conversation, &mut reading, job).await {
            Ok(step) => step,
            Err(error) => return error.into(),
        };
        match step {
            Step::Offered(turn, SlotAnswer::Taken) => {
                match builder.slot_is_settling(&turn.conversation, &reading).await {
                    Ok(true) => retry_when_settled(job),
                    Ok(false) => Outcome::Done,
                    Err(error) => error.into(),
                }
            }
            Step::Waiting(delay) => Outcome::retry_after(delay, "more of an album may come"),
            Step::Idle
            | Step::Fetching
            | Step::UnknownBot(_)
            | Step::Offered(_, SlotAnswer::Accepted | SlotAnswer::Duplicate) => Outcome::Done,
        }
    }
}

fn retry_when_settled(job: &Job) -> Outcome {
    Outcome::retry_after(settling(job.delivered), "the last turn is leaving its slot")
}

/// When a slot is looked at again whose turn is committed: soon, then less often, for it may have to wait
/// until an earlier reply has left.
fn settling(delivered: u64) -> Duration {
    retry::doubling(SETTLING_FIRST, SETTLING_CAP, delivered)
}

fn conversation_of(work: &Work) -> Result<ConversationId, DecodeError> {
    subjects::conversation(&work.subject).ok_or_else(|| DecodeError::Subject {
        subject: work.subject.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaving_turn_is_looked_for_soon_and_then_less_often() {
        assert_eq!(settling(1), SETTLING_FIRST);
        assert_eq!(settling(2), SETTLING_FIRST * 2);
        assert_eq!(settling(8), SETTLING_CAP);
        assert_eq!(settling(u64::MAX), SETTLING_CAP);
    }
}
