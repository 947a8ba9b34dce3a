//! The span of a publish.

use proto_schemas::{subjects, wire};

use crate::{Bus, BusError, OpenSpan, Outgoing, Published, Span, Spans};

/// A publish under way that will be told of.
pub(crate) struct Producing {
    open: OpenSpan,
    template: &'static str,
    message_id: String,
}

impl Bus {
    /// The same broker, with an export for spans.
    #[must_use]
    pub fn with_spans(mut self, spans: Spans) -> Self {
        self.spans = spans;
        self
    }

    /// Where the spans of whoever works with this broker go.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Opens the span of a publish, and has the message carry it. None for what is no message of the pipeline, as
    /// records of limits are. Boxed, as most publishes have none.
    pub(crate) fn producing(&self, message: &mut Outgoing) -> Option<Box<Producing>> {
        let trace = message
            .trace
            .filter(|trace| self.spans.are_told() && trace.is_sampled())?;
        let template = subjects::template(&message.subject)?;
        let open = self.spans.open(trace);
        message.carry(open.context());
        Some(Box::new(Producing {
            open,
            template,
            message_id: message.header(wire::MESSAGE_ID).unwrap_or_default().to_owned(),
        }))
    }

    pub(crate) fn produced(&self, producing: Producing, published: &Result<Published, BusError>) {
        let Producing {
            open,
            template,
            message_id,
        } = producing;
        self.spans.close(open, || {
            let span = Span::publish(template).with("messaging.message.id", message_id);
            match published {
                Ok(Published::Accepted { .. }) => span.with("chatbot.outcome", "accepted"),
                Ok(Published::Duplicate) => span.with("chatbot.outcome", "duplicate"),
                // Answers that the protocol lives on.
                Err(BusError::SlotTaken) => span.with("chatbot.outcome", "slot_taken"),
                Err(BusError::Conflict) => span.with("chatbot.outcome", "conflict"),
                Err(BusError::TooLarge) => span.failed("oversize"),
                Err(BusError::Unavailable(_)) => span.failed("unavailable"),
                Err(BusError::Refused { .. }) => span.failed("refused"),
                Err(BusError::Unencodable(_) | BusError::Undecodable(_)) => span.failed("undecodable"),
            }
        });
    }
}
