//! Accounts that are open already, so that secrets are not read for every message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto_schemas::ids::ConnectionId;
use registry::Connection;

use crate::{Account, OpenError};

/// After so long an account is opened again, so that a rotated secret is seen.
const REOPEN_AFTER: Duration = Duration::from_secs(30);

/// The accounts of a service.
#[derive(Default)]
pub struct Accounts {
    opened: Mutex<HashMap<ConnectionId, Opened>>,
}

struct Opened {
    connection: Arc<Connection>,
    account: Arc<Account>,
    at: Instant,
}

impl Accounts {
    /// The account of a connection as it is configured now.
    ///
    /// # Errors
    /// [`OpenError`] when a secret is missing or unusable.
    pub fn open(&self, connection: &Arc<Connection>) -> Result<Arc<Account>, OpenError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = opened.get(&connection.id)
            && (Arc::ptr_eq(&present.connection, connection) || present.connection == *connection)
            && present.at.elapsed() < REOPEN_AFTER
        {
            return Ok(Arc::clone(&present.account));
        }
        let account = Arc::new(Account::open(connection)?);
        let entry = Opened {
            connection: Arc::clone(connection),
            account: Arc::clone(&account),
            at: Instant::now(),
        };
        opened.insert(connection.id.clone(), entry);
        Ok(account)
    }

    /// Lets go of the accounts of connections that are gone.
    pub fn retain(&self, mut holds: impl FnMut(&ConnectionId) -> bool) {
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id, _| holds(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(secret: &str) -> Arc<Connection> {
        Arc::new(
            serde_json::from_value(
                serde_json::json!({"id": "tg", "bot": "b", "channel": {"telegram": {
                "token": secret, "webhook_secret": secret}}}),
            )
            .unwrap(),
        )
    }

    #[test]
    fn an_unchanged_connection_is_opened_once_and_a_changed_one_again() {
        let path = std::env::temp_dir().join(format!("accounts-{}", std::process::id()));
        std::fs::write(&path, "123456:token").unwrap();
        let accounts = Accounts::default();
        let same = connection(&format!("file:{}", path.display()));
        let first = accounts.open(&same).unwrap();
        assert!(Arc::ptr_eq(&first, &accounts.open(&same).unwrap()));
        let changed = connection("env:NO_SUCH_VARIABLE");
        assert!(
            accounts.open(&changed).is_err(),
            "the changed reference was not read"
        );
        std::fs::remove_file(&path).unwrap();
    }
}
