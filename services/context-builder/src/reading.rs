//! Reading a conversation: its context and what has arrived since.

use std::collections::{HashMap, HashSet};

use bus::{Bus, BusError, Entry, TraceContext};
use domain::decide::{ContextAt, Pending};
use proto_schemas::context::Context;
use proto_schemas::ids::{ConversationId, MessageId};
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, INBOX};
use proto_schemas::wire::{PREDECESSOR, TRACEPARENT};
use runtime::Job;

/// Entries that one read brings.
const PAGE: usize = 256;
/// Bytes that one read brings, about.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Entries that are enough to decide. A longer backlog is decided from its beginning; only a reset behind it
/// is seen later.
const ENOUGH: usize = 1024;

/// A conversation as it was read.
pub(crate) struct Reading {
    pub(crate) context: Option<ContextAt>,
    /// The revision of the context, or of the marker that it was removed; 0 when there never was one. A turn that was
    /// built before a removal must not be committed after it.
    pub(crate) revision: u64,
    /// What arrived after the context's cursor, in order. Entries that nobody can read are left out; they
    /// have a dead letter of their own.
    pub(crate) pending: Vec<Pending>,
    /// The trace of each of them: a turn belongs to the trace of its first message, whatever event made it due.
    traces: HashMap<u64, TraceContext>,
    /// The last sequence that was looked at; all before it on the subject is in `pending` or unreadable.
    read_through: u64,
    /// Whether more lies behind.
    truncated: bool,
}

impl Reading {
    /// Reads the context, and the inbox behind it up to what was its newest entry a moment before. What is committed
    /// later is then still pending here, and the stale turn loses its compare-and-set.
    pub(crate) async fn up_to(
        bus: &Bus,
        conversation: &ConversationId,
        newest: Option<&Entry>,
    ) -> Result<Self, BusError> {
        let mut reading = Self::of_context(bus, conversation).await?;
        reading.read_on(bus, conversation, newest).await?;
        Ok(reading)
    }

    /// Reads the context, and nothing of the inbox yet.
    pub(crate) async fn of_context(bus: &Bus, conversation: &ConversationId) -> Result<Self, BusError> {
        let found = bus.look_up::<Context>(&CONTEXTS, conversation.as_str()).await?;
        let revision = found.revision;
        let context = found.record.map(|record| ContextAt { revision, record });
        let read_through = context
            .as_ref()
            .map_or(0, |context| context.record.answered_through);
        Ok(Self {
            context,
            revision,
            pending: Vec::new(),
            traces: HashMap::new(),
            read_through,
            truncated: true,
        })
    }

    /// Whether an entry that follows `predecessor` is the first one behind the context.
    pub(crate) fn ends_at(&self, predecessor: u64) -> bool {
        predecessor <= self.read_through
    }

    /// Takes up the entry behind the context, which is known without reading it.
    pub(crate) fn begin_with(&mut self, sequence: u64, entry: InboxEntry) {
        self.read_through = sequence;
        self.pending.push(Pending { sequence, entry });
    }

    /// Reads the first entry behind the context.
    pub(crate) async fn begin(&mut self, bus: &Bus, conversation: &ConversationId) -> Result<(), BusError> {
        let subject = subjects::inbox(conversation);
        let first = bus.first(INBOX.name, &subject, self.read_through + 1).await?;
        self.truncated = first.is_some();
        if let Some(first) = first {
            self.take(&first, |_| true);
        }
        Ok(())
    }

    /// Reads on, as far as is needed to decide. `newest` is the inbox's last entry: mostly there is nothing before
    /// it that is not read yet, and then the rest, which the server has to search for, is not asked for.
    pub(crate) async fn read_on(
        &mut self,
        bus: &Bus,
        conversation: &ConversationId,
        newest: Option<&Entry>,
    ) -> Result<(), BusError> {
        match newest {
            Some(newest) if newest.sequence > self.read_through => {
                if predecessor(newest.header(PREDECESSOR)).is_some_and(|earlier| self.ends_at(earlier)) {
                    self.take(newest, |_| true);
                    self.truncated = false;
                }
            }
            Some(_) | None => self.truncated = false,
        }
        while self.truncated && self.pending.len() < ENOUGH {
            self.read_page(bus, conversation, |_| true).await?;
        }
        Ok(())
    }

