//! Randomness for jitter, handed to the pure code that needs it.

use rand::RngExt;

/// A number from 0 to 1, without 1.
pub fn fraction() -> f64 {
    rand::rng().random_range(0.0..1.0)
}

/// A name that nobody else has: 16 hexadecimal digits.
pub fn name() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}
