//! A label that names what operators configure, with a bound: each value is a series in every metric of every replica.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// The most identifiers with series of their own.
const MOST: usize = 200;
/// The label of all others.
pub const OTHER: &str = "other";

/// Which identifiers have series of their own.
pub struct Labels<Id> {
    most: usize,
    own: Mutex<HashSet<Id>>,
}

impl<Id: Clone + Eq + Hash + AsRef<str>> Labels<Id> {
    /// Gives series to the first 200, or to none.
    pub fn new(enabled: bool) -> Self {
        Self {
            most: if enabled { MOST } else { 0 },
            own: Mutex::default(),
        }
    }

    /// The label of an identifier: itself, or that of all others when there are too many.
    pub fn of<'a>(&self, id: &'a Id) -> &'a str {
        if self.has_its_own(id) { id.as_ref() } else { OTHER }
    }

    /// Whether an identifier has series of its own; it gets them when there is room.
    pub fn has_its_own(&self, id: &Id) -> bool {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let is_a_name = id.as_ref() != OTHER;
        own.contains(id) || (is_a_name && own.len() < self.most && own.insert(id.clone()))
    }

    /// Makes room: returns those that are not there any more.
    pub fn keep(&self, is_there: impl Fn(&Id) -> bool) -> HashSet<Id> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.extract_if(|id| !is_there(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_identifiers_share_a_series_until_there_is_room() {
        let labels = Labels::new(true);
        let ids: Vec<_> = (0..=MOST).map(|number| format!("i{number}")).collect();
        let (late, early) = ids.split_last().unwrap();
        for id in early {
            assert_eq!(labels.of(id), id);
        }
        assert_eq!(labels.of(late), OTHER);
        assert_eq!(labels.of(&ids[0]), "i0");
        let removed = labels.keep(|id| id != "i0");
        assert_eq!(removed, HashSet::from(["i0".to_owned()]));
        assert_eq!(labels.of(late), late);
    }

    #[test]
    fn what_is_called_other_has_no_series_of_its_own() {
        assert!(!Labels::new(true).has_its_own(&OTHER.to_owned()));
    }

    #[test]
    fn the_label_can_be_switched_off() {
        assert_eq!(Labels::new(false).of(&"i0".to_owned()), OTHER);
    }
}
