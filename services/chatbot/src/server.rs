//! The admin API of a console, in place of the broker: `--server`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use outbound::{Client, Policy, error_text};
use registry::{Problem, Secret, SecretRef};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use url::{Host, Url};

use crate::Failure;

/// How long an answer may take: as a test of the slowest webhook, and what it waits for before.
const PATIENCE: Duration = Duration::from_secs(660);
/// How often a request is sent again when the console has too many of them.
const AGAIN: usize = 5;
/// The longest pause before that, whatever the console asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Entries of a page.
const PAGE: &str = "100";

/// Which console.
#[derive(Args)]
pub(crate) struct Options {
    /// A console's address: its admin API is used in place of the broker, with the token of CONSOLE_TOKEN.
    #[arg(long, global = true, env = "CONSOLE_URL")]
    server: Option<String>,
    /// The file with that token, in place of CONSOLE_TOKEN.
    #[arg(long, global = true, env = "CONSOLE_TOKEN_FILE")]
    server_token_file: Option<PathBuf>,
}

/// A console, and who we are to it.
pub(crate) struct Server {
    client: Client,
    /// Its address, to whose path those of the API are added.
    address: Url,
    token: Secret,
}

/// Why the console did not do as asked, as a problem document says it.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    /// For a person.
    detail: String,
    /// For a program.
    pub(crate) code: String,
    /// The rules that a record breaks.
    #[serde(default)]
    pub(crate) errors: Vec<Problem>,
}

/// Why there is no answer of use.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The console says why not.
    Refused(Refusal),
    /// There is no console, or it is none.
    Failed(Failure),
}

/// What is stored under an address, and its revision.
pub(crate) struct Found<T> {
    pub(crate) value: T,
    /// As `If-Match` takes it; none for what has no revision.
    pub(crate) tag: Option<String>,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Options {
    /// The console, if one is named. An empty address names none.
    ///
    /// # Errors
    /// [`Failure`] when the address is none that a token may be sent to, or there is no token.
    pub(crate) fn open(&self) -> Result<Option<Server>, Failure> {
        let Some(address) = self.server.as_deref().filter(|address| !address.is_empty()) else {
            return Ok(None);
        };
        // Without the address itself, which may hold a password.
        let bad = |cause: String| Failure(format!("the console's address (--server, CONSOLE_URL) {cause}"));
        let address = parsed(address).map_err(bad)?;
        let policy = Policy::with_server(&address).map_err(|causes| bad(causes.join(", ")))?;
        Ok(Some(Server {
            client: Client::new(policy, None).map_err(Failure::new)?,
            address,
            token: self.token()?,
        }))
    }

    /// Whether a console is named.
    pub(crate) fn is_given(&self) -> bool {
        self.server.as_deref().is_some_and(|address| !address.is_empty())
    }

    fn token(&self) -> Result<Secret, Failure> {
        let reference = self.server_token_file.as_ref().map_or_else(
            || "env:CONSOLE_TOKEN".to_owned(),
            |file| format!("file:{}", file.display()),
        );
        let reference = SecretRef::try_from(reference).map_err(Failure::new)?;
        let token = reference.resolve();
        token.map_err(|error| Failure(format!("no token for the console: {error}")))
    }
}

impl Server {
    /// What is at an address.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Found<T>, Trouble> {
        self.ask(self.request(Method::GET, path)?).await
    }

