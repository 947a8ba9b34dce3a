//! The story of one delivery: was it finished before? are its files there? send the parts that are left, in
//! order; write the transcript.

use std::sync::Arc;
use std::time::Duration;

use ::files::FileError;
use bus::{Bus, BusError, Work};
use bytes::Bytes;
use channels::{Account, Accounts, OutgoingReply, Part, ReplyKind, SendError};
use domain::retry::{Budget, NextStep, next_step};
use futures_util::FutureExt;
use proto_schemas::context::TurnResult;
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::UnixMillis;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::transcript::Receipt;
use proto_schemas::wire::DecodeError;
use registry::{Connection, Registry, UnknownOutcome};
use runtime::links::Links;
use runtime::stage::{GiveUp, Job, Left, Outcome, Settles, Stage};
use runtime::{clock, random, stage};

use crate::connection::{self, Connections, Unsent};
use crate::files::{self, Files};
use crate::once::Try;
use crate::receipt::{self, Last};

/// How long a delivery waits for its connection to be configured, or its secrets to be readable.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long a platform, or a file that cannot be read, may put a delivery off. It spends no attempt, so it needs an end
/// of its own.
const PACE_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon a delivery looks again for its files.
const FILES_PAUSE: Duration = Duration::from_millis(300);

/// There is no such connection, or it cannot be opened.
const UNUSABLE_CONNECTION: &str = "unusable_connection";
/// The bytes of a file cannot be read.
const FILE_UNAVAILABLE: &str = "file_unavailable";
/// The bytes of a file are not there any more.
const FILE_GONE: &str = "file_gone";
/// The platform has put the reply off for too long.
const RATE_LIMITED: &str = "rate_limited";
/// A part may have been sent, and is not to be sent twice.
const OUTCOME_UNKNOWN: &str = "outcome_unknown";
/// Why a delivery is given up, besides what the channels say.
pub(crate) const CLASSES: [&str; 5] = [
    UNUSABLE_CONNECTION,
    FILE_UNAVAILABLE,
    FILE_GONE,
    RATE_LIMITED,
    OUTCOME_UNKNOWN,
];

/// The stage.
pub(crate) struct Sender {
    pub(crate) bus: Bus,
    pub(crate) store: ::files::Files,
    pub(crate) registry: Registry,
    pub(crate) accounts: Accounts,
    pub(crate) links: Links,
    pub(crate) connections: Connections,
    pub(crate) budget: Budget,
}

impl Stage for Sender {
    type Input = Delivery;

    fn decode(&self, work: &Work) -> Result<Option<Delivery>, DecodeError> {
        stage::decode(work)
    }

    async fn handle(&self, delivery: &Delivery, job: &Job) -> Outcome {
        // Asked each time: a broker that has restarted, or a worker that wakes up late, may bring a finished
        // delivery as a new one.
        let last = match Last::of(&self.bus, delivery).await {
            Ok(last) if last.shows_finished(delivery) => return Outcome::Duplicate,
            Ok(last) => last,
            Err(error) => return error.into(),
        };
        let files = match files::of(&self.bus, delivery, &self.links).await {
            Ok(Files::Ready(files)) => files,
            Ok(Files::Awaited) => {
                return Outcome::retry_after(FILES_PAUSE, "the reply's files are being fetched");
            }
            Err(error) => return error.into(),
        };
        let (connection, account) = match self.account(delivery, job) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        let progress = match self.how_far(delivery, &connection, job).await {
            Ok(progress) => progress,
            Err(error) => return error.into(),
        };
        let reply = OutgoingReply {
            text: delivery.conclusion.result.text(),
            files: &files,
            buttons: delivery.conclusion.result.buttons(),
        };
        let parts = account.render(&reply);
        match self
            .send_parts(delivery, &connection, &account, parts, progress, job)
            .await
        {
            Ok(receipt) => self.conclude(delivery, receipt, &last, job).await,
            Err(outcome) => outcome,
        }
    }

    /// The dead letter is confirmed: the transcript says that the reply did not arrive.
    async fn given_up(&self, delivery: &Delivery, give_up: &GiveUp, job: &Job) -> Outcome {
        let receipt = Receipt::Undeliverable {
            class: give_up.class.to_owned(),
        };
        match Last::of(&self.bus, delivery).await {
            Ok(last) if last.shows_finished(delivery) => Outcome::Duplicate,
            Ok(last) => self.conclude(delivery, receipt, &last, job).await,
            Err(error) => error.into(),
        }
    }

