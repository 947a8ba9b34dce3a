//! Who asked what when, and what came back. A reply that is wrong or missing is a fault, and a benchmark with a
//! fault fails. A reply that comes again is counted: the machine may have stood still long enough to allow it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
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

#[derive(Default)]
struct Books {
    conversations: Vec<Conversation>,
    /// Conversations whose reply came and that nobody has looked at since.
    freed: VecDeque<usize>,
    outstanding: usize,
    window: Option<Window>,
    faults: Vec<String>,
    fault_count: usize,
    surplus: usize,
}

#[derive(Default)]
struct Conversation {
    asked: u32,
    answered: u32,
    /// Numbers of messages, and when each was to be sent. Few: a user rarely sends many before the first reply.
    waiting: Vec<(u32, Instant)>,
}

struct Window {
    of: Range<usize>,
    latencies: Vec<Duration>,
}

impl Ledger {
    /// A ledger of conversations in which nothing was said.
    pub(crate) fn new(conversations: usize, backend_time: Duration) -> Self {
        let conversations = std::iter::repeat_with(Conversation::default).take(conversations);
        let books = Books {
            conversations: conversations.collect(),
            ..Books::default()
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
        entry.waiting.push((number, intended));
        Token { conversation, number }
    }

    /// Nobody has promised to answer the message: it was refused, or the answer to its push was lost.
    pub(crate) fn withdraw(&self, token: Token) {
        self.books.borrow_mut().strike_out(token);
        self.changed.notify_waiters();
    }

    /// A reply came.
    pub(crate) fn reply(&self, token: Option<Token>) {
        let now = Instant::now();
        let Some(token) = token else {
            return self.fault("a reply that echoes no message".to_owned());
        };
        let mut books = self.books.borrow_mut();
        let Some(intended) = books.strike_out(token) else {
            let was_asked = books.was_asked(token);
            books.surplus += 1;
            drop(books);
            if !was_asked {
                self.fault(format!("a reply to {token}, which was never sent"));
            }
            return;
        };
        books.conversations[token.conversation].answered += 1;
        books.freed.push_back(token.conversation);
        if let Some(window) = &mut books.window
            && window.of.contains(&token.conversation)
        {
            let took = (now - intended).saturating_sub(self.backend_time);
            window.latencies.push(took);
        }
        drop(books);
        self.changed.notify_waiters();
    }

    /// Something that must not be.
    pub(crate) fn fault(&self, fault: String) {
        let mut books = self.books.borrow_mut();
        books.fault_count += 1;
        if books.faults.len() < TOLD_FAULTS {
            books.faults.push(fault);
        }
    }

    /// How many faults there were, and the first of them in words.
    pub(crate) fn faults(&self) -> (usize, Vec<String>) {
        let books = self.books.borrow();
        (books.fault_count, books.faults.clone())
    }

    /// Replies that nobody waited for: they came again, or their message was refused.
    pub(crate) fn surplus(&self) -> usize {
        self.books.borrow().surplus
    }

    /// How many messages of some conversations wait for their reply.
    pub(crate) fn waiting(&self, of: Range<usize>) -> usize {
        let books = self.books.borrow();
        let conversations = books.conversations[of].iter();
        conversations.map(|entry| entry.waiting.len()).sum()
    }

    /// Whether a conversation waits for nothing.
    pub(crate) fn is_free(&self, conversation: usize) -> bool {
        self.books.borrow().conversations[conversation].waiting.is_empty()
    }

    /// Waits for a conversation whose reply came. Each is told once.
    pub(crate) async fn freed(&self) -> usize {
        loop {
            let changed = self.changed.notified();
            if let Some(conversation) = self.books.borrow_mut().freed.pop_front() {
                return conversation;
            }
            changed.await;
        }
    }

    /// Forgets which conversations were freed: another loop has begun.
    pub(crate) fn forget_freed(&self) {
        self.books.borrow_mut().freed.clear();
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

    /// The fewest replies that one of the conversations got.
    pub(crate) fn fewest_replies(&self, conversations: &[usize]) -> u32 {
        let books = self.books.borrow();
        let replies = conversations
            .iter()
            .map(|&conversation| books.conversations[conversation].answered);
        replies.min().unwrap_or(0)
    }

    /// From now on the latencies of some conversations are kept.
    pub(crate) fn open_window(&self, of: Range<usize>) {
        let latencies = Vec::new();
        self.books.borrow_mut().window = Some(Window { of, latencies });
    }

    /// The latencies since the window was opened.
    pub(crate) fn close_window(&self) -> Vec<Duration> {
        let window = self.books.borrow_mut().window.take();
        window.map_or_else(Vec::new, |window| window.latencies)
    }
}

impl Books {
    /// Takes a message off those that wait; says when it was to be sent. None if it does not wait.
    fn strike_out(&mut self, token: Token) -> Option<Instant> {
        let waiting = &mut self.conversations.get_mut(token.conversation)?.waiting;
        let found = waiting.iter().position(|(number, _)| *number == token.number)?;
        let (_, intended) = waiting.remove(found);
        self.outstanding -= 1;
        Some(intended)
    }

    fn was_asked(&self, token: Token) -> bool {
        let entry = self.conversations.get(token.conversation);
        entry.is_some_and(|entry| token.number <= entry.asked)
    }
}
