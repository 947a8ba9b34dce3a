//! The service's own configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use axum::http::HeaderName;
use files::FilesConfig;
use registry::{AllowedSecrets, SecretRef};
use runtime::config::{FromEnvironment, Reader};
use url::Url;

use crate::pages::Surroundings;
use crate::playground::PlaygroundConfig;
use crate::token::Tokens;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API is.
    pub http_listen: SocketAddr,
    /// What its clients show.
    pub(crate) tokens: Tokens,
    /// How many requests a second each token has; as many may come at once.
    pub(crate) per_second: NonZeroU32,
    /// Which secrets the records that are written here may refer to.
    pub(crate) secrets: AllowedSecrets,
    /// The playground's way in, if it has one.
    pub(crate) playground: Option<PlaygroundConfig>,
    /// What the pages are told about the world around them.
    pub(crate) surroundings: Surroundings,
    /// Where the seed of the broker's user `forget` lies; conversations are removed with it.
    pub(crate) forget_seed: Option<SecretRef>,
    /// Where files are.
    pub(crate) files: FilesConfig,
}

impl FromEnvironment for Config {
    fn read(reader: &mut Reader) -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        let playground = playground(reader);
        Self {
            http_listen: reader.listen(
                "HTTP_LISTEN",
                any,
                "Where the API and the pages are. Put TLS before them.",
            ),
            tokens: Tokens::read(reader),
            per_second: per_second(reader),
            secrets: secrets(reader, playground.as_ref()),
            playground,
            surroundings: Surroundings {
                ingress_public_url: url(
                    reader,
                    "INGRESS_PUBLIC_URL",
                    "Where platforms reach ingress, for the addresses that the pages show of connections.",
                ),
                client_address_header: header(reader),
            },
            forget_seed: forget_seed(reader),
            files: FilesConfig::read(reader),
        }
    }
}

fn secrets(reader: &mut Reader, playground: Option<&PlaygroundConfig>) -> AllowedSecrets {
    const KEY: &str = "CONSOLE_SECRETS";
    let list = reader.optional(
        KEY,
        "References that integrations and connections may hold when they are written over the console, with commas between them; `*` at the \
         end stands for whatever follows: file:/var/run/secrets/connections/*. That of the playground is allowed besides. Any when \
         empty: then operators can have each file and variable of the services sent to a webhook of theirs.",
    );
    let allowed = list.map_or(Ok(AllowedSecrets::ANY), |list| AllowedSecrets::read(&list));
    let allowed = allowed.unwrap_or_else(|error| {
        reader.error(format!("{KEY}: {error}"));
        AllowedSecrets::ANY
    });
    match playground {
        Some(playground) => allowed.and(&playground.secret),
        None => allowed,
    }
}

fn playground(reader: &mut Reader) -> Option<PlaygroundConfig> {
    const SECRET: &str = "CONSOLE_PLAYGROUND_SECRET";
    const INGRESS: &str = "INGRESS_URL";
    let ingress = url(
        reader,
        INGRESS,
        "Where the console reaches ingress, for its playground. There is none when empty.",
    );
    let secret = reader.optional(
        SECRET,
        "Reference to the key (whsec_…) that signs what the playground pushes. Connections of the HTTP channel that name the \
         same reference take it.",
    );
    let secret = secret.and_then(|text| match SecretRef::try_from(text) {
        Ok(secret) => Some(secret),
        Err(error) => {
            reader.error(format!("{SECRET}: {error}"));
            None
        }
    });
    if ingress.is_some() != secret.is_some() {
        reader.error(format!("{SECRET}: must be set with {INGRESS}, and only with it"));
    }
    let (ingress, secret) = ingress.zip(secret)?;
    Some(PlaygroundConfig { ingress, secret })
}

fn url(reader: &mut Reader, key: &'static str, help: &'static str) -> Option<Url> {
    let text = reader.optional(key, help)?;
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => Some(url),
        Ok(_) | Err(_) => {
            reader.error(format!("{key}: must be an address as https://bot.example.com"));
            None
        }
    }
}

fn header(reader: &mut Reader) -> Option<HeaderName> {
    const KEY: &str = "CONSOLE_CLIENT_ADDRESS_HEADER";
    let help = "The header in which a proxy that stands before every request names its client, as x-forwarded-for; its last \
        entry counts. Without it who signs in is known by the connection's other end.";
    let name = reader.optional(KEY, help)?;
    let parsed = name.parse();
    if parsed.is_err() {
        reader.error(format!("{KEY}: {name:?} is no name of a header"));
    }
    parsed.ok()
}

fn per_second(reader: &mut Reader) -> NonZeroU32 {
    let number = reader.number(
        "CONSOLE_REQUESTS_PER_SECOND",
        20,
        1..=1000,
        "Requests a second of each token, in each replica.",
    );
    u32::try_from(number)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN)
}

fn forget_seed(reader: &mut Reader) -> Option<SecretRef> {
    const KEY: &str = "CONSOLE_FORGET_NKEY_SEED";
    let reference = reader.optional(
        KEY,
        "Reference to the seed of the broker's user `forget`, as file:PATH or env:NAME, read when a conversation is \
         first removed. Without it the console removes none on a broker that knows its users.",
    )?;
    let reference = SecretRef::try_from(reference);
    reference
        .map_err(|error| reader.error(format!("{KEY}: {error}")))
        .ok()
}
