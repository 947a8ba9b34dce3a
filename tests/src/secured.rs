//! A broker that speaks TLS and knows its users, with the rights of `deploy/nats/auth.conf`.

use std::collections::BTreeMap;
use std::process::Command;

use bus::{Bus, Identity, OnDifference, UserKey};
use proto_schemas::access::{ADMIN, USERS, server_config};
use proto_schemas::dead_letter::Stage;
use testkit::authority::Authority;
use testkit::nats::NatsServer;
use testkit::process::binary;

use crate::broker::{OBSERVER, open_as};
use crate::fleet::Environment;

/// A key for each user, and who signs the broker's certificate.
#[derive(Debug)]
pub struct Secured {
    keys: BTreeMap<&'static str, UserKey>,
    previous: BTreeMap<&'static str, UserKey>,
    /// Who signs the broker's certificate.
    pub authority: Authority,
}

impl Secured {
    /// New keys for all.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new() -> Self {
        let names = USERS.iter().map(|user| user.name).chain([ADMIN, OBSERVER]);
        Self {
            keys: names.map(|name| (name, UserKey::generate().unwrap())).collect(),
            previous: BTreeMap::new(),
            authority: Authority::new(),
        }
    }

    /// Makes a new key for a user; the broker knows the one before, too, until [`Secured::drop_previous_keys`].
    ///
    /// # Panics
    /// When no key can be made.
    pub fn change_key(&mut self, user: &'static str) {
        let before = self.keys.insert(user, UserKey::generate().unwrap());
        self.previous.extend(before.map(|key| (user, key)));
    }

    /// Keeps no key that was changed.
    pub fn drop_previous_keys(&mut self) {
        self.previous.clear();
    }

    /// Starts the broker.
    ///
    /// # Panics
    /// When the server refuses the configuration.
    pub async fn start(&self) -> NatsServer {
        NatsServer::start_with(&self.configuration()).await
    }

    /// What the broker is told. Beside the users of the platform it knows the tests themselves, who may do everything.
    ///
    /// # Panics
    /// When the users do not stand where they are looked for.
    pub fn configuration(&self) -> String {
        let rights = server_config(|user| {
            let keys = [&self.keys, &self.previous].into_iter();
            keys.filter_map(|keys| keys.get(user)).map(quoted).collect()
        });
        let users = "PIPELINE {\n    jetstream: enabled\n    users: [\n";
        let observer = format!("{users}      {{ nkey: {} }}\n", quoted(&self.keys[OBSERVER]));
        let rights_and_observer = rights.replacen(users, &observer, 1);
        assert_ne!(rights_and_observer, rights, "the users stand there otherwise");
        let (certificate, key) = (self.authority.certificate(), self.authority.key());
        format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n{rights_and_observer}")
    }

    /// Where clients of the server connect.
    pub fn url(server: &NatsServer) -> String {
        format!("tls://{}", server.address())
    }

    /// Who a user is to the broker.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn identity(&self, user: &str) -> Identity {
        Identity {
            key: Some(self.keys[user].clone()),
            roots: Some(self.authority.roots()),
        }
    }

    /// Connects as the tests, who may do everything, and creates the topology.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn connect(&self, server: &NatsServer) -> Bus {
        let bus = open_as(&Self::url(server), self.identity(OBSERVER)).await;
        bus.ensure_topology(OnDifference::Keep).await.unwrap();
        bus
    }

    /// The variables by which a process is a user.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn environment(&self, user: &str) -> Environment {
        vec![
            ("NATS_NKEY_SEED", "env:NATS_SEED".to_owned()),
            ("NATS_SEED", self.keys[user].seed().to_owned()),
            ("NATS_CA_FILE", self.authority.roots().display().to_string()),
        ]
    }

    /// The command line, as a user.
    ///
    /// # Panics
    /// When there is no such user, or the binary is not built.
    pub fn chatbot(&self, user: &str, server: &NatsServer) -> Command {
        let mut command = Command::new(binary("chatbot"));
        command.env_clear().env("NATS_URL", Self::url(server));
        command.envs(self.environment(user));
        command
    }

    /// The variables of each service.
    pub fn environments(&self) -> BTreeMap<Stage, Environment> {
        let stages = Stage::ALL.into_iter();
        stages
            .map(|stage| (stage, self.environment(stage.as_str())))
            .collect()
    }
}

impl Default for Secured {
    fn default() -> Self {
        Self::new()
    }
}

fn quoted(key: &UserKey) -> String {
    format!("{:?}", key.public())
}
