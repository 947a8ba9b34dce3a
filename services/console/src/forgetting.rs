//! Who removes conversations: the broker's user `forget`, whose rights the console does not have by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Bus, BusError, UserKey};
use operations::forget::{self, Removed};
use proto_schemas::access::FORGETTING;
use proto_schemas::ids::ConversationId;
use registry::SecretRef;
use tokio::sync::{OnceCell, Semaphore};

use crate::problem::Problem;

/// For so long replies and files that are under way may come to their end by themselves.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key of that user, and the connection with it, which is made when it is first needed.
pub(crate) struct Forgetting {
    seed: Option<SecretRef>,
    connection: OnceCell<Bus>,
    /// Whose turn it is: one at a time, as each reads stores that hold what belongs to others.
    removing: Semaphore,
}

impl Forgetting {
    pub(crate) fn new(seed: Option<SecretRef>) -> Self {
        Self {
            seed,
            connection: OnceCell::new(),
            removing: Semaphore::new(1),
        }
    }

    /// Removes what is stored of a conversation; none when nothing is.
    ///
    /// # Errors
    /// [`Problem`] without a key on a broker that knows its users, while another one is removed, or the broker's.
    pub(crate) async fn forget(&self, own: &Bus, id: ConversationId) -> Result<Option<Removed>, Problem> {
        let _permit = self.removing.try_acquire().map_err(|_| Problem::Busy)?;
        let bus = self.connection(own).await?;
        let conversation = BTreeSet::from([id]);
        let removed = Box::pin(forget::forget(&bus, &conversation, PATIENCE)).await?;
        Ok(Some(removed).filter(|removed| !removed.entries.is_empty()))
    }

    /// A connection that may remove. A broker that asks nobody who they are takes the console's own.
    async fn connection(&self, own: &Bus) -> Result<Bus, Problem> {
        match &self.seed {
            None if own.shows_a_key() => Err(Problem::NoForgetUser),
            None => Ok(own.clone()),
            Some(seed) => self
                .connection
                .get_or_try_init(|| connect(own, seed))
                .await
                .cloned(),
        }
    }
}

async fn connect(own: &Bus, seed: &SecretRef) -> Result<Bus, Problem> {
    let refused = |cause: String| Problem::ForgetUserRefused(cause);
    let secret = seed.resolve().map_err(|error| refused(error.to_string()))?;
    let key = UserKey::from_seed(secret.expose()).map_err(|error| refused(format!("{seed} is {error}")))?;
    own.beside(FORGETTING, key)
        .await
        .map_err(|error: BusError| refused(error.to_string()))
}
