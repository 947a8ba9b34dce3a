//! How many things have happened, for those who wait for the next one.

use tokio::sync::watch;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count {
    sender: watch::Sender<usize>,
}

impl Count {
    /// There are so many now.
    pub(crate) fn reach(&self, count: usize) {
        self.sender.send_replace(count);
    }

    /// Waits until there are more than `seen`.
    pub(crate) async fn more_than(&self, seen: usize) {
        // It cannot be gone: we hold its sender.
        drop(self.sender.subscribe().wait_for(|count| *count > seen).await);
    }
}
