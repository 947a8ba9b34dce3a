//! Nothing runs unwatched: every task has an owner who learns of its end.

use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one service. The end of a critical task ends the service.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    deaths: mpsc::Sender<Death>,
}

/// A critical task that ended when it should not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Its name.
    pub task: &'static str,
    /// Why.
    pub cause: String,
}

impl Tasks {
    /// Tasks that live until `shutdown`. The receiver learns of deaths; one is enough to act on.
    pub fn new(shutdown: CancellationToken) -> (Self, mpsc::Receiver<Death>) {
        let (deaths, receiver) = mpsc::channel(1);
        (
            Self {
                tracker: TaskTracker::new(),
                shutdown,
                deaths,
            },
            receiver,
        )
    }

    /// The signal to stop taking work.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Runs what the service cannot do without. It may end well only after shutdown was asked for.
    pub fn critical<E: Display>(
        &self,
        task: &'static str,
        future: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let (shutdown, deaths) = (self.shutdown.clone(), self.deaths.clone());
        self.tracker.spawn(async move {
            let cause = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(Ok(())) if shutdown.is_cancelled() => return,
                Ok(Ok(())) => "ended by itself".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("panicked: {}", panic_text(panic.as_ref())),
            };
            tracing::error!(task, cause, "a critical task ended");
            // Full means that a death is being acted on already.
            if deaths.try_send(Death { task, cause }).is_err() {
                tracing::debug!(task, "the service is ending already");
            }
        });
    }

    /// Runs what the service cannot do without and what has no end of its own, until shutdown.
    pub fn endless<E: Display>(
        &self,
        task: &'static str,
        future: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let shutdown = self.shutdown.clone();
        self.critical(task, async move {
            tokio::select! {
                () = shutdown.cancelled() => Ok(()),
                ended = future => ended,
            }
        });
    }

    /// Runs a part whose owner keeps the handle and learns of its end there.
    pub fn owned<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn(future)
    }

    /// Waits until all have ended; no more are expected.
    pub async fn wait(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// How many still run.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_critical_task_is_a_death() {
        let (tasks, mut deaths) = Tasks::new(CancellationToken::new());
        tasks.critical("early", async { Ok::<(), String>(()) });
        assert_eq!(
            deaths.recv().await.unwrap(),
            Death {
                task: "early",
                cause: "ended by itself".to_owned()
            }
        );
        tasks.critical("panics", async {
            if true {
                panic!("boom");
            }
            Ok::<(), String>(())
        });
        assert_eq!(deaths.recv().await.unwrap().cause, "panicked: boom");
    }

    #[tokio::test]
    async fn ending_after_shutdown_is_no_death() {
        let shutdown = CancellationToken::new();
        let (tasks, mut deaths) = Tasks::new(shutdown.clone());
        let stop = shutdown.clone();
        tasks.critical("worker", async move {
            stop.cancelled().await;
            Ok::<(), String>(())
        });
        shutdown.cancel();
        tasks.wait().await;
        assert!(deaths.try_recv().is_err());
    }
}
