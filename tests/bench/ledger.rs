//! Who asked what when, and what came back. A reply that is wrong, late in its order or missing is a fault, and a
//! benchmark with a fault fails.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::token::Token;

/// Faults that are kept in words; the others are counted.
const TOLD_FAULTS: usize = 5;

/// All conversations of a run.
pub(crate) struct Ledger {
    books: RefCell<Books>,
    changed: Notify,
    /// The time that the backend takes on purpose; not the chain's.
    backend_time: Duration,
}

struct Books {
    conversations: Vec<Conversation>,
    /// Conversations whose reply came and that nobody has looked at since.
    freed: VecDeque<usize>,
    outstanding: usize,
    window: Option<Vec<Duration>>,
    faults: Vec<String>,
    fault_count: usize,
}

#[derive(Default)]
struct Conversation {
    asked: u32,
    waiting: VecDeque<(u32, Instant)>,
}

impl Ledger {
    /// A ledger of conversations in which nothing was said.
    pub(crate) fn new(conversations: usize, backend_time: Duration) -> Self {
        let books = Books {
            conversations: (0..conversations).map(|_| Conversation::default()).collect(),
            freed: VecDeque::new(),
            outstanding: 0,
            window: None,
            faults: Vec::new(),
            fault_count: 0,
        };
        Self {
            books: RefCell::new(books),
            changed: Notify::new(),
            backend_time,
        }
    }

    /// A message is sent, at the time at which it was to be sent.
    pub(crate) fn ask(&self, conversation: usize, intended: Instant) -> Token {
        let mut books = self.books.borrow_mut();
        books.outstanding += 1;
        let entry = &mut books.conversations[conversation];
        entry.asked += 1;
        let number = entry.asked;
        entry.waiting.push_back((number, intended));
        Token { conversation, number }
    }

    /// The message was refused: nobody will answer it.
    pub(crate) fn withdraw(&self, token: Token) {
        let mut books = self.books.borrow_mut();
        let waiting = &mut books.conversations[token.conversation].waiting;
        let before = waiting.len();
        waiting.retain(|(number, _)| *number != token.number);
        books.outstanding -= before - books.conversations[token.conversation].waiting.len();
        drop(books);
        self.changed.notify_waiters();
    }

    /// A reply came. It must be to the oldest message of its conversation that waits.
    pub(crate) fn reply(&self, token: Option<Token>) {
        let now = Instant::now();
        let Some(token) = token else {
            return self.fault("a reply that echoes no message".to_owned());
        };
        let mut books = self.books.borrow_mut();
        let waiting = books.conversations.get_mut(token.conversation);
        match waiting.and_then(|entry| entry.waiting.pop_front_if(|(number, _)| *number == token.number)) {
            Some((_, intended)) => {
                books.outstanding -= 1;
                books.freed.push_back(token.conversation);
                let took = (now - intended).saturating_sub(self.backend_time);
                if let Some(window) = &mut books.window {
                    window.push(took);
                }
                drop(books);
                self.changed.notify_waiters();
            }
            None => {
                drop(books);
                self.fault(format!("a reply to {token} that nobody waits for now"));
            }
        }
    }

    /// Something that must not be.
    pub(crate) fn fault(&self, fault: String) {
        let mut books = self.books.borrow_mut();
        books.fault_count += 1;
        if books.faults.len() < TOLD_FAULTS {
            books.faults.push(fault);
        }
    }

    /// Whether a conversation waits for nothing.
    pub(crate) fn is_free(&self, conversation: usize) -> bool {
        self.books.borrow().conversations[conversation].waiting.is_empty()
    }

    /// Waits for a conversation whose reply came.
    pub(crate) async fn freed(&self) -> usize {
        loop {
            let changed = self.changed.notified();
            if let Some(conversation) = self.books.borrow_mut().freed.pop_front() {
                return conversation;
            }
            changed.await;
        }
    }

    /// Waits until every message has its reply; the number that have none when the time is over.
    pub(crate) async fn settle(&self, patience: Duration) -> usize {
        let settled = async {
            loop {
                let changed = self.changed.notified();
                if self.books.borrow().outstanding == 0 {
                    return;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(patience, settled).await {
            Ok(()) => 0,
            Err(_) => self.books.borrow().outstanding,
        }
    }

    /// The fewest messages of a conversation that have their reply.
    pub(crate) fn fewest_turns(&self, conversations: usize) -> u32 {
        let books = self.books.borrow();
        let turns = books.conversations[..conversations].iter().map(|entry| {
            entry
                .asked
                .saturating_sub(u32::try_from(entry.waiting.len()).unwrap_or(u32::MAX))
        });
        turns.min().unwrap_or(0)
    }

    /// From now on latencies are kept.
    pub(crate) fn open_window(&self) {
        self.books.borrow_mut().window = Some(Vec::new());
    }

    /// The latencies since the window was opened.
    pub(crate) fn close_window(&self) -> Vec<Duration> {
        self.books.borrow_mut().window.take().unwrap_or_default()
    }

    /// How many faults there were, and the first of them in words.
    pub(crate) fn faults(&self) -> (usize, Vec<String>) {
        let books = self.books.borrow();
        (books.fault_count, books.faults.clone())
    }
}
