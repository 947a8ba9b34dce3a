//! The configuration as one service sees it now, and how it follows the bucket.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::{ALL_KEYS, Bus, BusError, Change, TraceContext};
use proto_schemas::ids::{BotId, ConnectionId, IntegrationId};
use proto_schemas::topology::REGISTRY;
use proto_schemas::wire::{Wire, encode};
use tokio::sync::watch;

use crate::{Bot, Connection, Integration, Manifest};

/// Pause before a broken watch is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

/// The configuration at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The bots.
    pub bots: HashMap<BotId, Arc<Bot>>,
    /// The webhooks.
    pub integrations: HashMap<IntegrationId, Arc<Integration>>,
    /// The accounts of channels.
    pub connections: HashMap<ConnectionId, Arc<Connection>>,
}

/// The configuration as it is now. Cheap to clone and to look things up in.
#[derive(Clone)]
pub struct Registry {
    current: watch::Receiver<Arc<Snapshot>>,
    loaded: watch::Receiver<bool>,
}

impl Registry {
    /// Follows the bucket. The future does so for as long as it is polled, and reconnects for ever.
    pub fn follow(bus: Bus) -> (Self, impl Future<Output = Result<(), Infallible>> + Send) {
        let (sender, current) = watch::channel(Arc::new(Snapshot::default()));
        let (loaded_sender, loaded) = watch::channel(false);
        (Self { current, loaded }, follow(bus, sender, loaded_sender))
    }

    /// The configuration now.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.borrow())
    }

    /// The configuration, and when it changes.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.current.clone()
    }

    /// A bot.
    pub fn bot(&self, id: &BotId) -> Option<Arc<Bot>> {
        self.current.borrow().bots.get(id).cloned()
    }

    /// A webhook.
    pub fn integration(&self, id: &IntegrationId) -> Option<Arc<Integration>> {
        self.current.borrow().integrations.get(id).cloned()
    }

    /// An account of a channel.
    pub fn connection(&self, id: &ConnectionId) -> Option<Arc<Connection>> {
        self.current.borrow().connections.get(id).cloned()
    }

    /// Waits until all that the bucket held at the start has been read, or following has ended.
    pub async fn wait_until_loaded(&self) {
        // An error means that following has ended; the caller goes on with what there is.
        let mut loaded = self.loaded.clone();
        let _ended = loaded.wait_for(|loaded| *loaded).await;
    }
}

async fn follow(
    bus: Bus,
    current: watch::Sender<Arc<Snapshot>>,
    loaded: watch::Sender<bool>,
) -> Result<(), Infallible> {
    loop {
        if let Err(error) = read_changes(&bus, &current, &loaded).await {
            tracing::debug!(%error, "the configuration cannot be followed; trying again");
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

async fn read_changes(
    bus: &Bus,
    current: &watch::Sender<Arc<Snapshot>>,
    loaded: &watch::Sender<bool>,
) -> Result<(), BusError> {
    if bus.is_empty(&REGISTRY).await? {
        loaded.send_replace(true);
    }
    bus.hear(&REGISTRY, ALL_KEYS, |change| {
        // Readers hold the snapshot only for a look-up, so this seldom copies it.
        current.send_modify(|snapshot| apply(Arc::make_mut(snapshot), &change));
        if change.caught_up {
            loaded.send_replace(true);
        }
    })
    .await
}

fn apply(snapshot: &mut Snapshot, change: &Change) {
    let Some((list, id)) = change.key.split_once('.') else {
        return;
    };
    let applied = match list {
        "bots" => set(&mut snapshot.bots, BotId::new(id), change, |_: &mut Bot| {}),
        "integrations" => set(
            &mut snapshot.integrations,
            IntegrationId::new(id),
            change,
            |integration: &mut Integration| integration.revision = change.revision,
        ),
        "connections" => set(
            &mut snapshot.connections,
            ConnectionId::new(id),
            change,
            |_: &mut Connection| {},
        ),
        _ => Err("no such list".to_owned()),
    };
    if let Err(error) = applied {
        tracing::error!(
            key = change.key,
            error,
            "a configuration entry is unreadable; the last one stays"
        );
    }
}

fn set<K, T, E>(
    map: &mut HashMap<K, Arc<T>>,
    id: Result<K, E>,
    change: &Change,
    complete: impl FnOnce(&mut T),
) -> Result<(), String>
where
    K: Eq + std::hash::Hash,
    T: Wire,
    E: std::fmt::Display,
{
    let id = id.map_err(|error| error.to_string())?;
    match &change.value {
        Some(value) => {
            let mut entry = serde_json::from_slice(value).map_err(|error| error.to_string())?;
            complete(&mut entry);
            map.insert(id, Arc::new(entry));
        }
        None => {
            map.remove(&id);
        }
    }
    Ok(())
}

impl Manifest {
    /// Stores every entry. Bots come after what they refer to.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses; entries before the failing one are stored.
    pub async fn store(&self, bus: &Bus) -> Result<(), BusError> {
        for integration in &self.integrations {
            put(bus, integration_key(&integration.id), integration).await?;
        }
        for bot in &self.bots {
            put(bus, format!("bots.{}", bot.id), bot).await?;
        }
        for connection in &self.connections {
            put(bus, format!("connections.{}", connection.id), connection).await?;
        }
        Ok(())
    }
}

/// Key of an integration in the bucket.
pub fn integration_key(integration: &IntegrationId) -> String {
    format!("integrations.{integration}")
}

async fn put<T: Wire>(bus: &Bus, key: String, entry: &T) -> Result<(), BusError> {
    // What is stored already makes no new revision.
    let present: Option<bus::Revision<T>> = bus.get(&REGISTRY, &key).await.unwrap_or_default();
    if let Some(present) = present
        && encode(&present.record).ok() == encode(entry).ok()
    {
        return Ok(());
    }
    // Each write is one of its own: going back to an earlier entry within the window is no repetition.
    let trace = TraceContext::new();
    bus.put(
        &REGISTRY,
        &key,
        entry,
        &format!("{key}:{}", trace.trace_id()),
        trace,
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, value: Option<&str>) -> Change {
        Change {
            key: key.to_owned(),
            value: value.map(|text| text.to_owned().into()),
            revision: 7,
            caught_up: true,
        }
    }

    #[test]
    fn an_entry_is_added_changed_and_removed() {
        let mut snapshot = Snapshot::default();
        let id = IntegrationId::new("i").unwrap();
        apply(
            &mut snapshot,
            &change("integrations.i", Some(r#"{"id":"i","url":"https://a.example/"}"#)),
        );
        apply(
            &mut snapshot,
            &change("integrations.i", Some(r#"{"id":"i","url":"https://b.example/"}"#)),
        );
        assert_eq!(snapshot.integrations[&id].url.host_str(), Some("b.example"));
        assert_eq!(snapshot.integrations[&id].revision, 7);
        apply(&mut snapshot, &change("integrations.i", None));
        assert!(snapshot.integrations.is_empty());
    }

    #[test]
    fn an_unreadable_entry_leaves_the_last_one() {
        let mut snapshot = Snapshot::default();
        apply(
            &mut snapshot,
            &change("integrations.i", Some(r#"{"id":"i","url":"https://a.example/"}"#)),
        );
        apply(&mut snapshot, &change("integrations.i", Some("{")));
        apply(&mut snapshot, &change("nonsense", Some("{}")));
        assert_eq!(snapshot.integrations.len(), 1);
    }
}
