//! What stays the same while a model is explored: the messages, the policy, what may go wrong and how often, and
//! which rules of the protocol hold.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use domain::ids;
use domain::policy::{BotPolicy, Overlap};
use domain::split::Webhook;
use proto_schemas::content::{ChannelKind, ReplyAddress, User};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, UnixMillis};
use proto_schemas::inbox::{InboxEntry, Received};

use crate::pool::{KnownContext, Pool};
use crate::state::State;

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Reset,
}

/// How often what can go wrong does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Workers that die with what they hold.
    pub(crate) crashes: u8,
    /// Workers that sleep, while what they hold is delivered again.
    pub(crate) wakes: u8,
    /// Times that the broker forgets identities: of what left its work queues when it restarts, of all when
    /// its duplicate window passes.
    pub(crate) lapses: u8,
    /// How many revisions a read of the context may lag behind.
    pub(crate) lag: u8,
}

/// Nothing goes wrong.
pub(crate) const NO_FAULTS: Limits = Limits {
    crashes: 0,
    wakes: 0,
    lapses: 0,
    lag: 0,
};

/// The rules of the protocol; each can be broken to see what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// A commit compares the context's revision with the turn's.
    pub(crate) compare_and_set: bool,
    /// Egress drops what the last transcript shows as finished.
    pub(crate) receipts: bool,
    /// A duplicate vouches for the message that the turn is named after, and for no other.
    pub(crate) duplicates_vouch_for_one: bool,
    /// A reading includes the inbox entries that its event knows to be there.
    pub(crate) readings_include_entries: bool,
    /// A reading for the event of a context's revision is not older than that revision.
    pub(crate) readings_include_revision: bool,
    /// Who loses a compare-and-set and finds no context takes it for a stale read.
    pub(crate) absence_is_doubted: bool,
    /// A turn stays while an earlier reply is in the delivery's slot.
    pub(crate) turns_wait_for_deliveries: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            compare_and_set: true,
            receipts: true,
            duplicates_vouch_for_one: true,
            readings_include_entries: true,
            readings_include_revision: true,
            absence_is_doubted: true,
            turns_wait_for_deliveries: true,
        }
    }
}

/// A conversation as it was read: the context, its revision, and how far the inbox.
type Conversation = (Option<u8>, u8, u8);

/// A small world, and what was found out about it.
pub(crate) struct Model {
    pub(crate) inbox: Vec<InboxEntry>,
    pub(crate) policy: BotPolicy,
    pub(crate) limits: Limits,
    pub(crate) rules: Rules,
    pub(crate) pool: Pool,
    /// What was decided before.
    pub(crate) decisions: RefCell<HashMap<Conversation, Option<u8>>>,
    /// What is wrong with a sequence of commits.
    pub(crate) verdicts: RefCell<HashMap<Vec<u8>, Option<&'static str>>>,
}

impl Model {
    pub(crate) fn new(kinds: &[Kind], overlap: Overlap, limits: Limits, rules: Rules) -> Self {
        let connection = ConnectionId::new("web").unwrap();
        let conversation = ids::conversation_id(&connection, "chat", None, None);
        let entry = |(index, kind): (usize, &Kind)| {
            let received = received(&connection, &conversation, index);
            match kind {
                Kind::Text => InboxEntry::Received(received),
                Kind::Reset => InboxEntry::Reset(received),
            }
        };
        Self {
            inbox: kinds.iter().enumerate().map(entry).collect(),
            policy: policy(overlap),
            limits,
            rules,
            pool: Pool::default(),
            decisions: RefCell::default(),
            verdicts: RefCell::default(),
        }
    }

    pub(crate) fn message(&self, index: u8) -> &MessageId {
        self.inbox[usize::from(index)].message_id()
    }

    /// The context of a revision; revision 0 is none.
    pub(crate) fn context(&self, state: &State, revision: u8) -> Option<Rc<KnownContext>> {
        let index = usize::from(revision).checked_sub(1)?;
        Some(self.pool.context(state.revisions[index]))
    }

    /// The oldest revision that a read of the context may bring.
    pub(crate) fn oldest(&self, state: &State) -> u8 {
        state.revision().saturating_sub(self.limits.lag)
    }
}

fn received(connection: &ConnectionId, conversation: &ConversationId, index: usize) -> Received {
    Received {
        message_id: ids::message_id(conversation, &index.to_string()),
        conversation: conversation.clone(),
        bot: BotId::new("b").unwrap(),
        connection: connection.clone(),
        channel: ChannelKind::Http,
        address: ReplyAddress {
            chat_id: "chat".to_owned(),
            thread_id: None,
            message_id: None,
            interaction: None,
        },
        user: User {
            id: "u".to_owned(),
            name: None,
            username: None,
        },
        text: format!("q{index}"),
        files: Vec::new(),
        album: None,
        replay_of: None,
        accepted_at: UnixMillis(0),
    }
}

fn policy(overlap: Overlap) -> BotPolicy {
    BotPolicy {
        name: "B".to_owned(),
        webhook: Webhook::One(IntegrationId::new("i").unwrap()),
        fallback: None,
        max_messages: 100,
        max_bytes: 10_000,
        max_age: None,
        system_prompt: None,
        overlap,
        error_message: "Sorry".to_owned(),
        reset_message: "Done".to_owned(),
    }
}
