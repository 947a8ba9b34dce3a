//! A barrier that stops work half-way, so that a test can kill, pause or look around meanwhile.

use std::sync::Mutex;

use tokio::sync::watch;

/// Holds back every request that comes while it exists. Dropped, it lets them go too.
#[must_use = "dropping the gate opens it"]
#[derive(Debug)]
pub struct Gate {
    _closed: watch::Sender<()>,
}

impl Gate {
    /// Lets everything go that was held back.
    pub fn release(self) {}
}

/// Where requests pass, or wait while a [`Gate`] is closed.
#[derive(Debug, Default)]
pub(crate) struct Doorway {
    gate: Mutex<Option<watch::Receiver<()>>>,
}

impl Doorway {
    /// Closes the doorway. A gate that was closed before keeps what it holds, but gets nothing new.
    pub(crate) fn close(&self) -> Gate {
        let (closed, gate) = watch::channel(());
        *self.gate.lock().unwrap() = Some(gate);
        Gate { _closed: closed }
    }

    /// Returns when the way is free.
    pub(crate) async fn pass(&self) {
        let gate = self.gate.lock().unwrap().clone();
        if let Some(mut gate) = gate {
            // Nothing is ever sent: the only change is the end of the sender.
            while gate.changed().await.is_ok() {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_comes_while_the_gate_is_closed_waits_for_its_release() {
        let doorway = Doorway::default();
        assert!(doorway.pass().now_or_never().is_some());
        let gate = doorway.close();
        let mut held = std::pin::pin!(doorway.pass());
        assert!(held.as_mut().now_or_never().is_none());
        gate.release();
        assert!(held.now_or_never().is_some());
        assert!(doorway.pass().now_or_never().is_some());
    }
}
