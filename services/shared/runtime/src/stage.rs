//! What a stage does with one message, and what the runner does with its answer.

use std::future::Future;
use std::time::Duration;

use bus::{BusError, TraceContext, Work};
use proto_schemas::dead_letter::Attempt;
use proto_schemas::ids::UnixMillis;
use proto_schemas::wire::{DecodeError, Wire};

use crate::clock;
use crate::lease::Lease;
use crate::random;

/// How long a message is surely handled by nobody else: the shortest `ack_wait` that may be configured. In a
/// backlog all messages are older, and each costs the look-up.
const OURS_ALONE: Duration = Duration::from_secs(1);
/// About how soon work comes again that the broker could not be asked about: a cluster that has lost a node chooses
/// leaders for some seconds.
const OUTAGE_PAUSE: Duration = Duration::from_secs(1);

/// One step of the pipeline.
///
/// A message may be handled twice, late, or by two replicas at once: `handle` must bear that.
pub trait Stage: Send + Sync + 'static {
    /// What it takes.
    type Input: Send + Sync;

    /// Reads the input. None means that there is nothing to do, as for a key that was removed.
    ///
    /// # Errors
    /// [`DecodeError`] ends in a dead letter: the same bytes never decode later.
    fn decode(&self, work: &Work) -> Result<Option<Self::Input>, DecodeError>;

    /// Does the work.
    fn handle(&self, input: &Self::Input, job: &Job) -> impl Future<Output = Outcome> + Send;

    /// Commits the outcome of work that was given up, when its dead letter is confirmed. Anything but
    /// [`Outcome::Done`] brings the work back, and with it the (recognised) dead letter.
    fn given_up(
        &self,
        _input: &Self::Input,
        _give_up: &GiveUp,
        _job: &Job,
    ) -> impl Future<Output = Outcome> + Send {
        std::future::ready(Outcome::Done)
    }

    /// When ingress took the message, for the age that the pipeline reports.
    fn accepted_at(&self, _input: &Self::Input) -> Option<UnixMillis> {
        None
    }
}

/// A message that lies in its slot, whoever has it.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    /// When the stream stored it.
    pub stored_at: UnixMillis,
    /// Its trace; goes with everything that is published for it.
    pub trace: TraceContext,
}

/// A stage that takes its work from slots, and can tell whether a message has only been left there.
pub trait Settles: Stage<Input: Wire> {
    /// Whether nothing is left to do for a message: all that it leads to is published, or is by this call. The message
    /// may be in other hands, so its work must not be begun here.
    ///
    /// # Errors
    /// [`BusError`] when that cannot be found out.
    fn is_settled(
        &self,
        input: &Self::Input,
        left: Left,
    ) -> impl Future<Output = Result<bool, BusError>> + Send;
}

/// Decodes a value of type `T`, as most stages do.
///
/// # Errors
/// As for [`Stage::decode`].
pub fn decode<T: Wire>(work: &Work) -> Result<Option<T>, DecodeError> {
    work.decode().map(Some)
}

/// What a stage may know about the message besides its content.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// How often it was delivered, this time included. Not a count of attempts.
    pub delivered: u64,
    /// When the stream stored it.
    pub stored_at: UnixMillis,
    /// Its trace, with a span of this stage's own; goes with everything the stage publishes.
    pub trace: TraceContext,
    /// Whether it is still this process's own. Look before what cannot be undone.
    pub lease: Lease,
}

impl Job {
    /// Whether somebody may have had the message before: look up how far it got. So it may be with a message of
    /// some age even when it was delivered once: if it was handed to this process while it stood still, others
    /// have taken it for dead.
    pub fn is_redelivery(&self) -> bool {
        self.delivered > 1 || clock::now().since(self.stored_at) >= OURS_ALONE
    }
}

/// How handling a message ended.
#[derive(Debug)]
pub enum Outcome {
    /// All that was to be published is confirmed.
    Done,
    /// It was done before.
    Duplicate,
    /// Not now.
    Retry {
        /// Deliver it again after exactly this; after the runner's own growing delay when absent.
        after: Option<Duration>,
        /// Why, in words. Holds no secret.
        cause: String,
    },
    /// Never: to a dead letter.
    GiveUp(GiveUp),
    /// The process cannot go on.
    Fatal(String),
}

/// Why work is given up.
#[derive(Debug, Clone)]
pub struct GiveUp {
    /// The class: one token, from a fixed set.
    pub class: &'static str,
    /// The cause in words. Holds no secret.
    pub cause: String,
    /// What was tried.
    pub attempts: Vec<Attempt>,
}

impl GiveUp {
    /// Work that fails by its nature, not by attempts.
    pub fn permanent(class: &'static str, cause: impl Into<String>) -> Self {
        Self {
            class,
            cause: cause.into(),
            attempts: Vec::new(),
        }
    }
}

impl Outcome {
    /// The names by which outcomes are counted.
    pub const NAMES: [&'static str; 5] = ["done", "duplicate", "retry", "dead_letter", "fatal"];

    /// A failure that passes by itself.
    pub fn retry(cause: impl std::fmt::Display) -> Self {
        Self::Retry {
            after: None,
            cause: cause.to_string(),
        }
    }

    /// A failure that passes after a known time.
    pub fn retry_after(after: Duration, cause: impl std::fmt::Display) -> Self {
        Self::Retry {
            after: Some(after),
            cause: cause.to_string(),
        }
    }

    /// The name by which it is counted.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Duplicate => "duplicate",
            Self::Retry { .. } => "retry",
            Self::GiveUp(_) => "dead_letter",
            Self::Fatal(_) => "fatal",
        }
    }
}

/// The one mapping of the broker's errors. What a caller expects and handles, such as a taken slot, it
/// matches before.
impl From<BusError> for Outcome {
    fn from(error: BusError) -> Self {
        match error {
            // Not at a delay that grows: what is put off for longer than an outage only makes it longer.
            BusError::Unavailable(_) => {
                Self::retry_after(OUTAGE_PAUSE.mul_f64(0.5 + random::fraction()), error)
            }
            BusError::SlotTaken | BusError::Conflict => Self::retry(error),
            BusError::TooLarge => Self::GiveUp(GiveUp::permanent("oversize", error.to_string())),
            BusError::Refused { .. } => Self::retry(error),
            BusError::Unencodable(_) | BusError::Undecodable(_) => {
                Self::GiveUp(GiveUp::permanent("undecodable", error.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(delivered: u64, age: Duration) -> Job {
        let age = u64::try_from(age.as_millis()).unwrap();
        let stored_at = UnixMillis(clock::now().0 - age);
        Job {
            sequence: 1,
            delivered,
            stored_at,
            trace: TraceContext::new(),
            lease: Lease::new(OURS_ALONE),
        }
    }

    #[test]
    fn only_a_fresh_message_on_its_first_delivery_is_surely_nobody_elses() {
        assert!(!job(1, Duration::ZERO).is_redelivery());
        assert!(job(2, Duration::ZERO).is_redelivery());
        assert!(job(1, OURS_ALONE).is_redelivery());
    }
}
