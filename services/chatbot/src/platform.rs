//! Whom a command asks.

use bus::Bus;

use crate::server::Server;

/// The platform, as a command reaches it.
pub(crate) enum Platform {
    /// Over its broker.
    Broker(Bus),
    /// Over the admin API of a console.
    Console(Server),
}
