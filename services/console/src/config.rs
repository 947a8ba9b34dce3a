//! The service's own configuration.

use std::net::{Ipv4Addr, SocketAddr};

use runtime::config::{FromEnvironment, Reader};

use crate::token::Tokens;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API is.
    pub http_listen: SocketAddr,
    /// What its clients show.
    pub(crate) tokens: Tokens,
}

impl FromEnvironment for Config {
    fn read(reader: &mut Reader) -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        Self {
            http_listen: reader.listen("HTTP_LISTEN", any, "Where the API is. Put TLS before it."),
            tokens: Tokens::read(reader),
        }
    }
}
