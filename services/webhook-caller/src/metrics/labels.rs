//! The label `integration`, with a bound: each value is a series in every metric of every replica.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use proto_schemas::ids::IntegrationId;

/// The most integrations with series of their own.
const MOST: usize = 200;
/// The label of all others.
const OTHER: &str = "other";

/// Which integrations have series of their own.
pub(super) struct Labels {
    most: usize,
    own: Mutex<HashSet<IntegrationId>>,
}

impl Labels {
    pub(super) fn new(by_integration: bool) -> Self {
        Self {
            most: if by_integration { MOST } else { 0 },
            own: Mutex::default(),
        }
    }

    /// The label of an integration: its identifier, or that of all others when there are too many.
    pub(super) fn of<'a>(&self, integration: &'a IntegrationId) -> &'a str {
        if self.has_its_own(integration) {
            integration.as_str()
        } else {
            OTHER
        }
    }

    /// Whether an integration has series of its own; it gets them when there is room.
    pub(super) fn has_its_own(&self, integration: &IntegrationId) -> bool {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let is_a_name = integration.as_str() != OTHER;
        own.contains(integration) || (is_a_name && own.len() < self.most && own.insert(integration.clone()))
    }

    /// Makes room: returns those that are not there any more.
    pub(super) fn keep(&self, is_there: impl Fn(&IntegrationId) -> bool) -> HashSet<IntegrationId> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.extract_if(|integration| !is_there(integration)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integration(number: usize) -> IntegrationId {
        IntegrationId::new(format!("i{number}")).unwrap()
    }

    #[test]
    fn beyond_the_bound_integrations_share_a_series_until_there_is_room() {
        let labels = Labels::new(true);
        for number in 0..MOST {
            let id = integration(number);
            assert_eq!(labels.of(&id), id.as_str());
        }
        let late = integration(MOST);
        assert_eq!(labels.of(&late), OTHER);
        assert_eq!(labels.of(&integration(0)), "i0");
        let removed = labels.keep(|id| id.as_str() != "i0");
        assert_eq!(removed, HashSet::from([integration(0)]));
        assert_eq!(labels.of(&late), late.as_str());
    }

    #[test]
    fn the_label_can_be_switched_off() {
        assert_eq!(Labels::new(false).of(&integration(0)), OTHER);
    }
}