    /// Looks for what became of the files of the messages read so far in the rest of a long backlog.
    pub(crate) async fn find_attached(
        &mut self,
        bus: &Bus,
        conversation: &ConversationId,
    ) -> Result<(), BusError> {
        if !self.truncated {
            return Ok(());
        }
        let messages: HashSet<MessageId> = self
            .pending
            .iter()
            .map(|pending| pending.entry.message_id().clone())
            .collect();
        let about_them = |entry: &InboxEntry| match entry {
            InboxEntry::Attached(attached) => messages.contains(&attached.message_id),
            InboxEntry::Received(_) | InboxEntry::Reset(_) => false,
        };
        while self.truncated {
            self.read_page(bus, conversation, about_them).await?;
        }
        Ok(())
    }

    async fn read_page(
        &mut self,
        bus: &Bus,
        conversation: &ConversationId,
        keep: impl Fn(&InboxEntry) -> bool,
    ) -> Result<(), BusError> {
        let subject = subjects::inbox(conversation);
        let page = bus
            .entries(INBOX.name, &subject, self.read_through + 1, PAGE, PAGE_BYTES)
            .await?;
        self.truncated = page.behind > 0 && !page.list.is_empty();
        for stored in &page.list {
            self.take(stored, &keep);
        }
        Ok(())
    }

    fn take(&mut self, stored: &Entry, keep: impl Fn(&InboxEntry) -> bool) {
        self.read_through = stored.sequence;
        if let Ok(entry) = stored.decode::<InboxEntry>()
            && keep(&entry)
        {
            if let Some(trace) = stored.header(TRACEPARENT).and_then(TraceContext::parse) {
                self.traces.insert(stored.sequence, trace);
            }
            self.pending.push(Pending {
                sequence: stored.sequence,
                entry,
            });
        }
    }

    /// The sequence of the oldest message without an outcome, and the bot that is to answer it.
    pub(crate) fn due(&self) -> Option<(u64, &Received)> {
        let answered = |received: &Received| {
            let context = self.context.as_ref();
            context.is_some_and(|context| context.record.answered.contains(&received.message_id))
        };
        self.pending.iter().find_map(|pending| match &pending.entry {
            InboxEntry::Received(received) | InboxEntry::Reset(received) => {
                (!answered(received)).then_some((pending.sequence, received))
            }
            InboxEntry::Attached(_) => None,
        })
    }

    /// Whether the reading includes an inbox entry that is known to be stored. A follower may lag behind.
    pub(crate) fn includes(&self, sequence: u64) -> bool {
        self.truncated || self.read_through >= sequence
    }

    /// Whether the reading is at least as new as a revision of the context that is known to be stored, and reaches
    /// as far into the inbox as the context says. A follower may lag behind. A context that was removed is
    /// followed by nothing, and neither is its event repeated.
    pub(crate) fn follows(&self, revision: u64) -> bool {
        self.context.as_ref().is_some_and(|context| {
            context.revision >= revision && self.includes(context.record.inbox_reaches)
        })
    }

    /// What the context says, if there is one.
    pub(crate) fn record(&self) -> Option<&Context> {
        self.context.as_ref().map(|context| &context.record)
    }

    /// Whether the message still waits for its outcome.
    pub(crate) fn awaits(&self, message: &MessageId) -> bool {
        self.pending.iter().any(|pending| match &pending.entry {
            InboxEntry::Received(received) | InboxEntry::Reset(received) => received.message_id == *message,
            InboxEntry::Attached(_) => false,
        })
    }

    /// The trace that a message began: what is done for it belongs there, also when the event of another one led to it.
    pub(crate) fn trace_of(&self, message: &MessageId, job: &Job) -> TraceContext {
        let mut pending = self.pending.iter();
        let received = pending.find(|pending| pending.entry.message_id() == message);
        let began = received.and_then(|received| self.traces.get(&received.sequence));
        match began {
            Some(began) if !began.shares_trace_with(job.trace) => *began,
            Some(_) | None => job.trace,
        }
    }
}

/// The newest entry in a conversation's inbox.
pub(crate) async fn newest(bus: &Bus, conversation: &ConversationId) -> Result<Option<Entry>, BusError> {
    bus.last(INBOX.name, &subjects::inbox(conversation)).await
}

/// The sequence that an entry's header names as its predecessor's; 0 when it is the first. The server has checked
/// it. Entries that were not pushed by a platform name none.
pub(crate) fn predecessor(header: Option<&str>) -> Option<u64> {
    header?.parse().ok()
}
