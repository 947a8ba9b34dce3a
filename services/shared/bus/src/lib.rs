//! The broker, in the pipeline's words. No other crate names `async-nats`.
//!
//! Guarantees:
//! * a publish that returns [`Published`] is confirmed by the stream;
//! * a question is answered by one of those who take it, or fails by naming why ([`AskError`]);
//! * reads are direct gets by literal subject, never a replay of a log;
//! * the connection is kept for ever: while the broker is away every call fails with
//!   [`BusError::Unavailable`], and [`Bus::connected`] tells.

mod balance;
mod buckets;
mod connect;
mod consume;
mod hint;
mod identity;
mod lag;
mod objects;
mod presence;
mod producing;
mod publish;
mod question;
mod read;
mod span;
mod topology;
mod trace;

pub use balance::Balance;
pub use buckets::{ALL_KEYS, Change, Changes, Found, Revision};
pub use connect::{Bus, BusConfig, Session};
pub use consume::{Consumer, Work, WorkStream};
pub use hint::Hints;
pub use identity::{Identity, NotASeed, UserKey};
pub use lag::{Holdings, Lag};
pub use objects::{FileInfo, ObjectError};
pub use presence::{Incomplete, Parts};
pub use publish::{BusError, Outgoing, Published};
pub use question::{AskError, Question, Questions};
pub use read::{Entries, Entry, Pages};
pub use span::{FinishedSpan, OpenSpan, Span, SpanKind, SpanSink, SpanValue, Spans};
pub use topology::{ConsumerState, OnDifference};
pub use trace::TraceContext;
