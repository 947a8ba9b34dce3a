//! The three kinds of records of the configuration, and what they have in common.

use proto_schemas::wire::Wire;
use registry::{Bot, Connection, Integration, Manifest, Snapshot};

/// A bot, an integration or a connection.
pub trait Record: Wire + Clone + Send + Sync + 'static {
    /// The kind's name in keys and addresses, in the plural.
    const KIND: &'static str;

    /// Its identifier.
    fn id(&self) -> &str;

    /// A manifest that holds nothing else.
    fn alone(self) -> Manifest;

    /// The identifiers of all records of the kind, in no order.
    fn all(snapshot: &Snapshot) -> Vec<&str>;

    /// The keys of the records that refer to this one, in order.
    fn users(id: &str, snapshot: &Snapshot) -> Vec<String>;

    /// Its key in the bucket.
    fn key(id: &str) -> String {
        format!("{}.{id}", Self::KIND)
    }
}

impl Record for Bot {
    const KIND: &'static str = "bots";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn alone(self) -> Manifest {
        Manifest {
            bots: vec![self],
            ..Manifest::default()
        }
    }

    fn all(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.bots.keys().map(AsRef::as_ref).collect()
    }

    fn users(id: &str, snapshot: &Snapshot) -> Vec<String> {
        let connections = snapshot.connections.values();
        let users = connections.filter(|connection| connection.bot.as_str() == id);
        sorted(users.map(|connection| Connection::key(connection.id.as_str())))
    }
}

impl Record for Integration {
    const KIND: &'static str = "integrations";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn alone(self) -> Manifest {
        Manifest {
            integrations: vec![self],
            ..Manifest::default()
        }
    }

    fn all(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.integrations.keys().map(AsRef::as_ref).collect()
    }

    fn users(id: &str, snapshot: &Snapshot) -> Vec<String> {
        let bots = snapshot.bots.values();
        let users = bots.filter(|bot| integrations_of(bot).any(|named| named == id));
        sorted(users.map(|bot| Bot::key(bot.id.as_str())))
    }
}

impl Record for Connection {
    const KIND: &'static str = "connections";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn alone(self) -> Manifest {
        Manifest {
            connections: vec![self],
            ..Manifest::default()
        }
    }

    fn all(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.connections.keys().map(AsRef::as_ref).collect()
    }

    fn users(_: &str, _: &Snapshot) -> Vec<String> {
        Vec::new()
    }
}

/// The integrations that a bot names, some of them perhaps twice.
pub(crate) fn integrations_of(bot: &Bot) -> impl Iterator<Item = &str> {
    let arms = bot.split.iter().flat_map(|split| &split.arms);
    let named = bot.integration.iter().chain(&bot.fallback);
    named.chain(arms.map(|arm| &arm.integration)).map(AsRef::as_ref)
}

fn sorted(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut keys: Vec<String> = keys.collect();
    keys.sort_unstable();
    keys
}
