//! What the model knows: the broker's content, where each worker stands, and what has happened.

use std::cell::RefCell;
use std::collections::HashMap;

use domain::ids;
use domain::policy::{BotPolicy, Overlap};
use proto_schemas::content::{ChannelKind, ReplyAddress, User};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, UnixMillis};
use proto_schemas::inbox::{InboxEntry, Received};

use crate::pool::Pool;

/// The most messages of a conversation.
pub(crate) const MOST: usize = 3;

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
    /// Work that is delivered again while its first taker still has it.
    pub(crate) wakes: u8,
    /// Restarts of the broker: it forgets the identities of what left its work queues.
    pub(crate) restarts: u8,
}

/// The rules of the protocol; each can be switched off to see what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) compare_and_set: bool,
    pub(crate) receipts: bool,
    pub(crate) duplicates_vouch_for_all: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            compare_and_set: true,
            receipts: true,
            duplicates_vouch_for_all: false,
        }
    }
}

/// What a context-builder has read: the context, its revision, and how far the inbox.
pub(crate) type Reading = (Option<u16>, u8, u8);

/// What stays the same.
pub(crate) struct Model {
    pub(crate) inbox: Vec<InboxEntry>,
    pub(crate) policy: BotPolicy,
    pub(crate) limits: Limits,
    pub(crate) rules: Rules,
    pub(crate) pool: Pool,
    /// What was decided before, by context, revision and how far the inbox was read.
    pub(crate) decisions: RefCell<HashMap<Reading, Option<u16>>>,
    /// The context that a turn's commit writes.
    pub(crate) next_contexts: RefCell<HashMap<u16, u16>>,
    /// What is wrong with a sequence of commits.
    pub(crate) verdicts: RefCell<HashMap<Vec<u16>, Option<&'static str>>>,
}

/// An event of a durable consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    /// Nothing happened yet.
    Absent,
    /// To be delivered, for the first time or again.
    Ready,
    /// A worker has it.
    Taken,
    /// Let go of.
    Done,
}

/// The one message of a work queue's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    pub(crate) turn: u16,
    /// Tells two publishes of the same turn apart, as the sequence does.
    pub(crate) sequence: u8,
    /// A worker has it.
    pub(crate) held: bool,
    /// It was delivered before.
    pub(crate) seen: bool,
}

/// What woke a context-builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Trigger {
    Inbox(u8),
    Ring,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Builder {
    Idle,
    /// Has read the conversation: the context's revision, and the inbox up to a sequence.
    Read {
        trigger: Trigger,
        revision: u8,
        through: u8,
    },
    /// Has acted, and settles the event.
    Settling {
        trigger: Trigger,
        done: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Caller {
    Idle,
    /// Looks up how far a redelivered turn got.
    Looking(Slot),
    /// Has its answer.
    Answered(Slot),
    /// Is committed; publishes the delivery.
    Delivering(Slot),
    /// Lets go of the turn.
    Settling(Slot, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sender {
    Idle,
    Looking(Slot),
    Sending(Slot),
    Writing(Slot),
    Settling(Slot),
}

/// The world at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// How many messages have arrived.
    pub(crate) arrived: u8,
    pub(crate) events: [Event; MOST],
    /// The context of each revision; the last is the present one.
    pub(crate) revisions: Vec<u16>,
    /// The event of the present revision.
    pub(crate) ring: Event,
    pub(crate) turn: Option<Slot>,
    pub(crate) delivery: Option<Slot>,
    pub(crate) sequence: u8,
    /// Turns whose identity the duplicate windows of TURNS and DELIVERIES know.
    pub(crate) known_turns: Vec<(u16, u8)>,
    pub(crate) known_deliveries: Vec<u16>,
    /// The cursor of the last transcript.
    pub(crate) receipt: u8,
    pub(crate) builders: [Builder; 2],
    pub(crate) callers: [Caller; 2],
    pub(crate) sender: Sender,
    /// Turns in the order of their commits.
    pub(crate) commits: Vec<u16>,
    /// The names of turns whose reply was sent, in order.
    pub(crate) sent: Vec<u16>,
    pub(crate) sender_failed: bool,
    pub(crate) crashes: u8,
    pub(crate) wakes: u8,
    pub(crate) restarts: u8,
}

impl State {
    /// Workers of a kind are alike: which of them stands where makes no difference.
    pub(crate) fn canonical(mut self) -> Self {
        self.builders.sort_unstable();
        self.callers.sort_unstable();
        self
    }

    pub(crate) fn revision(&self) -> u8 {
        u8::try_from(self.revisions.len()).unwrap()
    }
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
            next_contexts: RefCell::default(),
            verdicts: RefCell::default(),
        }
    }

    pub(crate) fn start(&self) -> State {
        State {
            arrived: 0,
            events: [Event::Absent; MOST],
            revisions: Vec::new(),
            ring: Event::Absent,
            turn: None,
            delivery: None,
            sequence: 0,
            known_turns: Vec::new(),
            known_deliveries: Vec::new(),
            receipt: 0,
            builders: [Builder::Idle; 2],
            callers: [Caller::Idle; 2],
            sender: Sender::Idle,
            commits: Vec::new(),
            sent: Vec::new(),
            sender_failed: false,
            crashes: 0,
            wakes: 0,
            restarts: 0,
        }
    }

    pub(crate) fn message(&self, index: u8) -> &MessageId {
        self.inbox[usize::from(index)].message_id()
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
        },
        user: User {
            id: "u".to_owned(),
            name: None,
            username: None,
        },
        text: format!("q{index}"),
        files: Vec::new(),
        replay_of: None,
        accepted_at: UnixMillis(0),
    }
}

fn policy(overlap: Overlap) -> BotPolicy {
    BotPolicy {
        name: "B".to_owned(),
        integration: IntegrationId::new("i").unwrap(),
        max_messages: 100,
        max_bytes: 10_000,
        max_age: None,
        system_prompt: None,
        overlap,
        error_message: "Sorry".to_owned(),
        reset_message: "Done".to_owned(),
    }
}