    fn accepted_at(&self, delivery: &Delivery) -> Option<UnixMillis> {
        // A replay is as old as the operator likes.
        (delivery.replay == 0).then_some(delivery.accepted_at)
    }
}

impl Settles for Sender {
    async fn is_settled(&self, delivery: &Delivery, _left: Left) -> Result<bool, BusError> {
        let last = Last::of(&self.bus, delivery).await?;
        Ok(last.shows_finished(delivery))
    }
}

impl Sender {
    /// The parts that went out before. Who may send nothing twice looks even if the broker says that nobody was here yet.
    async fn how_far(
        &self,
        delivery: &Delivery,
        connection: &Connection,
        job: &Job,
    ) -> Result<DeliveryProgress, BusError> {
        if job.is_redelivery() || may_send_once(connection) {
            return receipt::progress(&self.bus, delivery).await;
        }
        Ok(DeliveryProgress::default())
    }

    fn account(&self, delivery: &Delivery, job: &Job) -> Result<(Arc<Connection>, Arc<Account>), Outcome> {
        let id = &delivery.connection;
        let problem = match self.registry.connection(id) {
            Some(connection) => match self.accounts.open(&connection) {
                Ok(account) => return Ok((connection, account)),
                Err(error) => error.to_string(),
            },
            None => format!("there is no connection {id}"),
        };
        if clock::now().since(job.stored_at) < CONNECTION_PATIENCE {
            return Err(Outcome::retry(problem));
        }
        Err(Outcome::GiveUp(GiveUp::permanent(UNUSABLE_CONNECTION, problem)))
    }

    /// Sends the parts that are left, one after the other.
    async fn send_parts(
        &self,
        delivery: &Delivery,
        connection: &Arc<Connection>,
        account: &Arc<Account>,
        parts: Vec<Part>,
        mut progress: DeliveryProgress,
        job: &Job,
    ) -> Result<Receipt, Outcome> {
        let count = parts.len();
        if count == 0 {
            return match self.connections.say_nothing(account, &delivery.address).await {
                Ok(()) => Ok(Receipt::Nothing),
                Err(error) => Err(self.failed(delivery, progress, error, job).await),
            };
        }
        let once = may_send_once(connection);
        let under_way = progress.under_way.take();
        if once && under_way.is_some() {
            return Err(unknown_outcome("a process ended while the part was under way"));
        }
        for (index, part) in parts
            .into_iter()
            .enumerate()
            .skip(progress.platform_message_ids.len())
        {
            let content = self.content(&part, job).await?;
            let this_try = once.then(|| Try::new(&self.bus, delivery, &progress, job.trace));
            let first = this_try.clone().map(|this_try| this_try.begin().boxed());
            let send = connection::Job {
                account: Arc::clone(account),
                address: delivery.address.clone(),
                part,
                part_id: part_id(delivery, index),
                kind: kind(&delivery.conclusion.result),
                content,
                lease: job.lease.clone(),
                trace: job.trace,
            };
            match self.connections.send(connection, send, first).await {
                Ok(sent) => {
                    progress.platform_message_ids.push(sent.platform_message_id);
                    progress.failures = 0;
                    // The last part's receipt is the transcript.
                    if index + 1 < count {
                        receipt::keep_progress(&self.bus, delivery, &progress, job).await?;
                    }
                }
                Err(unsent) => return Err(self.not_sent(delivery, progress, unsent, this_try, job).await),
            }
        }
        Ok(Receipt::Sent {
            platform_message_ids: progress.platform_message_ids,
        })
    }

