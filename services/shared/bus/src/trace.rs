//! W3C Trace Context: one trace id follows a message from ingress to its transcript.

use std::fmt;

use rand::RngExt;

/// FNV-1a, 64 bits: the same in every build and process, which the standard library's hash does not promise.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Trace and span of the work at hand (`traceparent`, version 00).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// Begins a trace.
    pub fn new() -> Self {
        let mut rng = rand::rng();
        Self {
            trace: rng.random_range(1..=u128::MAX),
            span: rng.random_range(1..=u64::MAX),
            sampled: true,
        }
    }

    /// Reads a `traceparent` header; none if it is not one.
    pub fn parse(header: &str) -> Option<Self> {
        let mut fields = header.trim().split('-');
        let version = fields.next()?;
        let (trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?);
        let known_length = version != "00" || fields.next().is_none();
        let lengths = (version.len(), trace.len(), span.len(), flags.len()) == (2, 32, 16, 2);
        if !known_length || !lengths || version == "ff" || header.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        let context = Self {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (context.trace != 0 && context.span != 0).then_some(context)
    }

    /// The same trace, with a span of its own for the next hop.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span: rand::rng().random_range(1..=u64::MAX),
            ..self
        }
    }

    /// The same trace, with the span that a consumer has for one delivery of the message that this context came with.
    /// Whoever knows these can name it, so a repetition can be linked to the first delivery, wherever that was.
    #[must_use]
    pub fn of_delivery(self, stream: &str, consumer: &str, sequence: u64, delivered: u64) -> Self {
        let numbers = [self.span, sequence, delivered].map(u64::to_le_bytes);
        let names = stream.bytes().chain([0]).chain(consumer.bytes()).chain([0]);
        let bytes = names.chain(numbers.into_iter().flatten());
        let span = bytes.fold(FNV_OFFSET, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
        });
        Self {
            span: span.max(1),
            ..self
        }
    }

    /// The same trace, to be recorded or not: a share of all traces is, by their ids, as OpenTelemetry's sampler
    /// `traceidratio` has it.
    #[must_use]
    pub fn sampled_at(self, share: f64) -> Self {
        let place = (self.trace as u64) >> 1;
        let bound = (share.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        Self {
            sampled: place < bound,
            ..self
        }
    }

    /// Whether who began the trace wants it recorded.
    pub fn is_sampled(self) -> bool {
        self.sampled
    }

    /// Whether both belong to one trace.
    pub fn shares_trace_with(self, other: Self) -> bool {
        self.trace == other.trace
    }

    /// The trace id as it goes over the wire.
    pub fn trace_bytes(self) -> [u8; 16] {
        self.trace.to_be_bytes()
    }

    /// The span id as it goes over the wire.
    pub fn span_bytes(self) -> [u8; 8] {
        self.span.to_be_bytes()
    }

    /// The trace id, 32 hexadecimal digits.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace,
            self.span,
            u8::from(self.sampled)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specifications_example_survives_a_round_trip() {
        assert_eq!(TraceContext::parse(EXAMPLE).unwrap().to_string(), EXAMPLE);
    }

    #[test]
    fn a_child_keeps_the_trace_and_changes_the_span() {
        let parent = TraceContext::parse(EXAMPLE).unwrap();
        assert_eq!(parent.child().trace_id(), parent.trace_id());
        assert_ne!(parent.child(), parent);
    }

    #[test]
    fn every_delivery_of_a_message_has_a_span_that_anybody_can_name() {
        let published = TraceContext::parse(EXAMPLE).unwrap();
        let of = |stream, sequence, delivered| published.of_delivery(stream, "egress", sequence, delivered);
        assert_eq!(of("TURNS", 7, 1), of("TURNS", 7, 1));
        // Not to change: replicas of two builds name each other's spans.
        assert_eq!(
            of("TURNS", 7, 1).to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-f6d95db99cedbb7e-01"
        );
        for other in [of("TURNS", 7, 2), of("TURNS", 8, 1), of("INBOX", 7, 1), published] {
            assert_ne!(of("TURNS", 7, 1), other);
            assert!(other.shares_trace_with(published));
        }
    }

    #[test]
    fn a_share_of_all_traces_is_recorded() {
        let sampled = |share| {
            (0..1000)
                .filter(|_| TraceContext::new().sampled_at(share).is_sampled())
                .count()
        };
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 1000));
        let quarter = sampled(0.25);
        // Ten standard deviations on either side of 250.
        assert!((113..=387).contains(&quarter), "{quarter}");
        let trace = TraceContext::new();
        assert_eq!(trace.sampled_at(0.5), trace.sampled_at(0.5));
    }

    #[test]
    fn what_is_not_a_traceparent_is_ignored() {
        for bad in [
            "",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }
}
