//! Who a client is to the broker, and whose certificates it trusts.

use std::fmt;
use std::path::PathBuf;

use nkeys::{KeyPair, KeyPairType};

/// Who connects. By default nobody in particular, to a broker that asks nobody.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Its key; none where the broker asks for none.
    pub key: Option<UserKey>,
    /// Certificates (PEM) that the broker's has to be signed by. With them TLS is demanded, whatever the address says;
    /// without them `tls://` is verified by the system's.
    pub roots: Option<PathBuf>,
}

/// The key of a user of the broker (NKEY).
#[derive(Clone)]
pub struct UserKey {
    seed: String,
    public: String,
}

/// Why there is no key. Says nothing of the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the seed of a user's key, which begins with SU")]
pub struct NotASeed;

impl UserKey {
    /// A new one.
    ///
    /// # Errors
    /// [`NotASeed`] when none can be made.
    pub fn generate() -> Result<Self, NotASeed> {
        Self::of(&KeyPair::new_user())
    }

    /// The key of a seed.
    ///
    /// # Errors
    /// [`NotASeed`] when it is none, or not that of a user.
    pub fn from_seed(seed: &str) -> Result<Self, NotASeed> {
        Self::of(&KeyPair::from_seed(seed).map_err(|_| NotASeed)?)
    }

    fn of(pair: &KeyPair) -> Result<Self, NotASeed> {
        if pair.key_pair_type() != KeyPairType::User {
            return Err(NotASeed);
        }
        Ok(Self {
            seed: pair.seed().map_err(|_| NotASeed)?,
            public: pair.public_key(),
        })
    }

    /// The secret half, for the one place that keeps it.
    pub fn seed(&self) -> &str {
        &self.seed
    }

    /// The public half, by which the broker knows the user.
    pub fn public(&self) -> &str {
        &self.public
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKey({})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_leads_back_to_its_key_and_is_not_shown() {
        let key = UserKey::generate().unwrap();
        assert!(key.seed().starts_with("SU") && key.public().starts_with('U'));
        let again = UserKey::from_seed(key.seed()).unwrap();
        assert_eq!(again.public(), key.public());
        let identity = Identity {
            key: Some(again),
            roots: None,
        };
        assert!(!format!("{identity:?}").contains(key.seed()));
    }

    #[test]
    fn what_is_no_seed_of_a_user_is_refused_without_being_repeated() {
        let account = KeyPair::new_account().seed().unwrap();
        let public = KeyPair::new_user().public_key();
        for wrong in ["", "SU", "hunter2", &account, &public] {
            assert_eq!(UserKey::from_seed(wrong).unwrap_err(), NotASeed, "{wrong}");
        }
    }
}
