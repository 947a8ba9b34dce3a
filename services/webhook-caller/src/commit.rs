//! Commit, delivery, and how far a turn got when it comes again.

use std::time::Duration;

use bus::{Bus, BusError, Found, Outgoing, Revision, TraceContext};
use domain::conclude;
use proto_schemas::context::{Conclusion, Context};
use proto_schemas::fetch::Fetch;
use proto_schemas::progress::TurnProgress;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, PROGRESS};
use proto_schemas::turn::Turn;
use runtime::clock;
use runtime::insist::insist;
use runtime::stage::{Job, Left};

/// Longer than any call and its wait for a place: the longest timeout that may be configured is ten minutes.
const LONGEST_CALL: Duration = Duration::from_secs(15 * 60);

/// How far a turn got before it came again.
pub(crate) enum Stand {
    /// Not further than these failed attempts.
    Open(TurnProgress),
    /// It is committed; its delivery may be missing.
    Committed(Box<Conclusion>),
    /// The conversation went on without it.
    Overtaken,
}

/// What a compare-and-set came to.
pub(crate) enum Commit {
    /// The context holds the conclusion.
    Written(Box<Conclusion>),
    /// The context held a conclusion of this turn before: of an earlier try whose confirmation was lost, or of
    /// another worker. That one counts.
    Stood(Box<Conclusion>),
    /// Another answer was first, or the context had moved on.
    Lost,
}

/// What a turn's conversation shows of it.
enum Seen {
    Open,
    Committed(Box<Conclusion>),
    Overtaken(Box<Revision<Context>>),
    /// The conversation was removed after the turn was built.
    Removed,
}

async fn look(bus: &Bus, turn: &Turn) -> Result<Seen, BusError> {
    let Found { revision, record } = bus.look_up(&CONTEXTS, turn.conversation.as_str()).await?;
    match record.map(|record| Revision { revision, record }) {
        Some(context) if concludes(&context.record, turn) => {
            Ok(Seen::Committed(Box::new(context.record.last)))
        }
        Some(context) if context.revision < turn.context_revision => Err(stale_read()),
        Some(context) if context.revision > turn.context_revision => Ok(Seen::Overtaken(Box::new(context))),
        None if revision > turn.context_revision => Ok(Seen::Removed),
        Some(_) | None => Ok(Seen::Open),
    }
}

/// Looks up how far a turn got.
pub(crate) async fn stand(bus: &Bus, turn: &Turn) -> Result<Stand, BusError> {
    match look(bus, turn).await? {
        Seen::Committed(conclusion) => Ok(Stand::Committed(conclusion)),
        Seen::Overtaken(context) => {
            ring_again(bus, turn, &context).await?;
            Ok(Stand::Overtaken)
        }
        Seen::Removed => Ok(Stand::Overtaken),
        Seen::Open => {
            let progress: Option<Revision<TurnProgress>> =
                bus.get(&PROGRESS, &subjects::turn_progress(&turn.id)).await?;
            Ok(Stand::Open(
                progress.map(|found| found.record).unwrap_or_default(),
            ))
        }
    }
}

/// Whether nothing is left to do for a turn that lies in its slot; its delivery is published if it may be missing. A turn
/// that was overtaken while its messages are unanswered may be in the midst of its call, and its conversation has one
/// call at a time: only one that is older than any call is let go of.
pub(crate) async fn is_settled(bus: &Bus, turn: &Turn, left: Left) -> Result<bool, BusError> {
    match look(bus, turn).await? {
        Seen::Open => Ok(false),
        Seen::Removed => Ok(true),
        Seen::Overtaken(context) if is_answered(turn, &context.record) => Ok(true),
        Seen::Overtaken(context) if clock::now().since(left.stored_at) >= LONGEST_CALL => {
            ring_again(bus, turn, &context).await?;
            Ok(true)
        }
        Seen::Overtaken(_) => Ok(false),
        Seen::Committed(conclusion) => match publish_delivery(bus, turn, &conclusion, left.trace).await {
            Ok(()) => Ok(true),
            Err(BusError::SlotTaken) => Ok(false),
            Err(error) => Err(error),
        },
    }
}

/// Writes the outcome into the context, if that is still as the turn saw it.
pub(crate) async fn commit(
    bus: &Bus,
    turn: &Turn,
    conclusion: Conclusion,
    job: &Job,
) -> Result<Commit, BusError> {
    let next = conclude::next_context(turn, conclusion);
    let another = insist(|| write(bus, turn, &next, job)).await?;
    Ok(another.unwrap_or_else(|| Commit::Written(Box::new(next.last))))
}

