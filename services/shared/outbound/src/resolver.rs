//! Resolves names for the client and lets no forbidden address through.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::policy::{Denied, Policy};
use crate::stopwatch::Stopwatch;

/// The resolver inside the client's connector: what it answers is what is connected to, so a name that
/// changes its address between a check and the call gains nothing.
pub(crate) struct PolicyResolver {
    policy: Policy,
    stopwatch: Option<Arc<Stopwatch>>,
}

impl PolicyResolver {
    pub(crate) fn new(policy: Policy, stopwatch: Option<Arc<Stopwatch>>) -> Self {
        Self { policy, stopwatch }
    }
}

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, stopwatch) = (self.policy.clone(), self.stopwatch.clone());
        Box::pin(async move {
            if let Some(stopwatch) = &stopwatch {
                stopwatch.resolving();
            }
            // The port is a placeholder; the connector sets the URL's.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if let Some(stopwatch) = &stopwatch {
                stopwatch.resolved();
            }
            let addresses = permitted(&policy, name.as_str(), found)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The whole answer or nothing: a mixed answer is an attack or a mistake, and filtering it would let the
/// peer choose when the forbidden address is tried.
fn permitted(
    policy: &Policy,
    name: &str,
    found: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
    }
    if policy.excepts_host(name) || found.iter().all(|address| policy.allows(address.ip())) {
        return Ok(found);
    }
    Err(Denied::Address {
        host: name.to_owned(),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect()
    }

    #[test]
    fn one_forbidden_address_spoils_the_answer() {
        let policy = Policy::public_only();
        assert!(permitted(&policy, "a.test", answer(&["1.1.1.1", "2606:4700::1111"])).is_ok());
        let error = permitted(&policy, "a.test", answer(&["1.1.1.1", "10.0.0.1"])).unwrap_err();
        assert!(error.downcast_ref::<Denied>().is_some(), "{error}");
    }

    #[test]
    fn an_exception_lets_the_answer_through() {
        let by_name = Policy::new(&["a.test".to_owned()]).unwrap();
        assert!(permitted(&by_name, "a.test", answer(&["10.0.0.1"])).is_ok());
        assert!(permitted(&by_name, "b.test", answer(&["10.0.0.1"])).is_err());
        let by_subnet = Policy::new(&["10.0.0.0/8".to_owned()]).unwrap();
        assert!(permitted(&by_subnet, "b.test", answer(&["10.0.0.1", "1.1.1.1"])).is_ok());
    }

    #[test]
    fn an_empty_answer_is_an_error() {
        assert!(permitted(&Policy::public_only(), "a.test", Vec::new()).is_err());
    }
}
