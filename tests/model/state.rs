//! What the model knows at one moment: the broker's content, where each worker stands, and what has happened.

use crate::list::{List, Set};

/// The most messages of a conversation.
pub(crate) const MOST: usize = 3;

/// Turns that are dropped ring, and each ring makes what was read before stale: a scheduler that is unfair for
/// ever could go on so for ever. From here on it is taken to be fair.
pub(crate) const MOST_REVISIONS: usize = 4;

/// An event of a durable consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) turn: u8,
    /// A worker has it.
    pub(crate) held: bool,
    /// It was delivered before.
    pub(crate) seen: bool,
}

/// A slot's message in a worker's hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Held {
    pub(crate) turn: u8,
    /// The message is still the one in the slot: nobody else has let go of it.
    pub(crate) is_current: bool,
}

/// What woke a context-builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Trigger {
    /// The entry at this place in the inbox.
    Inbox(u8),
    /// This revision of the context.
    Ring(u8),
}

/// What a context-builder has read: the context's revision, and the inbox up to a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reading {
    pub(crate) trigger: Trigger,
    pub(crate) revision: u8,
    pub(crate) through: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Builder {
    Idle,
    Read(Reading),
    /// Has acted, and lets go of the event.
    Settling(Trigger),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Caller {
    Idle,
    /// Looks up how far a redelivered turn got.
    Looking(Held),
    /// Has its answer.
    Answered(Held),
    /// Is committed; publishes the delivery.
    Delivering(Held),
    /// Lets go of the turn.
    Settling(Held),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sender {
    Idle,
    /// Looks whether the delivery was finished before.
    Looking(Held),
    /// Has seen the last transcript at this cursor.
    Sending(Held, u8),
    /// Writes the transcript behind that one.
    Writing(Held, u8),
    /// Lets go of the delivery.
    Settling(Held),
}

/// What the chat has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Chat {
    /// How many replies, repetitions not counted.
    pub(crate) replies: u8,
    /// What was wrong with one.
    pub(crate) slip: Option<Slip>,
}

/// What must not happen to a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Slip {
    /// It came before one that was committed earlier.
    Overtook,
    /// It came again after a later one.
    RepeatedLate,
    /// It came again although no egress worker died or slept.
    RepeatedNeedlessly,
}

/// The world at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// How many messages have arrived.
    pub(crate) arrived: u8,
    pub(crate) events: [Event; MOST],
    /// The context of each revision; the last is the present one.
    pub(crate) revisions: List<{ MOST_REVISIONS + 1 }>,
    /// The event of the present revision.
    pub(crate) ring: Event,
    pub(crate) turn: Option<Slot>,
    pub(crate) delivery: Option<Slot>,
    /// What the duplicate windows of TURNS, DELIVERIES and TRANSCRIPTS know.
    pub(crate) known_turns: Set,
    pub(crate) known_deliveries: Set,
    pub(crate) known_transcripts: Set,
    /// The cursor of the last transcript.
    pub(crate) receipt: u8,
    pub(crate) builders: [Builder; 2],
    pub(crate) callers: [Caller; 2],
    pub(crate) senders: [Sender; 2],
    /// Turns in the order of their commits.
    pub(crate) commits: List<{ MOST + 1 }>,
    pub(crate) chat: Chat,
    /// An egress worker died, or slept while another took its delivery.
    pub(crate) egress_failed: bool,
    pub(crate) crashes: u8,
    pub(crate) wakes: u8,
    pub(crate) lapses: u8,
}

impl State {
    pub(crate) const START: Self = Self {
        arrived: 0,
        events: [Event::Absent; MOST],
        revisions: List::EMPTY,
        ring: Event::Absent,
        turn: None,
        delivery: None,
        known_turns: Set::EMPTY,
        known_deliveries: Set::EMPTY,
        known_transcripts: Set::EMPTY,
        receipt: 0,
        builders: [Builder::Idle; 2],
        callers: [Caller::Idle; 2],
        senders: [Sender::Idle; 2],
        commits: List::EMPTY,
        chat: Chat {
            replies: 0,
            slip: None,
        },
        egress_failed: false,
        crashes: 0,
        wakes: 0,
        lapses: 0,
    };

    /// The newest revision of the context; 0 before the first.
    pub(crate) fn revision(&self) -> u8 {
        self.revisions.count()
    }

    /// Writes the context: a revision, and its event.
    pub(crate) fn write_context(&mut self, number: u8) {
        self.revisions.push(number);
        self.ring = Event::Ready;
    }

    /// The event behind a trigger. An older revision has none any more: the bucket keeps the newest only.
    pub(crate) fn event(&mut self, trigger: Trigger) -> Option<&mut Event> {
        match trigger {
            Trigger::Inbox(index) => Some(&mut self.events[usize::from(index)]),
            Trigger::Ring(revision) => (revision == self.revision()).then_some(&mut self.ring),
        }
    }

    /// Changes an event that is not let go of yet; afterwards nothing counts.
    pub(crate) fn settle(&mut self, trigger: Trigger, to: Event) {
        if let Some(event) = self.event(trigger)
            && *event != Event::Done
        {
            *event = to;
        }
    }

    /// The turn leaves its slot, if it is the one that is held; so for all who hold it.
    pub(crate) fn free_turn(&mut self, held: Held) {
        if held.is_current {
            self.turn = None;
            for caller in &mut self.callers {
                match caller {
                    Caller::Idle => {}
                    Caller::Looking(held)
                    | Caller::Answered(held)
                    | Caller::Delivering(held)
                    | Caller::Settling(held) => held.is_current = false,
                }
            }
        }
    }

    /// As [`Self::free_turn`], for the delivery.
    pub(crate) fn free_delivery(&mut self, held: Held) {
        if held.is_current {
            self.delivery = None;
            for sender in &mut self.senders {
                match sender {
                    Sender::Idle => {}
                    Sender::Looking(held)
                    | Sender::Sending(held, _)
                    | Sender::Writing(held, _)
                    | Sender::Settling(held) => held.is_current = false,
                }
            }
        }
    }

    /// One state for all that differ in nothing that matters: workers of a kind are alike, and to let go of what
    /// is gone does nothing.
    pub(crate) fn canonical(mut self) -> Self {
        for worker in 0..2 {
            if let Builder::Settling(trigger) = self.builders[worker]
                && self.event(trigger).is_none_or(|event| *event == Event::Done)
            {
                self.builders[worker] = Builder::Idle;
            }
            if let Caller::Settling(held) = self.callers[worker]
                && !held.is_current
            {
                self.callers[worker] = Caller::Idle;
            }
            if let Sender::Settling(held) = self.senders[worker]
                && !held.is_current
            {
                self.senders[worker] = Sender::Idle;
            }
        }
        self.builders.sort_unstable();
        self.callers.sort_unstable();
        self.senders.sort_unstable();
        self
    }
}
