//! The HTTP client that tests push, probe and ask with.

use std::sync::OnceLock;
use std::time::Duration;

/// Cuts off a request to a process that is paused or hangs; far above what a loopback answer takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A client that goes straight to the loopback interface, whatever proxy the environment names. It follows
/// redirects and keeps no connection.
pub fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| client_with(TIMEOUT))
}

/// As [`client`], but it waits so long for an answer.
pub fn client_with(timeout: Duration) -> reqwest::Client {
    // Refused when a provider is there already, and then all is well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().timeout(timeout);
    // No idle connections: one kept by a test's runtime is dead for the next test.
    client
        .pool_max_idle_per_host(0)
        .build()
        .expect("the settings are constant")
}