    /// The bytes of a part that is sent as a file.
    async fn content(&self, part: &Part, job: &Job) -> Result<Option<Bytes>, Outcome> {
        let Some(file) = part.upload() else {
            return Ok(None);
        };
        match self.store.read(&file.key, files::MAX_UPLOAD_BYTES).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error @ (FileError::Incomplete | FileError::Unavailable(_)))
                if clock::now().since(job.stored_at) < PACE_PATIENCE =>
            {
                Err(Outcome::retry(error))
            }
            Err(error @ (FileError::Incomplete | FileError::Unavailable(_))) => Err(Outcome::GiveUp(
                GiveUp::permanent(FILE_UNAVAILABLE, error.to_string()),
            )),
            Err(error @ (FileError::Missing { .. } | FileError::TooLarge { .. })) => {
                Err(Outcome::GiveUp(GiveUp::permanent(FILE_GONE, error.to_string())))
            }
        }
    }

    /// What becomes of a part that was not sent, or of which nobody knows.
    async fn not_sent(
        &self,
        delivery: &Delivery,
        progress: DeliveryProgress,
        unsent: Unsent,
        this_try: Option<Try>,
        job: &Job,
    ) -> Outcome {
        let may_have_arrived = match &unsent {
            Unsent::Unknown => true,
            Unsent::Refused(SendError::Transient { may_have_arrived, .. }) => *may_have_arrived,
            Unsent::Refused(_) | Unsent::Unprepared(_) | Unsent::NotOurs => false,
        };
        if let Some(this_try) = this_try {
            if may_have_arrived {
                return unknown_outcome("the part was under way, and its answer is lost");
            }
            this_try.take_back().await;
        }
        match unsent {
            Unsent::Refused(error) => self.failed(delivery, progress, error, job).await,
            Unsent::Unprepared(error) => error.into(),
            Unsent::Unknown => Outcome::retry("the connection's actor died"),
            Unsent::NotOurs => Outcome::retry("another replica may have taken the delivery over"),
        }
    }

    async fn failed(
        &self,
        delivery: &Delivery,
        mut progress: DeliveryProgress,
        error: SendError,
        job: &Job,
    ) -> Outcome {
        let (class, detail) = match error {
            // What the platform or our own pace asks for spends no attempt.
            SendError::RateLimited {
                retry_after, detail, ..
            } => {
                if clock::now().since(job.stored_at) >= PACE_PATIENCE {
                    return Outcome::GiveUp(GiveUp::permanent(RATE_LIMITED, detail));
                }
                return Outcome::retry_after(retry_after.mul_f64(1.0 + 0.1 * random::fraction()), detail);
            }
            SendError::Permanent { class, detail } => {
                return Outcome::GiveUp(GiveUp::permanent(class, detail));
            }
            SendError::Transient { class, detail, .. } => (class, detail),
        };
        progress.failures += 1;
        if let Err(error) = receipt::keep_progress(&self.bus, delivery, &progress, job).await {
            return error.into();
        }
        let age = clock::now().since(delivery.conclusion.committed_at);
        match next_step(&self.budget, progress.failures, age, None, random::fraction()) {
            NextStep::RetryAfter(delay) => {
                tracing::info!(
                    class,
                    detail,
                    failures = progress.failures,
                    "sending failed; it is tried again"
                );
                Outcome::retry_after(delay, detail)
            }
            NextStep::GiveUp => Outcome::GiveUp(GiveUp::permanent(class, detail)),
        }
    }

    async fn conclude(&self, delivery: &Delivery, receipt: Receipt, last: &Last, job: &Job) -> Outcome {
        match receipt::write_transcript(&self.bus, delivery, receipt, last, job).await {
            Ok(()) => Outcome::Done,
            Err(error) => error.into(),
        }
    }
}

fn may_send_once(connection: &Connection) -> bool {
    connection.channel.unknown_outcome() == UnknownOutcome::GiveUp
}

/// The part may have arrived, and is not to arrive twice.
fn unknown_outcome(detail: &str) -> Outcome {
    Outcome::GiveUp(GiveUp::permanent(OUTCOME_UNKNOWN, detail))
}

/// The part's identity: the same on every retry, another one for an operator's replay.
fn part_id(delivery: &Delivery, index: usize) -> String {
    let turn = &delivery.conclusion.turn;
    match delivery.replay {
        0 => format!("{turn}_{index}"),
        replay => format!("{turn}_{index}_r{replay}"),
    }
}

fn kind(result: &TurnResult) -> ReplyKind {
    match result {
        TurnResult::Reply { .. } | TurnResult::NoReply => ReplyKind::Reply,
        TurnResult::Failure { .. } => ReplyKind::Failure,
        TurnResult::Reset { .. } => ReplyKind::Reset,
    }
}
