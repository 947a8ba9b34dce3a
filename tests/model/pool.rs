//! Values that a state refers to by number: contexts and turns of the real types, which have no hash. What the
//! steps ask of them most is kept beside them, so that millions of states can be visited.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use proto_schemas::context::Context;
use proto_schemas::ids::TurnId;
use proto_schemas::turn::Turn;

/// A turn and the facts about it.
pub(crate) struct KnownTurn {
    pub(crate) turn: Turn,
    /// Turns of one name share it.
    pub(crate) name: u16,
    /// What the slot recognises a repetition by: name and revision.
    pub(crate) identity: (u16, u8),
    pub(crate) through: u8,
    pub(crate) revision: u8,
}

/// A context and the facts about it.
pub(crate) struct KnownContext {
    pub(crate) record: Context,
    /// The name of the last turn.
    pub(crate) last: u16,
    pub(crate) through: u8,
}

/// Each different value once.
#[derive(Default)]
pub(crate) struct Pool {
    names: RefCell<HashMap<TurnId, u16>>,
    turns: RefCell<Numbered<KnownTurn>>,
    contexts: RefCell<Numbered<KnownContext>>,
}

struct Numbered<T> {
    numbers: HashMap<String, u16>,
    values: Vec<Rc<T>>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            values: Vec::new(),
        }
    }
}

impl<T> Numbered<T> {
    fn number(&mut self, written: String, value: impl FnOnce() -> T) -> u16 {
        let values = &mut self.values;
        *self.numbers.entry(written).or_insert_with(|| {
            values.push(Rc::new(value()));
            u16::try_from(values.len() - 1).unwrap()
        })
    }
}

impl Pool {
    pub(crate) fn put_turn(&self, turn: Turn) -> u16 {
        let written = serde_json::to_string(&turn).unwrap();
        let name = self.name(&turn.id);
        let (through, revision) = (small(turn.answered_through), small(turn.context_revision));
        self.turns.borrow_mut().number(written, || KnownTurn {
            turn,
            name,
            identity: (name, revision),
            through,
            revision,
        })
    }

    pub(crate) fn turn(&self, number: u16) -> Rc<KnownTurn> {
        Rc::clone(&self.turns.borrow().values[usize::from(number)])
    }

    pub(crate) fn put_context(&self, record: Context) -> u16 {
        let written = serde_json::to_string(&record).unwrap();
        let last = self.name(&record.last.turn);
        let through = small(record.answered_through);
        self.contexts.borrow_mut().number(written, || KnownContext {
            record,
            last,
            through,
        })
    }

    pub(crate) fn context(&self, number: u16) -> Rc<KnownContext> {
        Rc::clone(&self.contexts.borrow().values[usize::from(number)])
    }

    fn name(&self, id: &TurnId) -> u16 {
        let mut names = self.names.borrow_mut();
        let next = u16::try_from(names.len()).unwrap();
        *names.entry(id.clone()).or_insert(next)
    }
}

fn small(number: u64) -> u8 {
    u8::try_from(number).unwrap()
}
