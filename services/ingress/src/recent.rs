//! A value for each conversation that is active here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto_schemas::ids::ConversationId;

/// Values of conversations, until [`Recent::forget_idle`] finds one unused.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    values: Mutex<HashMap<ConversationId, Used<V>>>,
}

#[derive(Debug)]
struct Used<V> {
    value: V,
    /// Whether it was used since the last sweep.
    lately: bool,
}

impl<V: Copy> Recent<V> {
    pub(crate) fn get(&self, conversation: &ConversationId) -> Option<V> {
        let mut values = self.lock();
        let used = values.get_mut(conversation)?;
        used.lately = true;
        Some(used.value)
    }

    pub(crate) fn set(&self, conversation: &ConversationId, value: V) {
        self.update(conversation, |_| value);
    }

    /// Puts a value in the place of the one before, if there is one. Nobody comes between.
    pub(crate) fn update(&self, conversation: &ConversationId, next: impl FnOnce(Option<V>) -> V) {
        let mut values = self.lock();
        if let Some(used) = values.get_mut(conversation) {
            used.value = next(Some(used.value));
            used.lately = true;
        } else {
            let value = next(None);
            values.insert(conversation.clone(), Used { value, lately: true });
        }
    }

    /// Lets go of conversations that nobody asked for since the last time.
    pub(crate) fn forget_idle(&self) {
        self.lock().retain(|_, used| std::mem::take(&mut used.lately));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Used<V>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self {
            values: Mutex::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_quiet_for_a_whole_sweep_is_forgotten() {
        let conversation = ConversationId::new("conv_a").unwrap();
        let recent = Recent::default();
        recent.set(&conversation, 1);
        recent.forget_idle();
        assert_eq!(recent.get(&conversation), Some(1));
        recent.forget_idle();
        recent.forget_idle();
        assert_eq!(recent.get(&conversation), None);
    }
}
