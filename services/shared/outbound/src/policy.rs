//! What may be called.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use crate::address::{embedded_v4, is_public};

/// What may be called: `https` at publicly routable addresses, and the exceptions of a development set-up.
///
/// An excepted host name or a literal address in an excepted subnet may also be called by plain `http`. A
/// name that is not excepted itself may lead into an excepted subnet, but only by `https`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    hosts: BTreeSet<String>,
    subnets: Vec<IpNet>,
}

/// The policy forbids a call. Names the host at most, never the rest of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The URL is neither `https` nor `http`.
    #[error("only https may be called")]
    Scheme,
    /// Plain `http`, and the host is no exception.
    #[error("{host:?} may only be called by https")]
    PlainHttp {
        /// The host of the URL.
        host: String,
    },
    /// The host is, or resolves to, an address that is not publicly routable.
    #[error("{host:?} has an address that is not publicly routable")]
    Address {
        /// The host of the URL.
        host: String,
    },
}

impl Policy {
    /// No exceptions: what production wants.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// One exception, for the server of an operator's own: it may have a private address and no TLS.
    ///
    /// # Errors
    /// As for [`Policy::new`].
    pub fn with_server(server: &Url) -> Result<Self, Vec<String>> {
        let host = server.host().map(|host| match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        });
        Self::new(&host.into_iter().collect::<Vec<_>>())
    }

    /// A policy with exceptions, each a host name, an address or a subnet.
    ///
    /// # Errors
    /// One text for every entry that is none of these.
    pub fn new(allowed: &[String]) -> Result<Self, Vec<String>> {
        let mut policy = Self::default();
        let mut problems = Vec::new();
        for entry in allowed {
            if !policy.except(entry) {
                problems.push(format!("{entry:?} is not a host name, an address or a subnet"));
            }
        }
        if problems.is_empty() {
            Ok(policy)
        } else {
            Err(problems)
        }
    }

    fn except(&mut self, entry: &str) -> bool {
        if let Ok(subnet) = entry.parse::<IpNet>() {
            self.subnets.push(subnet.trunc());
            return true;
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            self.subnets.push(address.into());
            return true;
        }
        match Host::parse(entry) {
            Ok(Host::Domain(name)) if is_host_name(&name) => self.hosts.insert(bare(&name).to_owned()),
            // A number or a bracketed address is a spelling that would surprise the next reader.
            Ok(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => return false,
        };
        true
    }

    /// Whether there are exceptions.
    pub fn is_open(&self) -> bool {
        !self.hosts.is_empty() || !self.subnets.is_empty()
    }

    /// Checks all of a URL that can be checked without resolving its name.
    ///
    /// # Errors
    /// [`Denied`] when the scheme or a literal address is not allowed.
    pub fn check(&self, url: &Url) -> Result<(), Denied> {
        let host = url.host().filter(|_| is_http(url)).ok_or(Denied::Scheme)?;
        let excepted = match &host {
            Host::Domain(name) => self.excepts_host(name),
            Host::Ipv4(address) => self.excepts(IpAddr::V4(*address)),
            Host::Ipv6(address) => self.excepts(IpAddr::V6(*address)),
        };
        if excepted {
            return Ok(());
        }
        let public = match &host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => is_public(IpAddr::V4(*address)),
            Host::Ipv6(address) => is_public(IpAddr::V6(*address)),
        };
        if !public {
            return Err(Denied::Address {
                host: host.to_string(),
            });
        }
        if url.scheme() == "http" {
            return Err(Denied::PlainHttp {
                host: host.to_string(),
            });
        }
        Ok(())
    }

    /// Whether a name may lead to this address.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        self.excepts(address) || is_public(address)
    }

    /// Whether a name is an exception, wherever it leads.
    pub(crate) fn excepts_host(&self, name: &str) -> bool {
        self.hosts.contains(bare(name))
    }

    fn excepts(&self, address: IpAddr) -> bool {
        let inner = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
        };
        let inside = |address: &IpAddr| self.subnets.iter().any(|subnet| subnet.contains(address));
        inside(&address) || inner.as_ref().is_some_and(inside)
    }
}

/// Whether a text is the address of something on the web, wherever that is.
pub fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| is_http(&url))
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http")
}

