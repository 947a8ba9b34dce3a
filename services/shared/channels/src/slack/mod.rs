//! Slack: its Events API and interactions in, its Web API out (`channels.md`, section 3).

mod api;
mod blocks;
mod download;
mod event;
mod interaction;
mod receive;
mod render;
mod send;
mod signature;
mod text;
mod typing;
mod upload;

use outbound::{Client, Denied};
use registry::{Secret, SlackConnection};
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder};
use url::Url;

pub(crate) use render::render;

use crate::account::OpenError;
use crate::api_base::ApiBase;

/// A Slack app in one workspace.
pub struct Account {
    token: Secret,
    signing_secret: Secret,
    api_base: ApiBase,
    /// Whether threads are shown that the bot works on an answer.
    shows_typing: bool,
}

impl Account {
    pub(crate) fn open(spec: &SlackConnection, shows_typing: bool) -> Result<Self, OpenError> {
        Ok(Self {
            shows_typing,
            api_base: ApiBase::open(&spec.api_base)?,
            token: spec.token.resolve()?,
            signing_secret: spec.signing_secret.resolve()?,
        })
    }

    /// Begins a call of the Web API.
    fn method(&self, client: &Client, name: &str) -> Result<RequestBuilder, Denied> {
        self.with_token(client, Method::POST, &self.api_base.with([name]))
    }

    /// Begins a request that carries the token: only where [`Account::is_slack`] says so.
    fn with_token(&self, client: &Client, method: Method, url: &Url) -> Result<RequestBuilder, Denied> {
        let bearer = format!("Bearer {}", self.token.expose());
        Ok(client.request(method, url)?.header(AUTHORIZATION, bearer))
    }

    /// Whether an address is Slack's: the host of the Web API or one below it, as `files.slack.com`.
    fn is_slack(&self, url: &Url) -> bool {
        let (Some(host), Some(slack)) = (url.host_str(), self.api_base.host()) else {
            return false;
        };
        let below = host.strip_suffix(slack);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_of_slack_may_see_the_token() {
        let account = Account {
            token: Secret::new("xoxb-1"),
            signing_secret: Secret::new("s"),
            api_base: ApiBase::open(&Url::parse("https://slack.com/api").unwrap()).unwrap(),
            shows_typing: true,
        };
        let is_slack = |url: &str| account.is_slack(&Url::parse(url).unwrap());
        for ours in [
            "https://slack.com/api",
            "https://files.slack.com/x",
            "https://a.enterprise.slack.com/",
        ] {
            assert!(is_slack(ours), "{ours}");
        }
        for foreign in [
            "https://notslack.com/",
            "https://slack.com.example/",
            "https://example.com/slack.com",
            "data:text/plain,slack.com",
        ] {
            assert!(!is_slack(foreign), "{foreign}");
        }
    }
}
