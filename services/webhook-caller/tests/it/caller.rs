//! A webhook-caller on a thread of its own, which dies or stands still as a process does.

use std::time::Duration;

use runtime::service::{configure, launch};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use webhook_caller::WebhookCaller;

/// Dropped, it is gone at once: nothing is drained and nothing settled.
pub(crate) struct Caller {
    thread: Option<Runtime>,
}

impl Caller {
    /// Starts one, and returns when it works.
    pub(crate) async fn start(variables: Vec<(String, String)>) -> Self {
        let thread = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let started = thread.spawn(async {
            let (common, own) = configure::<WebhookCaller>(variables).unwrap();
            let launching = launch::<WebhookCaller>(common, own, CancellationToken::new());
            Box::pin(launching).await.unwrap().is_some()
        });
        assert!(started.await.unwrap());
        Self { thread: Some(thread) }
    }

    /// Keeps its only thread from doing anything, as SIGSTOP does; it goes on after this time.
    pub(crate) fn freeze(&self, time: Duration) {
        if let Some(thread) = &self.thread {
            drop(thread.spawn(async move { std::thread::sleep(time) }));
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}
