//! Where no part may be sent twice: each try is written down before, and taken back when nothing was sent.

use std::time::Duration;

use bus::{Bus, BusError, Revision, TraceContext};
use proto_schemas::delivery::Delivery;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::subjects;
use proto_schemas::topology::PROGRESS;
use runtime::random;
use tokio::time::{Instant, sleep};

/// For how long one tries to take a try back. What cannot be taken back counts as sent.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// One try of one part.
#[derive(Clone)]
pub(crate) struct Try {
    bus: Bus,
    key: String,
    name: String,
    before: DeliveryProgress,
    trace: TraceContext,
}

impl Try {
    /// A try of the part behind `progress`.
    pub(crate) fn new(
        bus: &Bus,
        delivery: &Delivery,
        progress: &DeliveryProgress,
        trace: TraceContext,
    ) -> Self {
        Self {
            bus: bus.clone(),
            key: subjects::delivery_progress(&delivery.conclusion.turn, delivery.replay),
            name: random::name(),
            before: progress.clone(),
            trace,
        }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// [`BusError`]: it may be written down nevertheless.
    pub(crate) async fn begin(self) -> Result<(), BusError> {
        let under_way = DeliveryProgress {
            under_way: Some(self.name.clone()),
            ..self.before
        };
        self.bus
            .put(&PROGRESS, &self.key, &under_way, &self.name, self.trace)
            .await
    }

    /// Takes it back, if it is what stands there: nothing was sent. Tries for a while, for the broker may be why.
    pub(crate) async fn take_back(&self) {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = self.try_to_take_back().await {
            if Instant::now() >= end {
                tracing::warn!(%error, key = self.key, "a part that was not sent counts as sent");
                return;
            }
            sleep(PAUSE).await;
        }
    }

    async fn try_to_take_back(&self) -> Result<(), BusError> {
        let found: Option<Revision<DeliveryProgress>> = self.bus.get(&PROGRESS, &self.key).await?;
        let ours = found.filter(|found| found.record.under_way.as_ref() == Some(&self.name));
        if let Some(found) = ours {
            self.bus
                .compare_and_set(&PROGRESS, &self.key, found.revision, &self.before, self.trace)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bus::{BusConfig, OnDifference};
    use testkit::nats::NatsServer;

    use super::*;

    const KEY: &str = "delivery.turn_a_m1.0";

    async fn connected(server: &NatsServer) -> Bus {
        let bus = Bus::connect(BusConfig::new(server.url(), "test"));
        let bus = bus.await.unwrap();
        bus.connected().wait_for(|connected| *connected).await.unwrap();
        Box::pin(bus.ensure_topology(OnDifference::Keep)).await.unwrap();
        bus
    }

    fn a_try(bus: &Bus, name: &str) -> Try {
        Try {
            bus: bus.clone(),
            key: KEY.to_owned(),
            name: name.to_owned(),
            before: DeliveryProgress {
                platform_message_ids: vec!["1".to_owned()],
                ..DeliveryProgress::default()
            },
            trace: TraceContext::new(),
        }
    }

    async fn under_way(bus: &Bus) -> Option<String> {
        let found: Option<Revision<DeliveryProgress>> = bus.get(&PROGRESS, KEY).await.unwrap();
        found.unwrap().record.under_way
    }

    #[tokio::test]
    async fn a_try_is_taken_back_only_by_itself() {
        let server = NatsServer::start().await;
        let bus = connected(&server).await;
        let (ours, theirs) = (a_try(&bus, "ours"), a_try(&bus, "theirs"));
        ours.clone().begin().await.unwrap();
        assert_eq!(under_way(&bus).await.as_deref(), Some("ours"));
        theirs.take_back().await;
        assert_eq!(under_way(&bus).await.as_deref(), Some("ours"));
        ours.take_back().await;
        assert_eq!(under_way(&bus).await, None);
    }
}