    /// The same; none when there is no such thing.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<Found<T>>, Trouble> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Trouble::Refused(refusal)) if refusal.code == "not_found" => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// All entries of a list, page by page.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>, Trouble> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let mut parts = query.to_vec();
            parts.push(("limit", PAGE.to_owned()));
            parts.extend(cursor.map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.get(&with_query(path, &parts)).await?.value;
            all.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Has something done, with a body.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Trouble> {
        let body = serde_json::to_vec(body).map_err(|error| Trouble::Failed(Failure::new(error)))?;
        let request = self.request(Method::POST, path)?.body(body);
        Ok(self.ask(request).await?.value)
    }

    /// Stores a record in place of the revision that was seen, or where there was none.
    pub(crate) async fn put(
        &self,
        path: &str,
        record: &impl Serialize,
        seen: Option<&str>,
    ) -> Result<(), Trouble> {
        let body = serde_json::to_vec(record).map_err(|error| Trouble::Failed(Failure::new(error)))?;
        let (condition, value) = match seen {
            Some(tag) => (header::IF_MATCH, tag),
            None => (header::IF_NONE_MATCH, "*"),
        };
        let request = self.request(Method::PUT, path)?;
        let request = request.header(condition, value).body(body);
        let _written: Found<serde_json::Value> = self.ask(request).await?;
        Ok(())
    }

    /// Removes what is at an address.
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        Ok(self.ask(self.request(Method::DELETE, path)?).await?.value)
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Trouble> {
        let request = self.client.request(method, &joined(&self.address, path));
        let request = request.map_err(|error| Trouble::Failed(Failure::new(error)))?;
        Ok(request.timeout(PATIENCE).bearer_auth(self.token.expose()))
    }

    /// Sends it, and again after a pause when the token has used up its rate.
    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Found<T>, Trouble> {
        for _ in 0..AGAIN {
            let Some(copy) = request.try_clone() else { break };
            let response = self.send(copy).await?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return self.read(response).await;
            }
            sleep(pause(&response)).await;
        }
        let response = self.send(request).await?;
        self.read(response).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let sent = request.send().await;
        sent.map_err(|error| self.trouble(&format!("does not answer: {}", error_text(error))))
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<Found<T>, Trouble> {
        let status = response.status();
        let tag = response.headers().get(header::ETAG);
        let tag = tag.and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await;
        let body = body.map_err(|error| self.trouble(&format!("broke off: {}", error_text(error))))?;
        let foreign = || self.trouble(&format!("answered {status}, and not as a console does"));
        if status.is_success() {
            let value = serde_json::from_slice(&body).map_err(|_| foreign())?;
            return Ok(Found { value, tag });
        }
        let refusal = serde_json::from_slice(&body).map_err(|_| foreign())?;
        Err(Trouble::Refused(refusal))
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble::Failed(Failure(format!("the console at {} {what}", self.address)))
    }
}

/// The address of a console; otherwise what is wrong with it.
fn parsed(address: &str) -> Result<Url, String> {
    let url = Url::parse(address).map_err(|error| format!("is none: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(
                "has to begin with https://: the token would go in clear to another machine".to_owned(),
            );
        }
        _ => return Err("has to begin with https://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold a query or a fragment".to_owned());
    }
    Ok(url)
}

/// Whether it is this machine by name or by number.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The address of a path, with its query if it has one, behind that of the console.
fn joined(address: &Url, path: &str) -> Url {
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let mut url = address.clone();
    url.set_path(&format!("{}{path}", address.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

/// A path with a query.
pub(crate) fn with_query(path: &str, parts: &[(&str, String)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parts);
    format!("{path}?{}", query.finish())
}

fn pause(response: &Response) -> Duration {
    let asked = response.headers().get(header::RETRY_AFTER);
    let seconds = asked.and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_PAUSE)
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        self.errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => Failure(format!("the console refused: {refusal}")),
            Trouble::Failed(failure) => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_in_clear_to_this_machine_only() {
        for address in [
            "https://console.example",
            "https://console.example:8443/chat/",
            "http://localhost:8090",
            "http://127.0.0.1:8090/",
            "http://127.3.2.1",
            "http://[::1]:8090",
        ] {
            assert!(parsed(address).is_ok(), "{address}");
        }
        for address in [
            "http://console.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1:8090",
            "http://[::2]",
            "HTTP://console.example",
        ] {
            let refused = parsed(address).unwrap_err();
            assert!(refused.contains("in clear"), "{address}: {refused}");
        }
    }

    #[test]
    fn an_address_holds_no_query_no_fragment_no_password_and_is_of_http() {
        for (address, cause) in [
            ("https://console.example/?a=b", "a query"),
            ("https://console.example/#top", "a fragment"),
            ("https://ann:secret@console.example", "a password"),
            ("https://ann@console.example", "a user"),
            ("ftp://console.example", "https://"),
            ("console.example", "is none"),
        ] {
            let refused = parsed(address).unwrap_err();
            assert!(refused.contains(cause), "{address}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_path_is_added_to_that_of_the_console() {
        for (address, expected) in [
            (
                "https://console.example",
                "https://console.example/v1/bots?limit=1",
            ),
            (
                "https://console.example/chat/",
                "https://console.example/chat/v1/bots?limit=1",
            ),
        ] {
            let url = joined(&parsed(address).unwrap(), "/v1/bots?limit=1");
            assert_eq!(url.as_str(), expected);
        }
        let url = joined(&parsed("https://console.example").unwrap(), "/v1/bots");
        assert_eq!(url.as_str(), "https://console.example/v1/bots");
    }
}