/// Writes a turn's context; none when it stands, else what stands in its way.
async fn write(bus: &Bus, turn: &Turn, next: &Context, job: &Job) -> Result<Option<Commit>, BusError> {
    let key = turn.conversation.as_str();
    match bus
        .replace(&CONTEXTS, key, turn.context_revision, next, job.trace)
        .await
    {
        Ok(_) => return Ok(None),
        Err(BusError::Conflict) => {}
        Err(error) => return Err(error),
    }
    let in_the_way = match bus.get::<Context>(&CONTEXTS, key).await? {
        Some(present) if concludes(&present.record, turn) => Commit::Stood(Box::new(present.record.last)),
        // Something was written since: a reading without it is old.
        Some(present) if present.revision <= turn.context_revision => return Err(stale_read()),
        Some(present) => {
            ring_again(bus, turn, &present).await?;
            Commit::Lost
        }
        // Somebody removed the conversation meanwhile; its answer goes with it.
        None if bus.removal(&CONTEXTS, key).await?.is_some() => Commit::Lost,
        // The write was refused because of a record, so this server has not heard of it yet.
        None => return Err(stale_read()),
    };
    Ok(Some(in_the_way))
}

/// The answer came from a server that lags behind the one that took the write.
fn stale_read() -> BusError {
    BusError::Unavailable("the context was read from a server that lags behind".to_owned())
}

/// Whether a context's last conclusion is this turn's. The name alone does not say so: a coalesced turn or a
/// reset that was built from an old reading begins with the same message and answers more.
fn concludes(context: &Context, turn: &Turn) -> bool {
    context.last.turn == turn.id && context.answered_through == turn.answered_through
}

/// Whether a context shows all that a turn answers as answered.
fn is_answered(turn: &Turn, context: &Context) -> bool {
    let answered = |message| conclude::looked_after(message, turn.answered_through, Some(context));
    turn.answers.iter().all(answered)
}

/// A turn that is dropped may have vouched for messages that the context does not show as answered: a new
/// revision, which says how far the inbox reaches, makes the context-builder look again.
async fn ring_again(bus: &Bus, turn: &Turn, present: &Revision<Context>) -> Result<(), BusError> {
    if is_answered(turn, &present.record) {
        return Ok(());
    }
    let key = turn.conversation.as_str();
    let inbox_reaches = present.record.inbox_reaches.max(turn.answered_through);
    let record = Context {
        inbox_reaches,
        ..present.record.clone()
    };
    match bus
        .compare_and_set(&CONTEXTS, key, present.revision, &record, TraceContext::new())
        .await
    {
        // Somebody else wrote: that rings too.
        Ok(_) | Err(BusError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Publishes the reply's files, if any, and the reply. Both publishes may be repetitions.
///
/// # Errors
/// [`BusError::SlotTaken`] while an earlier reply of the conversation, or this one, is on its way.
pub(crate) async fn publish_delivery(
    bus: &Bus,
    turn: &Turn,
    conclusion: &Conclusion,
    trace: TraceContext,
) -> Result<(), BusError> {
    let files = conclusion.result.attachments();
    if !files.is_empty() {
        let fetch = Fetch::Out {
            turn: turn.id.clone(),
            conversation: turn.conversation.clone(),
            files: files.to_vec(),
        };
        let identity = format!("fetch:{}", turn.id);
        match bus
            .publish(Outgoing::new(
                subjects::fetch_out(&turn.id),
                &fetch,
                &identity,
                trace,
            )?)
            .await
        {
            Ok(_) | Err(BusError::SlotTaken) => {}
            Err(error) => return Err(error),
        }
    }
    let delivery = conclude::delivery(turn, conclusion);
    let subject = subjects::delivery(&turn.conversation);
    let identity = format!("delivery:{}", turn.id);
    bus.publish(Outgoing::new(subject, &delivery, &identity, trace)?)
        .await?;
    Ok(())
}

/// Keeps the failed attempts of a turn.
pub(crate) async fn keep_progress(
    bus: &Bus,
    turn: &Turn,
    progress: &TurnProgress,
    job: &Job,
) -> Result<(), BusError> {
    let key = subjects::turn_progress(&turn.id);
    let refused_since = progress.refused_since.unwrap_or_default().0;
    let identity = format!("{key}:{}:{refused_since}", progress.attempts.len());
    insist(|| bus.put(&PROGRESS, &key, progress, &identity, job.trace)).await
}
