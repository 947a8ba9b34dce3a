//! The pages, as a browser without a script asks for them.

mod attachments;
mod bots;
mod bulk;
mod connections;
mod conversations;
mod dead_letters;
mod events;
mod integrations;
mod links;
mod lockout;
mod messages;
mod overview;
mod playground;
mod policy;
mod records;
mod refusals;
mod sessions;

use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use testkit::client::client;

use crate::fixture::{Fixture, OPERATOR, VIEWER};

/// Who is signed in.
pub(crate) struct Browser {
    /// Where the console is.
    url: String,
    client: Client,
    cookie: String,
}

/// A page, or where a form leads.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    /// The address that it leads to.
    pub(crate) location: Option<String>,
    pub(crate) html: String,
}

impl Fixture {
    pub(crate) async fn operator(&self) -> Browser {
        Browser::signed_in(self.url("http"), OPERATOR).await
    }

    pub(crate) async fn viewer(&self) -> Browser {
        Browser::signed_in(self.url("http"), VIEWER).await
    }

    pub(crate) fn nobody(&self) -> Browser {
        Browser::stranger(self.url("http"))
    }
}

impl Browser {
    /// Signs in with this token.
    pub(crate) async fn signed_in(url: String, token: &str) -> Self {
        let mut browser = Self::stranger(url);
        let response = browser.send(Method::POST, "/login", &[("token", token)]).await;
        let cookie = set_cookie(&response);
        cookie.split(';').next().unwrap().clone_into(&mut browser.cookie);
        browser
    }

    /// Who is not signed in.
    pub(crate) fn stranger(url: String) -> Self {
        // The shared one installs what ours needs for TLS, and follows redirects, which loses the cookie.
        client();
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none());
        Self {
            url,
            client: client.pool_max_idle_per_host(0).build().unwrap(),
            cookie: String::new(),
        }
    }

    /// The same session at another replica.
    pub(crate) fn at(&self, url: String) -> Self {
        Self {
            cookie: self.cookie.clone(),
            ..Self::stranger(url)
        }
    }

    /// A request, not sent yet.
    pub(crate) fn request(&self, method: Method, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.header("cookie", &self.cookie);
        if form.is_empty() {
            return request;
        }
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        request.body(body.extend_pairs(form).finish())
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Response {
        self.request(method, path, form).send().await.unwrap()
    }

    /// A page.
    pub(crate) async fn get(&self, path: &str) -> Shown {
        Shown::of(self.send(Method::GET, path, &[]).await).await
    }

    /// Sends a form as a page of this session does.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Shown {
        let seal = self.get("/bots").await.value("seal");
        let form = [&[("seal", seal.as_str())], form].concat();
        Shown::of(self.send(Method::POST, path, &form).await).await
    }
}

/// The cookie that an answer sets, with its flags; empty when it sets none.
pub(crate) fn set_cookie(response: &Response) -> String {
    let cookie = response.headers().get("set-cookie");
    cookie.map_or(String::new(), |cookie| cookie.to_str().unwrap().to_owned())
}

impl Shown {
    async fn of(response: Response) -> Self {
        let location = response.headers().get("location");
        Self {
            status: response.status().as_u16(),
            location: location.map(|location| location.to_str().unwrap().to_owned()),
            html: response.text().await.unwrap(),
        }
    }

    /// Checks that it is a page of this status that holds all this.
    #[track_caller]
    pub(crate) fn holds(&self, status: u16, parts: &[&str]) -> &Self {
        assert_eq!(self.status, status, "{}", self.html);
        for part in parts {
            assert!(self.html.contains(part), "no {part:?} in {}", self.html);
        }
        self
    }

    /// Checks that nothing of this is on it.
    #[track_caller]
    pub(crate) fn lacks(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(!self.html.contains(part), "{part:?} in {}", self.html);
        }
        self
    }

    /// Checks that a form was taken and leads there.
    #[track_caller]
    pub(crate) fn leads_to(&self, address: &str) {
        let found = (self.status, self.location.as_deref());
        assert_eq!(found, (303, Some(address)), "{}", self.html);
    }

    /// What the first field of this name holds.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> String {
        self.value_behind("", name)
    }

    /// The same behind a part of the page.
    #[track_caller]
    pub(crate) fn value_behind(&self, part: &str, name: &str) -> String {
        let (_, behind) = self.html.split_once(part).expect(part);
        let field = format!("name=\"{name}\" value=\"");
        let (_, rest) = behind.split_once(&field).expect(name);
        rest.split('"').next().unwrap().to_owned()
    }
}
