//! One actor per connection: its mailbox, the account's limit, a lane per chat. Order within a conversation is
//! the slot's business; the actor only paces.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use channels::{Account, Part, ReplyKind, SendError, SendMeta, Sent};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, RateLimiter};
use outbound::Client;
use proto_schemas::content::ReplyAddress;
use proto_schemas::ids::ConnectionId;
use proto_schemas::subjects;
use registry::Connection;
use runtime::actor::{self, Directory, Mailbox};
use runtime::clock;
use runtime::lease::Lease;
use runtime::limit::{Limiter, Limits};
use runtime::task::Tasks;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use crate::limits::{self, Lane};
use crate::metrics::EgressMetrics;

/// After so many sends the lanes of quiet chats are forgotten.
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
}

/// Why a part was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The platform, or a limit, would not have it.
    Refused(SendError),
    /// The delivery may be another replica's by now: that one looks up how far it got, and sends it.
    NotOurs,
}

struct Letter {
    job: Job,
    answer: oneshot::Sender<Result<Sent, Unsent>>,
}

/// The actors.
pub(crate) struct Connections {
    actors: Directory<ConnectionId, Arc<Connection>, Letter>,
    client: Client,
    limits: Arc<Limits>,
    tasks: Tasks,
    metrics: Arc<EgressMetrics>,
}

impl Connections {
    pub(crate) fn new(
        client: Client,
        limits: Arc<Limits>,
        tasks: Tasks,
        metrics: Arc<EgressMetrics>,
    ) -> Self {
        Self {
            actors: Directory::default(),
            client,
            limits,
            tasks,
            metrics,
        }
    }

    /// Sends a part when the limits allow it.
    pub(crate) async fn send(&self, connection: &Arc<Connection>, job: Job) -> Result<Sent, Unsent> {
        let busy = |detail: &str| {
            Unsent::Refused(SendError::RateLimited {
                retry_after: BUSY_PAUSE,
                detail: detail.to_owned(),
            })
        };
        let mailbox = self
            .actors
            .find(&connection.id, connection, |settings| self.build(&settings));
        let (answer, answered) = oneshot::channel();
        match mailbox.offer(Letter { job, answer }) {
            Ok(()) => answered
                .await
                .unwrap_or_else(|_| Err(busy("the connection's actor died"))),
            Err(actor::Undelivered::Full) => Err(busy("as many parts wait as may wait")),
            Err(actor::Undelivered::Gone) => Err(busy("the connection's actor is being rebuilt")),
        }
    }

    /// Ends an answer without words. It takes nothing of what the account may send, and may be done twice.
    pub(crate) async fn say_nothing(
        &self,
        account: &Account,
        address: &ReplyAddress,
    ) -> Result<(), SendError> {
        let now_secs = clock::now().0 / 1000;
        account.say_nothing(&self.client, address, now_secs).await
    }

    fn build(&self, connection: &Connection) -> Mailbox<Letter> {
        let kind = connection.channel.kind();
        let account = limits::account_rate(kind).map(|rate| {
            let key = subjects::connection_rate(&connection.id);
            Mutex::new(Limiter::new(Arc::clone(&self.limits), &key, rate))
        });
        let pace = Pace {
            account,
            private: limits::chat_quota(kind, Lane::Private).map(RateLimiter::keyed),
            group: limits::chat_quota(kind, Lane::Group).map(RateLimiter::keyed),
        };
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.metrics));
        actor::spawn(&self.tasks, limits::WAITING, move |mailbox| {
            run(mailbox, pace, client, metrics)
        })
    }
}

/// The limits of an account and its chats.
struct Pace {
    account: Option<Mutex<Limiter>>,
    private: Option<DefaultKeyedRateLimiter<String>>,
    group: Option<DefaultKeyedRateLimiter<String>>,
}