/// `example.com.` and `example.com` are one name.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_host_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    bare(name)
        .split('.')
        .all(|label| !label.is_empty() && label.bytes().all(letter))
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("https to public addresses")?;
        let exceptions = self
            .hosts
            .iter()
            .cloned()
            .chain(self.subnets.iter().map(IpNet::to_string));
        for (index, exception) in exceptions.enumerate() {
            write!(
                f,
                "{}{exception}",
                if index == 0 { "; without limits: " } else { ", " }
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(entries: &[&str]) -> Policy {
        Policy::new(
            &entries
                .iter()
                .map(|entry| (*entry).to_owned())
                .collect::<Vec<_>>(),
        )
        .unwrap()
    }

    fn verdict(policy: &Policy, url: &str) -> Result<(), Denied> {
        policy.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn an_address_on_the_web_is_one_of_http() {
        for (url, expected) in [
            ("https://a.test/x", true),
            ("HTTP://127.0.0.1", true),
            ("ftp://a.test/", false),
            ("javascript:alert(1)", false),
            ("a.test", false),
            ("https://", false),
        ] {
            assert_eq!(is_web(url), expected, "{url}");
        }
    }

    #[test]
    fn every_spelling_of_a_local_address_is_refused() {
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://127.1/",
            "https://127.0.0.1./",
            "https://①②⑦.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::ffff:127.0.0.1]:8443/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://user:password@169.254.169.254/latest",
        ] {
            let refusal = verdict(&Policy::public_only(), url);
            assert!(
                matches!(refusal, Err(Denied::Address { .. })),
                "{url}: {refusal:?}"
            );
        }
    }

    #[test]
    fn only_https_is_called_without_an_exception() {
        let policy = Policy::public_only();
        assert_eq!(verdict(&policy, "https://api.example.com/chat"), Ok(()));
        assert_eq!(verdict(&policy, "https://1.1.1.1/"), Ok(()));
        let host = || "api.example.com".to_owned();
        assert_eq!(
            verdict(&policy, "http://api.example.com/"),
            Err(Denied::PlainHttp { host: host() })
        );
        assert_eq!(verdict(&policy, "ftp://api.example.com/"), Err(Denied::Scheme));
        assert_eq!(verdict(&policy, "file:///etc/passwd"), Err(Denied::Scheme));
        assert_eq!(verdict(&policy, "data:text/plain,x"), Err(Denied::Scheme));
    }

    #[test]
    fn an_exception_holds_for_itself_only() {
        let policy = policy(&[
            "Localhost",
            "10.1.0.0/16",
            "192.168.7.7",
            "fd00::/8",
            "backend.test.",
        ]);
        for url in [
            "http://localhost:8080/",
            "http://LOCALHOST./",
            "http://backend.test/",
            "http://10.1.2.3/",
            "https://192.168.7.7/",
            "http://[fd00::1]/",
            "http://[::ffff:10.1.2.3]/",
        ] {
            assert_eq!(verdict(&policy, url), Ok(()), "{url}");
        }
        for url in [
            "http://10.2.0.1/",
            "https://192.168.7.8/",
            "http://sub.localhost/",
            "https://[::1]/",
        ] {
            assert!(verdict(&policy, url).is_err(), "{url}");
        }
    }

    #[test]
    fn every_wrong_entry_is_reported() {
        let entries = [
            "localhost:80",
            "https://x",
            "",
            "10.0.0.0/33",
            "*",
            "a..b",
            "[::1]",
            "ok.test",
        ];
        let problems = Policy::new(&entries.map(str::to_owned)).unwrap_err();
        assert_eq!(problems.len(), entries.len() - 1, "{problems:?}");
        assert!(problems[0].contains("localhost:80"));
    }

    #[test]
    fn the_listing_names_what_is_open() {
        assert_eq!(Policy::public_only().to_string(), "https to public addresses");
        assert!(!Policy::public_only().is_open());
        let open = policy(&["localhost", "10.0.0.9/8"]);
        assert!(open.is_open());
        assert_eq!(
            open.to_string(),
            "https to public addresses; without limits: localhost, 10.0.0.0/8"
        );
    }

    #[test]
    fn a_refusal_does_not_repeat_path_or_password() {
        let text = verdict(
            &Policy::public_only(),
            "https://u:hunter2@10.0.0.1/bot123:ABC/x?key=s3",
        )
        .unwrap_err()
        .to_string();
        assert_eq!(text, "\"10.0.0.1\" has an address that is not publicly routable");
    }
}
