//! Actors: a loop behind a bounded mailbox, found by key, rebuilt when it dies or its settings change.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::task::Tasks;

/// The way to an actor.
pub struct Mailbox<M> {
    sender: mpsc::Sender<M>,
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
        }
    }
}

/// Why an actor did not take a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It has as much as it can bear.
    Full,
    /// It is gone.
    Gone,
}

impl<M> Mailbox<M> {
    /// Hands a message over, without waiting.
    ///
    /// # Errors
    /// [`Undelivered`] when it is full or gone.
    pub fn offer(&self, message: M) -> Result<(), Undelivered> {
        self.sender.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Undelivered::Full,
            mpsc::error::TrySendError::Closed(_) => Undelivered::Gone,
        })
    }
}

/// Starts an actor with a mailbox of `capacity`. It ends when every mailbox is dropped.
pub fn spawn<M, F>(tasks: &Tasks, capacity: usize, actor: impl FnOnce(mpsc::Receiver<M>) -> F) -> Mailbox<M>
where
    M: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(capacity);
    // The mailbox learns of the actor's end: it is closed then, and the directory builds another.
    drop(tasks.owned(actor(receiver)));
    Mailbox { sender }
}

/// Actors by key. An actor is built from its settings, and replaced when they differ or it is gone; the one
/// that was replaced finishes what it has.
pub struct Directory<K, S, M> {
    actors: Mutex<HashMap<K, (S, Mailbox<M>)>>,
}

impl<K: Eq + Hash + Clone, S: PartialEq, M> Default for Directory<K, S, M> {
    fn default() -> Self {
        Self {
            actors: Mutex::new(HashMap::new()),
        }
    }
}

impl<K: Eq + Hash + Clone, S: PartialEq + Clone, M> Directory<K, S, M> {
    /// The actor for `key` with `settings`, built if need be.
    pub fn find(&self, key: &K, settings: &S, build: impl FnOnce(S) -> Mailbox<M>) -> Mailbox<M> {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((present, mailbox)) = actors.get(key)
            && present == settings
            && !mailbox.sender.is_closed()
        {
            return mailbox.clone();
        }
        let mailbox = build(settings.clone());
        actors.insert(key.clone(), (settings.clone(), mailbox.clone()));
        mailbox
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn echo(tasks: &Tasks) -> Mailbox<mpsc::Sender<u8>> {
        spawn(
            tasks,
            1,
            |mut mailbox: mpsc::Receiver<mpsc::Sender<u8>>| async move {
                while let Some(reply) = mailbox.recv().await {
                    assert!(!reply.is_closed(), "planted: die when nobody listens");
                    reply.send(1).await.unwrap();
                }
            },
        )
    }

    #[tokio::test]
    async fn a_full_mailbox_says_so() {
        let (tasks, _deaths) = Tasks::new(CancellationToken::new());
        let mailbox = spawn(&tasks, 1, |mailbox: mpsc::Receiver<()>| async move {
            let _mailbox = mailbox;
            std::future::pending::<()>().await;
        });
        assert_eq!(mailbox.offer(()), Ok(()));
        assert_eq!(mailbox.offer(()), Err(Undelivered::Full));
    }

    #[tokio::test]
    async fn a_dead_actor_is_rebuilt() {
        let (tasks, _deaths) = Tasks::new(CancellationToken::new());
        let directory = Directory::default();
        let first = directory.find(&"a", &1, |_| echo(&tasks));
        let (reply, listener) = mpsc::channel(1);
        drop(listener);
        first.offer(reply).unwrap();
        first.sender.closed().await;

        let second = directory.find(&"a", &1, |_| echo(&tasks));
        let (reply, mut listener) = mpsc::channel(1);
        second.offer(reply).unwrap();
        assert_eq!(listener.recv().await, Some(1));
    }

    #[tokio::test]
    async fn changed_settings_replace_the_actor() {
        let (tasks, _deaths) = Tasks::new(CancellationToken::new());
        let directory = Directory::default();
        let first = directory.find(&"a", &1, |_| echo(&tasks));
        let same = directory.find(&"a", &1, |_| unreachable!("the actor is there"));
        assert!(first.sender.same_channel(&same.sender));
        let other = directory.find(&"a", &2, |_| echo(&tasks));
        assert!(!first.sender.same_channel(&other.sender));
    }
}
