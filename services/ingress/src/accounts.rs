//! Opened connections, so that a push does not read its secrets from files each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channels::{Account, OpenError};
use proto_schemas::ids::{ConnectionId, UnixMillis};
use registry::Connection;

/// How long secrets are believed to be the same. A rotation is seen after this; during it both secrets are
/// configured anyway.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Accounts by connection.
#[derive(Default)]
pub(crate) struct Accounts {
    opened: Mutex<HashMap<ConnectionId, Opened>>,
}

struct Opened {
    /// The configuration that it was opened from.
    connection: Arc<Connection>,
    account: Arc<Account>,
    at: UnixMillis,
}

impl Accounts {
    /// The account of a connection; opened if its configuration is new or its secrets were read long ago.
    pub(crate) fn open(
        &self,
        connection: &Arc<Connection>,
        now: UnixMillis,
    ) -> Result<Arc<Account>, OpenError> {
        if let Some(account) = self.find(connection, now) {
            return Ok(account);
        }
        let account = Arc::new(Account::open(connection)?);
        let opened = Opened {
            connection: Arc::clone(connection),
            account: Arc::clone(&account),
            at: now,
        };
        self.lock().insert(connection.id.clone(), opened);
        Ok(account)
    }

    /// Keeps the accounts of connections that there still are.
    pub(crate) fn retain(&self, exists: impl Fn(&ConnectionId) -> bool) {
        self.lock().retain(|id, _| exists(id));
    }

    fn find(&self, connection: &Arc<Connection>, now: UnixMillis) -> Option<Arc<Account>> {
        let opened = self.lock();
        let known = opened.get(&connection.id)?;
        let fresh = Arc::ptr_eq(&known.connection, connection) && now.since(known.at) < MAX_AGE;
        fresh.then(|| Arc::clone(&known.account))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn connection(secret: &std::path::Path) -> Arc<Connection> {
        let secret = format!("file:{}", secret.display());
        let channel = serde_json::json!({"telegram": {"token": secret, "webhook_secret": secret}});
        let connection = serde_json::json!({"id": "c", "bot": "b", "channel": channel});
        Arc::new(serde_json::from_value(connection).unwrap())
    }

    #[test]
    fn an_account_is_opened_once_until_it_is_old_changed_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret").unwrap();
        let (accounts, first) = (Accounts::default(), connection(&path));
        let opened = accounts.open(&first, NOW).unwrap();
        let same = |connection: &Arc<Connection>, now| {
            Arc::ptr_eq(&opened, &accounts.open(connection, now).unwrap())
        };
        let almost = UnixMillis(NOW.0 + MAX_AGE.as_millis() as u64 - 1);
        assert!(same(&first, almost));
        std::fs::remove_file(&path).unwrap();
        assert!(same(&first, almost), "the secret is not read again");
        assert!(
            accounts.open(&first, UnixMillis(almost.0 + 1)).is_err(),
            "it is read again when it is old"
        );
        assert!(
            accounts.open(&connection(&path), NOW).is_err(),
            "it is read again when the entry changed"
        );
        accounts.retain(|_| false);
        assert!(
            accounts.open(&first, NOW).is_err(),
            "it is read again after the connection was gone"
        );
    }
}
