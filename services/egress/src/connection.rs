//! One actor per connection: its mailbox, and the calls in flight. Order within a conversation is the slot's business;
//! the actor only paces.

use std::sync::Arc;
use std::time::Duration;

use bus::{BusError, Span, SpanKind, Spans, TraceContext};
use bytes::Bytes;
use channels::{Account, Part, ReplyKind, SendError, SendMeta, Sent};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use outbound::Client;
use proto_schemas::content::ReplyAddress;
use proto_schemas::ids::ConnectionId;
use registry::Connection;
use runtime::actor::{self, Directory, Mailbox};
use runtime::clock;
use runtime::lease::Lease;
use runtime::limit::Limits;
use runtime::task::Tasks;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::limits;
use crate::metrics::EgressMetrics;
use crate::pace::{Pace, ours, wait};

/// After so many sends the queues of quiet chats are forgotten.
const FORGET_EVERY: u32 = 1000;
/// Pause before an actor that had no room, or died, is asked again.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// A part to be sent.
pub(crate) struct Job {
    pub(crate) account: Arc<Account>,
    pub(crate) address: ReplyAddress,
    pub(crate) part: Part,
    pub(crate) part_id: String,
    pub(crate) kind: ReplyKind,
    pub(crate) content: Option<Bytes>,
    /// The claim on the delivery.
    pub(crate) lease: Lease,
    /// The span under which it is sent.
    pub(crate) trace: TraceContext,
}

/// What has to be done first.
pub(crate) type First = BoxFuture<'static, Result<(), BusError>>;

/// Why a part was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The platform, or a limit, would not have it.
    Refused(SendError),
    /// What had to be done first was not.
    Unprepared(BusError),
    /// Nobody knows whether it was: who sent it died.
    Unknown,
    /// The delivery may be another replica's by now: that one looks up how far it got, and sends it.
    NotOurs,
}

struct Letter {
    job: Job,
    first: Option<First>,
    answer: oneshot::Sender<Result<Sent, Unsent>>,
}

/// The actors.
pub(crate) struct Connections {
    actors: Directory<ConnectionId, Arc<Connection>, Letter>,
    line: Line,
    limits: Arc<Limits>,
    tasks: Tasks,
}

/// What is sent over, and who is told of it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) client: Client,
    pub(crate) metrics: Arc<EgressMetrics>,
    pub(crate) spans: Spans,
}

impl Connections {
    pub(crate) fn new(line: Line, limits: Arc<Limits>, tasks: Tasks) -> Self {
        Self {
            actors: Directory::default(),
            line,
            limits,
            tasks,
        }
    }

    /// Sends a part when the limits allow it. `first` is done right before, and has to succeed.
    pub(crate) async fn send(
        &self,
        connection: &Arc<Connection>,
        job: Job,
        first: Option<First>,
    ) -> Result<Sent, Unsent> {
        let mailbox = self
            .actors
            .find(&connection.id, connection, |settings| self.build(&settings));
        let (answer, answered) = oneshot::channel();
        match mailbox.offer(Letter { job, first, answer }) {
            Ok(()) => answered.await.unwrap_or(Err(Unsent::Unknown)),
            Err(actor::Undelivered::Full) => Err(wait(BUSY_PAUSE, "as many parts wait as may wait")),
            Err(actor::Undelivered::Gone) => Err(wait(BUSY_PAUSE, "the connection's actor is being rebuilt")),
        }
    }

    /// Ends an answer without words. It takes nothing of what the account may send, and may be done twice.
    pub(crate) async fn say_nothing(
        &self,
        account: &Account,
        address: &ReplyAddress,
    ) -> Result<(), SendError> {
        account
            .say_nothing(&self.line.client, address, clock::now().as_secs())
            .await
    }

    fn build(&self, connection: &Connection) -> Mailbox<Letter> {
        let pace = Pace::new(
            Arc::clone(&self.limits),
            connection.id.clone(),
            connection.channel.kind(),
        );
        let line = self.line.clone();
        actor::spawn(&self.tasks, limits::WAITING, move |mailbox| {
            run(mailbox, pace, line)
        })
    }
}

/// Sends as the limits allow, until nobody can ask any more and all are answered.
async fn run(mut mailbox: mpsc::Receiver<Letter>, pace: Pace, line: Line) {
    let (mut in_flight, mut open, mut count) = (FuturesUnordered::new(), true, 0_u32);
    while open || !in_flight.is_empty() {
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            letter = mailbox.recv(), if open && in_flight.len() < limits::IN_FLIGHT => match letter {
                Some(letter) => {
                    count = count.wrapping_add(1);
                    if count.is_multiple_of(FORGET_EVERY) {
                        pace.forget_quiet_chats();
                    }
                    in_flight.push(deliver(letter, &pace, &line));
                }
                None => open = false,
            },
        }
    }
}

async fn deliver(letter: Letter, pace: &Pace, line: &Line) {
    let Letter { job, first, answer } = letter;
    let sent = match permit(&job, first, pace).await {
        Ok(()) => {
            let sent = send(&job, line).await;
            if let Err(SendError::RateLimited {
                retry_after,
                is_global,
                ..
            }) = &sent
                && !has_way_back(&job.address)
            {
                pace.refused(&job.address, *retry_after, *is_global).await;
            }
            sent.map_err(Unsent::Refused)
        }
        Err(unsent) => Err(unsent),
    };
    // Nobody listens any more only when the process ends without a drain; the delivery comes again then.
    let _unheard = answer.send(sent);
}

/// Whether the platform keeps a way open that counts against none of its limits (`channels.md`, section 4.5.2).
fn has_way_back(address: &ReplyAddress) -> bool {
    let interaction = address.interaction.as_ref();
    interaction.is_some_and(|interaction| interaction.is_open(clock::now()))
}

async fn permit(job: &Job, first: Option<First>, pace: &Pace) -> Result<(), Unsent> {
    if !has_way_back(&job.address) {
        pace.permit(&job.address, &job.lease).await?;
    }
    if let Some(first) = first {
        first.await.map_err(Unsent::Unprepared)?;
    }
    ours(&job.lease)
}

async fn send(job: &Job, line: &Line) -> Result<Sent, SendError> {
    let meta = SendMeta {
        part_id: &job.part_id,
        kind: job.kind,
        now_secs: clock::now().as_secs(),
        content: job.content.clone(),
    };
    let (began, open) = (Instant::now(), line.spans.open(job.trace));
    let sent = job
        .account
        .send(&line.client, &job.address, &job.part, &meta)
        .await;
    let (channel, error) = (job.account.kind(), sent.as_ref().err());
    line.metrics.sent(channel, error, began.elapsed());
    line.spans.close(open, || {
        let span = Span::new(SpanKind::Client, format!("send {}", channel.as_str()))
            .with("chatbot.channel", channel.as_str())
            .with("chatbot.part.id", job.part_id.clone());
        match error {
            None => span,
            Some(SendError::RateLimited { .. }) => span.failed("rate_limited"),
            Some(SendError::Transient { class, .. } | SendError::Permanent { class, .. }) => {
                span.failed(*class)
            }
        }
    });
    sent
}
