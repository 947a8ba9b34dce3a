//! How fast an account and its chats may send, for all replicas together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channels::SendError;
use proto_schemas::content::{ChannelKind, ReplyAddress};
use proto_schemas::ids::ConnectionId;
use proto_schemas::subjects;
use runtime::lease::Lease;
use runtime::limit::{Limiter, Limits};
use tokio::time::{Instant, timeout};

use crate::connection::Unsent;
use crate::limits;

/// The limits of an account and its chats.
pub(crate) struct Pace {
    limits: Arc<Limits>,
    connection: ConnectionId,
    kind: ChannelKind,
    account: Option<Queue>,
    chats: Mutex<HashMap<String, Queue>>,
    /// The chat that was refused last, and until when: a second one within that time means the whole account.
    refused: Mutex<Option<(String, Instant)>>,
}

/// Those who want to send, one after the other in the order in which they came.
type Queue = Arc<tokio::sync::Mutex<Limiter>>;

impl Pace {
    pub(crate) fn new(limits: Arc<Limits>, connection: ConnectionId, kind: ChannelKind) -> Self {
        let account = limits::account_rate(kind).map(|rate| {
            let key = subjects::connection_rate(&connection);
            queue(Limiter::new(Arc::clone(&limits), &key, rate))
        });
        Self {
            limits,
            connection,
            kind,
            account,
            chats: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Waits until the chat and the account may send. Takes nothing of what they may when the delivery is not ours any
    /// more.
    ///
    /// # Errors
    /// [`Unsent`], with the wait when it is longer than one is willing to wait here.
    pub(crate) async fn permit(&self, address: &ReplyAddress, lease: &Lease) -> Result<(), Unsent> {
        let chat = self.chat(address);
        // The chat is let go of only when the account may send too, or its next part would be on this one's heels.
        let mut turn = match &chat {
            Some(chat) => {
                let mut turn = timeout(limits::LONGEST_WAIT_HERE, chat.lock())
                    .await
                    .map_err(|_| wait(limits::LONGEST_WAIT_HERE, "many parts wait for the chat's limit"))?;
                take(&mut turn, lease, "the chat is left alone for a while").await?;
                Some(turn)
            }
            None => None,
        };
        if let Some(account) = &self.account {
            let began = Instant::now();
            take(
                &mut *account.lock().await,
                lease,
                "the account is left alone for a while",
            )
            .await?;
            let period = limits::chat_rate(self.kind, limits::lane(address)).map(|rate| rate.time_of(1));
            // So late, the slot of the chat may be as good as the next one's: it takes another.
            if let (Some(turn), Some(period)) = (&mut turn, period)
                && began.elapsed() >= period
            {
                take(turn, lease, "the chat is left alone for a while").await?;
            }
        }
        Ok(())
    }

    /// The platform asks for a pause. It holds for the chat, and for the account if the platform says so or has refused
    /// another chat a moment ago.
    pub(crate) async fn refused(&self, address: &ReplyAddress, pause: Duration, is_global: bool) {
        if limits::chat_rate(self.kind, limits::lane(address)).is_none() {
            return;
        }
        let is_global = is_global | self.is_second(&address.chat_id, pause);
        let chat = subjects::chat_rate(&self.connection, &address.chat_id);
        self.limits.pause(&chat, pause).await;
        if is_global {
            let account = subjects::connection_rate(&self.connection);
            self.limits.pause(&account, pause).await;
        }
    }

    /// Whether another chat was refused a moment ago. Discord says itself when it means all of them.
    fn is_second(&self, chat: &str, pause: Duration) -> bool {
        if self.kind == ChannelKind::Discord {
            return false;
        }
        let now = Instant::now();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let before = refused.replace((chat.to_owned(), now + pause));
        before.is_some_and(|(other, until)| other != chat && now < until)
    }

    /// The queue of a chat; none where chats have no limit of their own.
    fn chat(&self, address: &ReplyAddress) -> Option<Queue> {
        let rate = limits::chat_rate(self.kind, limits::lane(address))?;
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = chats.entry(address.chat_id.clone()).or_insert_with(|| {
            let key = subjects::chat_rate(&self.connection, &address.chat_id);
            queue(Limiter::new(Arc::clone(&self.limits), &key, rate))
        });
        Some(Arc::clone(queue))
    }

    /// Lets go of the queues in which nobody stands: what is used up stands in the broker.
    pub(crate) fn forget_quiet_chats(&self) {
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        chats.retain(|_, queue| Arc::strong_count(queue) > 1);
    }
}

fn queue(limiter: Limiter) -> Queue {
    Arc::new(tokio::sync::Mutex::new(limiter))
}

async fn take(limiter: &mut Limiter, lease: &Lease, why: &str) -> Result<(), Unsent> {
    ours(lease)?;
    let permit = limiter.permit_unless_paused(1).await;
    permit.map_err(|pause| wait(pause, why))
}

/// It may be sent, but not now.
pub(crate) fn wait(retry_after: Duration, detail: &str) -> Unsent {
    Unsent::Refused(SendError::RateLimited {
        retry_after,
        is_global: false,
        detail: detail.to_owned(),
    })
}

pub(crate) fn ours(lease: &Lease) -> Result<(), Unsent> {
    if lease.is_held() {
        Ok(())
    } else {
        Err(Unsent::NotOurs)
    }
}
