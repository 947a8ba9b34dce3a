//! Whether work is still this process's own. A process may stand still for longer than the server waits for a sign
//! of life: then another one has the work, and what it does must not be done again here, nor be disturbed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::Session;
use tokio::time::Instant;

/// Proofs that the server is there, within the time that it may be silent.
const PROOFS: u32 = 6;
/// The longest time between two of them.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

/// A claim on one message, kept by signs of life. Clones are the same claim.
///
/// It is half as long as the server's patience, because the server counts from when it handed the message out, which
/// may be as much as the other half before it was taken up here: see [`standstill`]. It counts from the last sign that
/// the server has surely heard, and ends with the [`Tenure`] in which the message was handed out. Once lost it stays
/// lost.
#[derive(Debug, Clone)]
pub struct Lease {
    signs: Arc<Mutex<Signs>>,
    length: Duration,
    tenure: Option<Tenure>,
}

/// The moments at which signs of life were given. Being handed out counts as one.
#[derive(Debug)]
struct Signs {
    /// The last one; the server may not have heard it.
    given: Instant,
    /// One that it has heard.
    heard: Instant,
    /// Whether the claim was found to be lost.
    lost: bool,
}

/// The time in which the server surely remembers what it handed out over one pull: as long as the connection stands,
/// the same server leads the consumer, and it is not silent for long. Clones are the same tenure.
#[derive(Debug, Clone)]
pub struct Tenure(Arc<HandedOut>);

/// Where and when it was handed out.
#[derive(Debug)]
struct HandedOut {
    session: Session,
    leader: Option<String>,
    patience: Duration,
    heard: Mutex<Heard>,
}

#[derive(Debug)]
struct Heard {
    /// The server has heard what was said up to this moment.
    through: Instant,
    /// It was silent for too long, or another one has taken over.
    over: bool,
}

/// How long a process may stand still before it must not trust what was handed to it meanwhile; and how long the server
/// may be silent.
pub fn standstill(ack_wait: Duration) -> Duration {
    ack_wait / 2
}

impl Tenure {
    /// One that begins now, under this leader.
    pub(crate) fn new(session: Session, leader: Option<String>, ack_wait: Duration) -> Self {
        let heard = Heard {
            through: Instant::now(),
            over: false,
        };
        Self(Arc::new(HandedOut {
            session,
            leader,
            patience: standstill(ack_wait),
            heard: Mutex::new(heard),
        }))
    }

    /// Whether it has not ended.
    pub(crate) fn lasts(&self) -> bool {
        let heard = self.heard();
        self.0.session.lasts() && !heard.over && heard.through.elapsed() < self.0.patience
    }

    /// The server that leads now has answered something that was said at this moment.
    pub(crate) fn hears(&self, said: Instant, leader: Option<&str>) {
        let mut heard = self.heard();
        heard.over |= heard.through.elapsed() >= self.0.patience || leader != self.0.leader.as_deref();
        heard.through = heard.through.max(said);
    }

    /// How often the server is asked for something, to know what it has heard.
    pub(crate) fn proof_period(&self) -> Duration {
        (self.0.patience / PROOFS).min(LONGEST_SILENCE)
    }

    /// The connection over which it began.
    pub(crate) fn session(&self) -> Session {
        self.0.session.clone()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// A claim on a message that has just been taken.
    pub fn new(ack_wait: Duration) -> Self {
        let now = Instant::now();
        let signs = Signs {
            given: now,
            heard: now,
            lost: false,
        };
        Self {
            signs: Arc::new(Mutex::new(signs)),
            length: ack_wait - standstill(ack_wait),
            tenure: None,
        }
    }

    /// The same for a message that was handed out in a tenure.
    pub(crate) fn within(self, tenure: Tenure) -> Self {
        Self {
            tenure: Some(tenure),
            ..self
        }
    }

    /// Whether nobody else can have the work.
    pub fn is_held(&self) -> bool {
        let mut signs = self.signs();
        self.catch_up(&mut signs);
        let tenure_lasts = self.tenure.as_ref().is_none_or(Tenure::lasts);
        signs.lost |= !tenure_lasts || signs.heard.elapsed() >= self.length;
        !signs.lost
    }

    /// Whether this process has not stood still with the work: the server waits for more signs of it, if it has heard
    /// the others.
    pub(crate) fn is_alive(&self) -> bool {
        self.signs().given.elapsed() < self.length
    }

    /// A sign of life is about to be given.
    pub(crate) fn gives_sign(&self) {
        let mut signs = self.signs();
        self.catch_up(&mut signs);
        signs.given = Instant::now();
    }

    /// Notes whether the last sign was heard.
    fn catch_up(&self, signs: &mut Signs) {
        let unheard = |tenure: &Tenure| tenure.heard().through < signs.given;
        if !self.tenure.as_ref().is_some_and(unheard) {
            signs.heard = signs.given;
        }
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK_WAIT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn it_lasts_as_long_as_signs_are_given_in_time() {
        let lease = Lease::new(ACK_WAIT);
        for _ in 0..5 {
            tokio::time::advance(ACK_WAIT / 3).await;
            assert!(lease.is_held() && lease.is_alive());
            lease.gives_sign();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_standing_still_it_is_lost_for_good() {
        let lease = Lease::new(ACK_WAIT);
        tokio::time::advance(ACK_WAIT / 2).await;
        assert!(!lease.is_held() && !lease.is_alive());
        lease.gives_sign();
        assert!(!lease.is_held());
    }
}
