//! What is counted of Gateways.

use prometheus::{IntCounterVec, IntGaugeVec};
use proto_schemas::ids::ConnectionId;
use runtime::metrics::{Labels, MetricError, Metrics};

use super::session::End;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventResult {
    Accepted,
    Duplicate,
    Ignored,
    /// Not understood, or over a limit: a dead letter has it.
    Buried,
    /// Not dealt with here; the Gateway tells it again.
    LeftOut,
}

impl EventResult {
    const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Ignored,
        Self::Buried,
        Self::LeftOut,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Buried => "dead_letter",
            Self::LeftOut => "left_out",
        }
    }
}

/// How a session came to be ours.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beginning {
    Identified,
    Resumed,
}

impl Beginning {
    const ALL: [Self; 2] = [Self::Identified, Self::Resumed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Identified => "identified",
            Self::Resumed => "resumed",
        }
    }
}

/// Leases, messages, and sessions that begin and end.
pub(super) struct GatewayMetrics {
    labels: Labels<ConnectionId>,
    leases: IntGaugeVec,
    events: IntCounterVec,
    sessions: IntCounterVec,
    ends: IntCounterVec,
}

impl GatewayMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let events = metrics.counters(
            "gateway_messages_total",
            "Messages that Discord's Gateway told of, by what became of them.",
            &["result"],
        )?;
        let sessions = metrics.counters(
            "gateway_sessions_total",
            "Sessions of Discord's Gateway that were begun anew (identified) or gone on with (resumed).",
            &["began"],
        )?;
        let ends = metrics.counters(
            "gateway_session_ends_total",
            "Ends of connections to Discord's Gateway, by cause. What is refused needs an operator.",
            &["cause"],
        )?;
        for result in EventResult::ALL {
            events.with_label_values(&[result.as_str()]);
        }
        for beginning in Beginning::ALL {
            sessions.with_label_values(&[beginning.as_str()]);
        }
        for cause in End::CAUSES {
            ends.with_label_values(&[cause]);
        }
        Ok(Self {
            labels: Labels::new(true),
            leases: metrics.gauges(
                "gateway_lease_held",
                "Whether this replica reads the connection's Gateway: 1 if it does. Of at most 200 connections.",
                &["connection"],
            )?,
            events,
            sessions,
            ends,
        })
    }

    pub(super) fn lease(&self, connection: &ConnectionId, is_held: bool) {
        // Several in one series would tell nothing.
        if self.labels.has_its_own(connection) {
            let gauge = self.leases.with_label_values(&[connection.as_str()]);
            gauge.set(i64::from(is_held));
        }
    }

    /// The connection has no Gateway any more.
    pub(super) fn forget(&self, connection: &ConnectionId) {
        for gone in self.labels.keep(|known| known != connection) {
            // An error says that there is no such series.
            let _absent = self.leases.remove_label_values(&[gone.as_str()]);
        }
    }

    pub(super) fn message(&self, result: EventResult) {
        self.events.with_label_values(&[result.as_str()]).inc();
    }

    pub(super) fn began(&self, beginning: Beginning) {
        self.sessions.with_label_values(&[beginning.as_str()]).inc();
    }

    pub(super) fn ended(&self, end: End) {
        self.ends.with_label_values(&[end.cause()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new(format!("c{number}")).unwrap()
    }

    #[test]
    fn so_many_connections_are_shown_and_what_is_removed_makes_room() {
        let metrics = Metrics::new("ingress").unwrap();
        let gateways = GatewayMetrics::new(&metrics).unwrap();
        let shown = || {
            let text = metrics.render().unwrap();
            let series = text
                .lines()
                .filter(|line| line.starts_with("chatbot_gateway_lease_held{"));
            series.count()
        };
        for number in 0..250 {
            gateways.lease(&connection(number), true);
        }
        assert_eq!(shown(), 200);
        gateways.forget(&connection(0));
        gateways.forget(&connection(249));
        assert_eq!(shown(), 199);
        gateways.lease(&connection(248), false);
        assert_eq!(shown(), 200);
    }
}
