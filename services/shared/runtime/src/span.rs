//! The span of one delivery of a message to a stage.

use bus::{Span, TraceContext, Work};
use proto_schemas::subjects;
use proto_schemas::topology::ConsumerSpec;
use proto_schemas::wire::MESSAGE_ID;

use crate::stage::Outcome;

/// What a stage did with a message. A message that has to wait is no failure; what failed to make it wait says so
/// itself.
pub(crate) fn of(
    consumer: &ConsumerSpec,
    work: &Work,
    first: Option<TraceContext>,
    outcome: &Outcome,
) -> Span {
    let template = subjects::template(&work.subject).unwrap_or(consumer.stream);
    let span = Span::process(template, consumer.name)
        .with(
            "messaging.message.id",
            work.header(MESSAGE_ID).unwrap_or_default().to_owned(),
        )
        .with("chatbot.outcome", outcome.name())
        .with("chatbot.delivery", work.delivered);
    let span = match first {
        Some(first) => span.linked_to(first),
        None => span,
    };
    match outcome {
        Outcome::Done | Outcome::Duplicate | Outcome::Retry { .. } => span,
        Outcome::GiveUp(give_up) => span.failed(give_up.class),
        Outcome::Fatal(_) => span.failed("fatal"),
    }
}
