//! Webhooks that are left in peace.

use bus::TraceContext;
use operations::breakers::{CloseError, close, list, of};
use proto_schemas::ids::IntegrationId;
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::topology::{LIMITS, REGISTRY};
use registry::Manifest;
use serde_json::json;

use crate::broker::Broker;

impl Broker {
    /// Stores an integration, and what was found of its webhook under its settings.
    pub(crate) async fn find(&self, id: &str, circuit: Circuit) {
        let manifest = json!({"integrations": [{"id": id, "url": "https://a.example/"}]});
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        manifest.store(&self.bus).await.unwrap();
        let key = format!("integrations.{id}");
        let settings = self.bus.look_up::<registry::Integration>(&REGISTRY, &key).await;
        let record = CircuitBreaker {
            settings: settings.unwrap().revision,
            circuit,
        };
        let key = format!("breakers.integrations.{id}");
        let set = self
            .bus
            .compare_and_set(&LIMITS, &key, 0, &record, TraceContext::new());
        set.await.unwrap();
    }

    /// Changes the settings of an integration.
    pub(crate) async fn change(&self, id: &str) {
        let changed = json!({"integrations": [{"id": id, "url": "https://b.example/"}]});
        let changed: Manifest = serde_json::from_value(changed).unwrap();
        changed.store(&self.bus).await.unwrap();
    }

    /// What is told of an integration alone, under the settings that it has.
    async fn told(&self, id: &str) -> Option<String> {
        let key = format!("integrations.{id}");
        let settings = self.bus.look_up::<registry::Integration>(&REGISTRY, &key).await;
        let (id, settings) = (IntegrationId::new(id).unwrap(), settings.unwrap().revision);
        let found = of(&self.bus, &id, settings).await.unwrap();
        found.map(|breaker| breaker.to_string())
    }

    async fn listed(&self) -> Vec<String> {
        let open = list(&self.bus).await.unwrap();
        open.iter().map(ToString::to_string).collect()
    }
}

pub(crate) fn open() -> Circuit {
    Circuit::Open {
        pause_millis: 30_000,
        times: 2,
        class: "timeout".to_owned(),
    }
}

#[tokio::test]
async fn a_breaker_is_open_until_it_is_closed_or_the_settings_change() {
    let broker = Broker::start().await;
    broker.find("slow", open()).await;
    broker.find("gone", Circuit::Gone).await;
    broker.find("well", Circuit::Closed).await;
    let listed = broker.listed().await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(
        listed[0].starts_with(
            "slow  open  timeout, found failing 2 times in a row, tried out after 30 s  since 20"
        ),
        "{listed:?}"
    );
    assert!(
        listed[1].starts_with("gone  gone  answered 410; asked again when its settings change  since 20"),
        "{listed:?}"
    );

    for breaker in &listed {
        let id = breaker.split(' ').next().unwrap();
        assert_eq!(broker.told(id).await.as_ref(), Some(breaker));
    }
    assert_eq!(broker.told("well").await, None);

    let slow = IntegrationId::new("slow").unwrap();
    assert_eq!(close(&broker.bus, &slow).await.unwrap().closed, slow);
    let again = close(&broker.bus, &slow).await;
    assert!(matches!(again, Err(CloseError::NotOpen)), "{again:?}");
    assert_eq!(broker.listed().await.len(), 1);
    assert_eq!(broker.told("slow").await, None);

    broker.change("gone").await;
    assert!(broker.listed().await.is_empty());
    assert_eq!(broker.told("gone").await, None);
}