impl Pace {
    /// Waits until the chat and the account may send. Takes nothing of what the account may when the delivery is not ours
    /// any more.
    ///
    /// # Errors
    /// [`Unsent`], with the wait when it is longer than one is willing to wait here.
    async fn permit(&self, address: &ReplyAddress, lease: &Lease) -> Result<(), Unsent> {
        ours(lease)?;
        let chats = match limits::lane(address) {
            Lane::Private => &self.private,
            Lane::Group => &self.group,
        };
        while let Some(chats) = chats
            && let Err(until) = chats.check_key(&address.chat_id)
        {
            let wait = until.wait_time_from(DefaultClock::default().now());
            if wait > limits::LONGEST_WAIT_HERE {
                return Err(Unsent::Refused(SendError::RateLimited {
                    retry_after: wait,
                    detail: "the chat's limit is used up".to_owned(),
                }));
            }
            tokio::time::sleep(wait).await;
        }
        if let Some(account) = &self.account {
            // One after the other, in the order in which they came.
            let mut account = account.lock().await;
            ours(lease)?;
            account.permit(1).await;
        }
        ours(lease)
    }

    fn forget_quiet_chats(&self) {
        for chats in [&self.private, &self.group].into_iter().flatten() {
            chats.retain_recent();
        }
    }
}

/// Sends as the limits allow, until nobody can ask any more and all are answered.
async fn run(mut mailbox: mpsc::Receiver<Letter>, pace: Pace, client: Client, metrics: Arc<EgressMetrics>) {
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
                    in_flight.push(deliver(letter, &pace, &client, &metrics));
                }
                None => open = false,
            },
        }
    }
}

async fn deliver(letter: Letter, pace: &Pace, client: &Client, metrics: &EgressMetrics) {
    let Letter { job, answer } = letter;
    let sent = match pace.permit(&job.address, &job.lease).await {
        Ok(()) => send(&job, client, metrics).await.map_err(Unsent::Refused),
        Err(unsent) => Err(unsent),
    };
    // Nobody listens any more only when the process ends without a drain; the delivery comes again then.
    let _unheard = answer.send(sent);
}

fn ours(lease: &Lease) -> Result<(), Unsent> {
    if lease.is_held() {
        Ok(())
    } else {
        Err(Unsent::NotOurs)
    }
}

async fn send(job: &Job, client: &Client, metrics: &EgressMetrics) -> Result<Sent, SendError> {
    let meta = SendMeta {
        part_id: &job.part_id,
        kind: job.kind,
        now_secs: clock::now().0 / 1000,
        content: job.content.clone(),
    };
    let began = Instant::now();
    let sent = job.account.send(client, &job.address, &job.part, &meta).await;
    metrics.sent(job.account.kind(), sent.as_ref().err(), began.elapsed());
    sent
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::Quota;

    use super::*;

    fn pace(per_minute: u32) -> Pace {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap());
        Pace {
            account: None,
            private: Some(RateLimiter::keyed(quota)),
            group: None,
        }
    }

    fn chat(id: &str) -> ReplyAddress {
        ReplyAddress {
            chat_id: id.to_owned(),
            thread_id: None,
            message_id: None,
            interaction: None,
        }
    }

    fn lease() -> Lease {
        Lease::new(Duration::from_secs(30))
    }

    #[tokio::test]
    async fn a_long_wait_is_told_and_not_waited_for() {
        let pace = pace(1);
        pace.permit(&chat("1"), &lease()).await.unwrap();
        let unsent = pace.permit(&chat("1"), &lease()).await.unwrap_err();
        let Unsent::Refused(SendError::RateLimited { retry_after, .. }) = unsent else {
            panic!("{unsent:?}")
        };
        assert!(retry_after > limits::LONGEST_WAIT_HERE, "{retry_after:?}");
    }

    #[tokio::test]
    async fn one_chats_limit_is_not_another_ones() {
        let pace = pace(1);
        pace.permit(&chat("1"), &lease()).await.unwrap();
        pace.permit(&chat("2"), &lease()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_ours_any_more_takes_no_place() {
        let (pace, lost) = (pace(1), lease());
        tokio::time::advance(Duration::from_secs(30)).await;
        let unsent = pace.permit(&chat("1"), &lost).await.unwrap_err();
        assert!(matches!(unsent, Unsent::NotOurs), "{unsent:?}");
        pace.permit(&chat("1"), &lease()).await.unwrap();
    }
}
