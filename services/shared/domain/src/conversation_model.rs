//! Whole conversations: messages, files, resets and repetitions arrive at any point while decisions are
//! carried out, and the promises are checked on what comes out.

use std::collections::VecDeque;

use proptest::prelude::*;
use proto_schemas::content::Role;
use proto_schemas::context::{REMEMBERED_MESSAGES, TurnResult};
use proto_schemas::fetch::Fetch;
use proto_schemas::ids::{MessageId, UnixMillis};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::turn::{Task, Turn};

use crate::conclude::{looked_after, next_context};
use crate::decide::{ContextAt, Decision, Pending, decide};
use crate::policy::BotPolicy;
use crate::samples::{
    attached, coalesce, conclusion, failure, message, of_album, reply, reset, text, unlimited, with_file,
};

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
enum Event {
    Text,
    File,
    /// A message of an album, the same one as the message before if that was of one.
    Picture,
    Reset,
    /// An earlier entry, of any kind, is appended again.
    Repeat(usize),
    /// A decision is taken and its work begun, if there is room for it.
    Decide,
    /// The oldest fetch ends.
    Fetched,
    /// The turn in the slot ends; by a failure if so.
    Answered {
        fails: bool,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Text),
        2 => Just(Event::File),
        2 => Just(Event::Picture),
        1 => Just(Event::Reset),
        2 => any::<usize>().prop_map(Event::Repeat),
        6 => Just(Event::Decide),
        3 => Just(Event::Fetched),
        4 => proptest::bool::weighted(0.2).prop_map(|fails| Event::Answered { fails }),
    ]
}

/// A conversation with its mailbox, its record, its slot for a turn and its fetches.
struct Conversation {
    policy: BotPolicy,
    inbox: Vec<Pending>,
    context: Option<ContextAt>,
    slot: Option<Turn>,
    fetches: VecDeque<MessageId>,
    /// The messages, in the order of their first arrival.
    arrived: Vec<MessageId>,
    /// The messages, in the order in which committed turns answer them.
    answered: Vec<MessageId>,
    /// What the bot said since the last reset.
    replies: Vec<String>,
}

impl Conversation {
    fn new(policy: BotPolicy) -> Self {
        Self {
            policy,
            inbox: Vec::new(),
            context: None,
            slot: None,
            fetches: VecDeque::new(),
            arrived: Vec::new(),
            answered: Vec::new(),
            replies: Vec::new(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Text => self.arrive(text),
            Event::File => self.arrive(with_file),
            Event::Picture => self.arrive(|n| of_album(n, "a")),
            Event::Reset => self.arrive(reset),
            Event::Repeat(index) => {
                if let Some(repeated) = index.checked_rem(self.inbox.len()) {
                    self.append(self.inbox[repeated].entry.clone());
                }
            }
            Event::Decide => self.act(),
            Event::Fetched => self.end_fetch(),
            Event::Answered { fails } => self.end_turn(fails),
        }
    }

    /// A new message arrives. No more arrive than a record remembers: beyond that, a repetition is new.
    fn arrive(&mut self, entry: impl Fn(usize) -> InboxEntry) {
        let n = self.arrived.len();
        if n < REMEMBERED_MESSAGES {
            self.arrived.push(message(n));
            self.append(entry(n));
        }
    }

    fn append(&mut self, entry: InboxEntry) {
        let sequence = self.inbox.len() as u64 + 1;
        self.inbox.push(Pending { sequence, entry });
    }

    fn decision(&self) -> Decision {
        decide(
            self.context.as_ref(),
            &self.inbox,
            &self.policy,
            UnixMillis(1_000_000),
        )
    }

    fn act(&mut self) {
        match self.decision() {
            Decision::Idle => {}
            Decision::Wait { .. } => panic!("all albums are old here"),
            // As in the real stream, a message has one slot for fetching its files.
            Decision::Fetch(Fetch::In { message_id, .. }) => {
                if !self.fetches.contains(&message_id) {
                    self.fetches.push_back(message_id);
                }
            }
            Decision::Fetch(Fetch::Out { .. }) => panic!("decide fetches no replies"),
            Decision::Call(turn) => {
                if self.slot.is_none() {
                    self.check_history(&turn);
                    self.slot = Some(*turn);
                }
            }
        }
    }

    /// Complete context: every reply since the last reset, in order.
    fn check_history(&self, turn: &Turn) {
        if let Task::Ask { history, .. } = &turn.task {
            let said = history
                .iter()
                .filter(|utterance| utterance.role == Role::Assistant);
            let said: Vec<&String> = said.map(|utterance| &utterance.text).collect();
            assert_eq!(said, self.replies.iter().collect::<Vec<_>>());
        }
    }

    fn end_fetch(&mut self) {
        if let Some(fetched) = self.fetches.pop_front() {
            let n = self
                .arrived
                .iter()
                .position(|arrived| *arrived == fetched)
                .unwrap();
            self.append(attached(n));
        }
    }

    fn end_turn(&mut self, fails: bool) {
        let Some(turn) = self.slot.take() else { return };
        let revision = self.context.as_ref().map_or(0, |context| context.revision);
        assert_eq!(
            turn.context_revision, revision,
            "the commit would lose its compare-and-set"
        );
        let result = match &turn.task {
            Task::Reset { message } => {
                self.replies.clear();
                TurnResult::Reset {
                    message: message.clone(),
                }
            }
            Task::Ask { .. } if fails => failure(),
            Task::Ask { .. } => {
                self.replies.push(format!("r{revision}"));
                reply(&format!("r{revision}"))
            }
        };
        let record = next_context(&turn, conclusion(&turn, result));
        self.answered.extend(turn.answers);
        self.context = Some(ContextAt {
            revision: revision + 1,
            record,
        });
    }

    /// Carries on without new arrivals until nothing is due.
    fn settle(&mut self) {
        let most_steps = 4 * self.inbox.len() + 4;
        for _ in 0..most_steps {
            if self.decision() == Decision::Idle {
                return;
            }
            self.act();
            self.end_fetch();
            self.end_turn(false);
        }
        panic!("still {:?} after {most_steps} steps", self.decision());
    }

    fn is_looked_after(&self, message: &MessageId) -> bool {
        let first = self
            .inbox
            .iter()
            .find(|pending| pending.entry.message_id() == message)
            .unwrap();
        looked_after(
            message,
            first.sequence,
            self.context.as_ref().map(|context| &context.record),
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_message_gets_one_outcome_in_the_order_of_arrival(
        events in proptest::collection::vec(event(), 0..80),
        together: bool,
    ) {
        let mut conversation = Conversation::new(if together { coalesce() } else { unlimited() });
        for event in events {
            conversation.happen(event);
            for message in &conversation.arrived {
                let has_outcome = conversation.answered.contains(message);
                prop_assert_eq!(conversation.is_looked_after(message), has_outcome, "{}", message);
            }
        }
        conversation.settle();
        prop_assert_eq!(&conversation.answered, &conversation.arrived);
        prop_assert_eq!(conversation.slot, None);
    }
}
