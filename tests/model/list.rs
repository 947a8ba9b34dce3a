//! A short list without an allocation: millions of states hold some.

use std::ops::Deref;

/// At most `N` small numbers; what lies behind the length is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct List<const N: usize> {
    length: u8,
    items: [u8; N],
}

impl<const N: usize> List<N> {
    pub(crate) const EMPTY: Self = Self {
        length: 0,
        items: [0; N],
    };

    pub(crate) fn push(&mut self, item: u8) {
        self.items[usize::from(self.length)] = item;
        self.length += 1;
    }

    pub(crate) fn count(&self) -> u8 {
        self.length
    }
}

impl<const N: usize> Deref for List<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.items[..usize::from(self.length)]
    }
}

/// A set of numbers below 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Set(u32);

impl Set {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) fn contains(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }

    pub(crate) fn insert(&mut self, number: u8) {
        self.0 |= 1 << number;
    }
}
