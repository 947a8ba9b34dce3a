//! Who tries tokens: after some failures an address has to wait, each time longer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures are forgiven.
const FORGIVEN: u32 = 5;
/// The wait after the next one; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// For so long failures count.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How many addresses are remembered. Beyond that the one whose last failure is longest ago is forgotten.
const ADDRESSES: usize = 4096;

/// The addresses that failed lately.
#[derive(Default)]
pub(crate) struct LockOut(Mutex<HashMap<IpAddr, Failures>>);

struct Failures {
    count: u32,
    last: Instant,
}

impl LockOut {
    /// How long an address still has to wait; none when it may try.
    pub(crate) fn wait_of(&self, address: IpAddr) -> Option<Duration> {
        let failed = self.failed();
        let failures = failed.get(&network_of(address))?;
        let wait = wait_after(failures.count).checked_sub(failures.last.elapsed())?;
        (!wait.is_zero()).then_some(wait)
    }

    /// Remembers that it showed a wrong token.
    pub(crate) fn note_failure(&self, address: IpAddr) {
        let now = Instant::now();
        let mut failed = self.failed();
        failed.retain(|_, failures| now - failures.last < REMEMBERED);
        let address = network_of(address);
        if failed.len() >= ADDRESSES && !failed.contains_key(&address) {
            let oldest = failed.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                failed.remove(&oldest);
            }
        }
        let failures = failed.entry(address).or_insert(Failures { count: 0, last: now });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets its failures: it has shown a right one.
    pub(crate) fn forgive(&self, address: IpAddr) {
        self.failed().remove(&network_of(address));
    }

    fn failed(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait_after(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(FORGIVEN) else {
        return Duration::ZERO;
    };
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doublings));
    wait.min(LONGEST_WAIT)
}

/// Who has one address of IPv6 has at least its whole network of 64 bits.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "192.0.2.1";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(lock_out: &LockOut, text: &str, times: u32) {
        for _ in 0..times {
            lock_out.note_failure(address(text));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_begins_after_some_failures_and_doubles_up_to_its_bound() {
        let lock_out = LockOut::default();
        fail(&lock_out, ONE, FORGIVEN - 1);
        assert_eq!(lock_out.wait_of(address(ONE)), None);
        fail(&lock_out, ONE, 1);
        assert_eq!(lock_out.wait_of(address(ONE)), Some(FIRST_WAIT));
        fail(&lock_out, ONE, 1);
        assert_eq!(lock_out.wait_of(address(ONE)), Some(2 * FIRST_WAIT));
        fail(&lock_out, ONE, 100);
        assert_eq!(lock_out.wait_of(address(ONE)), Some(LONGEST_WAIT));
        tokio::time::advance(LONGEST_WAIT).await;
        assert_eq!(lock_out.wait_of(address(ONE)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn others_do_not_wait_and_a_right_token_is_forgiven_for() {
        let lock_out = LockOut::default();
        fail(&lock_out, ONE, FORGIVEN);
        assert_eq!(lock_out.wait_of(address("192.0.2.2")), None);
        lock_out.forgive(address(ONE));
        fail(&lock_out, ONE, 1);
        assert_eq!(lock_out.wait_of(address(ONE)), None);
        fail(&lock_out, ONE, FORGIVEN);
        tokio::time::advance(REMEMBERED).await;
        fail(&lock_out, ONE, 1);
        assert_eq!(
            lock_out.wait_of(address(ONE)),
            None,
            "what is long ago does not count"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_counts_as_one_address() {
        let lock_out = LockOut::default();
        fail(&lock_out, "2001:db8::1", FORGIVEN);
        assert!(lock_out.wait_of(address("2001:db8::ffff")).is_some());
        assert_eq!(lock_out.wait_of(address("2001:db8:0:1::1")), None);
        fail(&lock_out, "::ffff:192.0.2.1", FORGIVEN);
        assert!(lock_out.wait_of(address(ONE)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_addresses_are_remembered_than_there_is_place_for() {
        let lock_out = LockOut::default();
        fail(&lock_out, ONE, FORGIVEN);
        tokio::time::advance(Duration::from_millis(1)).await;
        for number in 0..u32::try_from(ADDRESSES).unwrap() {
            lock_out.note_failure(IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(lock_out.failed().len(), ADDRESSES);
        assert_eq!(lock_out.wait_of(address(ONE)), None, "the oldest is forgotten");
    }
}
