//! The lease of a connection's Gateway: at most one replica reads it and stores what it says.
//!
//! A lease is a record that its holder writes again and again, each time from the revision that it wrote before. Who
//! finds a record unchanged for as long as it says takes it over, from that revision: of two only one succeeds, and a
//! holder that is late finds another revision. No clocks are compared. The holder's own time begins before it sends its
//! write, and is a fifth shorter than that of the others, so it is over first, also when its process stood still. It
//! counts only as long as the connection to the broker lasts: one that was killed may have forgotten the last write.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError, Revision, Session, TraceContext};
use proto_schemas::gateway::{GatewayLease, GatewaySession};
use proto_schemas::ids::ConnectionId;
use proto_schemas::topology::GATEWAYS;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::leases::Leases;

/// How many times a holder may write within its time, where it has something to say.
const WRITES: u32 = 10;
/// How many times it writes to be taken for alive.
const SIGNS: u32 = 4;
/// The longest between two events and the record of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The part of the time that the holder does without: clocks do not run alike.
const MARGIN: u32 = 5;
/// How long giving a lease back may take. Others get it anyway, later.
const RETURN_WAIT: Duration = Duration::from_secs(2);

/// The right to read one connection's Gateway. Once over it stays over.
pub(crate) struct Lease {
    bus: Bus,
    connection: ConnectionId,
    holder: String,
    length: Duration,
    state: Mutex<State>,
    /// Rings when there is something to write that must not be lost.
    pressing: Notify,
}

struct State {
    revision: u64,
    proof: Proof,
    is_over: bool,
    session: Option<GatewaySession>,
    /// Whether the record says of the session what there is to say.
    is_written: bool,
}

/// The write by which the lease was ours last.
pub(super) struct Proof {
    /// A moment before it was sent.
    pub(super) sent: Instant,
    /// The connection to the broker over which it was.
    pub(super) broker: Session,
}

impl Lease {
    /// A lease that has just been taken, with the session that its record names.
    pub(super) fn new(
        leases: &Leases,
        connection: &ConnectionId,
        holder: &str,
        revision: u64,
        proof: Proof,
        session: Option<GatewaySession>,
    ) -> Self {
        let state = State {
            revision,
            proof,
            is_over: false,
            session,
            is_written: true,
        };
        Self {
            bus: leases.bus.clone(),
            connection: connection.clone(),
            holder: holder.to_owned(),
            length: leases.length,
            state: Mutex::new(state),
            pressing: Notify::new(),
        }
    }

    /// Whether nobody else can have it at this moment.
    pub(crate) fn is_held(&self) -> bool {
        let mut state = self.state();
        !self.runs_out(&mut state) && state.proof.broker.lasts()
    }

    /// Whether it is lost for good.
    pub(super) fn is_over(&self) -> bool {
        self.runs_out(&mut self.state())
    }

    fn runs_out(&self, state: &mut State) -> bool {
        state.is_over |= self.left(state).is_zero();
        state.is_over
    }

    /// How long it lasts without another write.
    fn left(&self, state: &State) -> Duration {
        (self.length - self.length / MARGIN).saturating_sub(state.proof.sent.elapsed())
    }

    /// The session at the platform as far as it was dealt with.
    pub(super) fn session(&self) -> Option<GatewaySession> {
        self.state().session.clone()
    }

    /// A session began, or ended for good. It is written at once: what is told in a session that nobody remembers is lost
    /// with its reader.
    pub(super) fn set_session(&self, session: Option<GatewaySession>) {
        let mut state = self.state();
        state.session = session;
        state.is_written = false;
        self.pressing.notify_one();
    }

    /// All events of the session up to this one are dealt with.
    pub(super) fn reached(&self, sequence: u64) {
        let mut state = self.state();
        if let Some(session) = &mut state.session {
            session.sequence = sequence;
            state.is_written = false;
        }
    }

    /// Gives signs of life, and writes down how far the session is, until the lease is over.
    pub(super) async fn keep(&self) {
        let pause = (self.length / WRITES).min(LONGEST_PAUSE);
        while !self.is_over() {
            tokio::select! {
                () = sleep(pause) => {}
                () = self.pressing.notified() => {}
            }
            if !self.is_due() {
                continue;
            }
            let left = self.left(&self.state());
            // Without an answer in time it is over, which the next look finds.
            if let Ok(Err(error)) = timeout(left, self.renew()).await {
                tracing::debug!(%error, connection = %self.connection, "cannot renew the lease of a Gateway");
            }
        }
    }

    fn is_due(&self) -> bool {
        let state = self.state();
        let is_old = state.proof.sent.elapsed() >= self.length / SIGNS;
        !state.is_over && (is_old || !state.is_written || !state.proof.broker.lasts())
    }

    async fn renew(&self) -> Result<(), BusError> {
        let proof = Proof {
            sent: Instant::now(),
            broker: self.bus.session(),
        };
        let (revision, record) = self.record(Some(self.holder.clone()));
        let revision = match write(&self.bus, &self.connection, revision, &record).await {
            Err(BusError::Conflict) => return self.find_again().await,
            written => written?,
        };
        let mut state = self.state();
        // A process that stood still meanwhile has lost it, whatever it wrote.
        if !self.runs_out(&mut state) {
            state.proof = proof;
        }
        state.revision = revision;
        state.is_written = state.session == record.session;
        Ok(())
    }

    /// The record has another revision: an earlier write of ours got through unanswered, or another replica has it.
    async fn find_again(&self) -> Result<(), BusError> {
        let found: Option<Revision<GatewayLease>> = self.bus.get(&GATEWAYS, self.connection.as_str()).await?;
        let ours = found.filter(|found| found.record.holder.as_ref() == Some(&self.holder));
        let mut state = self.state();
        match ours {
            // Proved by the next write.
            Some(found) => state.revision = found.revision,
            None => state.is_over = true,
        }
        Ok(())
    }

    /// Lets another replica have it at once, with the session as far as it was dealt with.
    pub(super) async fn give_back(self) {
        let returned = match timeout(RETURN_WAIT, self.write_off()).await {
            Ok(returned) => returned,
            Err(_) => Err(BusError::Unavailable("giving back took too long".to_owned())),
        };
        if let Err(error) = returned {
            tracing::debug!(%error, connection = %self.connection, "the lease of a Gateway lapses by itself");
        }
    }

    async fn write_off(&self) -> Result<(), BusError> {
        let (revision, record) = self.record(None);
        match write(&self.bus, &self.connection, revision, &record).await {
            // A write of ours was still under way.
            Err(BusError::Conflict) => self.find_again().await?,
            written => return written.map(drop),
        }
        let (revision, record) = self.record(None);
        if self.state().is_over {
            return Err(BusError::Conflict);
        }
        write(&self.bus, &self.connection, revision, &record)
            .await
            .map(drop)
    }

    fn record(&self, holder: Option<String>) -> (u64, GatewayLease) {
        let state = self.state();
        let record = GatewayLease {
            holder,
            lease_millis: millis(self.length),
            session: state.session.clone(),
        };
        (state.revision, record)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a record in the place of the revision named.
pub(super) async fn write(
    bus: &Bus,
    connection: &ConnectionId,
    revision: u64,
    record: &GatewayLease,
) -> Result<u64, BusError> {
    let trace = TraceContext::new();
    bus.compare_and_set(&GATEWAYS, connection.as_str(), revision, record, trace)
        .await
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
