//! Values that a state refers to by number: contexts and turns of the real types, which have no hash. What the
//! steps ask of them most is kept beside them, so that millions of states can be visited.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use domain::conclude::{delivery, next_context};
use proto_schemas::context::{Conclusion, Context, TurnResult};
use proto_schemas::ids::{TurnId, UnixMillis};
use proto_schemas::turn::{Task, Turn};

/// A turn and the facts about it.
pub(crate) struct KnownTurn {
    pub(crate) turn: Turn,
    /// Turns of one name share it.
    pub(crate) name: u8,
    /// What the slot recognises a repetition by: one number for each name and revision.
    pub(crate) identity: u8,
    pub(crate) through: u8,
    pub(crate) revision: u8,
    /// The context that its commit writes.
    pub(crate) next_context: u8,
    /// The cursor of its delivery, which the transcript takes over.
    pub(crate) delivered_through: u8,
}

/// A context and the facts about it.
pub(crate) struct KnownContext {
    pub(crate) record: Context,
    /// The name of the last turn.
    pub(crate) last: u8,
    pub(crate) through: u8,
    pub(crate) reaches: u8,
}

/// Each different value once.
#[derive(Default)]
pub(crate) struct Pool {
    names: RefCell<Numbered<TurnId, ()>>,
    identities: RefCell<Numbered<(u8, u8), ()>>,
    turns: RefCell<Numbered<String, KnownTurn>>,
    contexts: RefCell<Numbered<String, KnownContext>>,
}

struct Numbered<K, T> {
    numbers: HashMap<K, u8>,
    values: Vec<Rc<T>>,
}

impl<K, T> Default for Numbered<K, T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            values: Vec::new(),
        }
    }
}

impl<K: Hash + Eq, T> Numbered<K, T> {
    fn number(&mut self, key: K, value: impl FnOnce() -> T) -> u8 {
        let values = &mut self.values;
        *self.numbers.entry(key).or_insert_with(|| {
            values.push(Rc::new(value()));
            small(values.len() - 1)
        })
    }
}

impl Pool {
    pub(crate) fn put_turn(&self, turn: Turn) -> u8 {
        let conclusion = conclusion(&turn);
        let name = self.name(&turn.id);
        let revision = small(turn.context_revision);
        let next_context = self.put_context(next_context(&turn, conclusion.clone()));
        self.turns
            .borrow_mut()
            .number(serde_json::to_string(&turn).unwrap(), || KnownTurn {
                name,
                identity: self.identities.borrow_mut().number((name, revision), || ()),
                through: small(turn.answered_through),
                revision,
                next_context,
                delivered_through: small(delivery(&turn, &conclusion).answered_through),
                turn,
            })
    }

    pub(crate) fn turn(&self, number: u8) -> Rc<KnownTurn> {
        Rc::clone(&self.turns.borrow().values[usize::from(number)])
    }

    pub(crate) fn put_context(&self, record: Context) -> u8 {
        let written = serde_json::to_string(&record).unwrap();
        let last = self.name(&record.last.turn);
        let (through, reaches) = (small(record.answered_through), small(record.inbox_reaches));
        self.contexts.borrow_mut().number(written, || KnownContext {
            record,
            last,
            through,
            reaches,
        })
    }

    pub(crate) fn context(&self, number: u8) -> Rc<KnownContext> {
        Rc::clone(&self.contexts.borrow().values[usize::from(number)])
    }

    fn name(&self, id: &TurnId) -> u8 {
        self.names.borrow_mut().number(id.clone(), || ())
    }
}

/// What the webhook says to a turn.
pub(crate) fn reply(turn: &Turn) -> String {
    format!("re: {}", turn.id)
}

fn conclusion(turn: &Turn) -> Conclusion {
    let result = match &turn.task {
        Task::Ask { .. } => TurnResult::Reply {
            content: reply(turn),
            attachments: Vec::new(),
            buttons: Vec::new(),
            metadata: None,
        },
        Task::Reset { message } => TurnResult::Reset {
            message: message.clone(),
        },
    };
    Conclusion {
        turn: turn.id.clone(),
        result,
        integration: None,
        arm: None,
        attempts: 1,
        webhook_millis: 0,
        committed_at: UnixMillis(0),
    }
}

fn small(number: impl TryInto<u8, Error: std::fmt::Debug>) -> u8 {
    number.try_into().unwrap()
}
