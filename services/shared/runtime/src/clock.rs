//! The system clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use proto_schemas::ids::UnixMillis;

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the system clock"
)]
pub fn now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
