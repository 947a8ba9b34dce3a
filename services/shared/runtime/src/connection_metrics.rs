//! What every service shows of its connection to the broker, asked at each scrape.

use bus::Bus;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge};

use crate::metrics::{MetricError, Metrics};

struct Connection {
    bus: Bus,
    connected: IntGauge,
    reconnects: IntCounter,
    permission_errors: IntCounter,
}

/// Declares them.
///
/// # Errors
/// [`MetricError`] when they are declared twice.
pub(crate) fn show(bus: Bus, metrics: &Metrics) -> Result<(), MetricError> {
    metrics.collect(Connection {
        bus,
        connected: IntGauge::new("nats_connected", "1 while the connection to the broker stands.")?,
        reconnects: IntCounter::new("nats_reconnects_total", "Losses of the connection to the broker.")?,
        permission_errors: IntCounter::new(
            "nats_permission_errors_total",
            "Subjects that the broker refused to this user; the log names them.",
        )?,
    })
}

impl Collector for Connection {
    fn desc(&self) -> Vec<&Desc> {
        let counters = [&self.reconnects, &self.permission_errors];
        let counters = counters.into_iter().flat_map(Collector::desc);
        self.connected.desc().into_iter().chain(counters).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.connected.set(i64::from(*self.bus.connected().borrow()));
        let counted = [
            (&self.reconnects, self.bus.reconnects()),
            (&self.permission_errors, self.bus.permission_errors()),
        ];
        let mut shown = self.connected.collect();
        for (counter, count) in counted {
            counter.inc_by(count.saturating_sub(counter.get()));
            shown.extend(counter.collect());
        }
        shown
    }
}
