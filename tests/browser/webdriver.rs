//! The part of WebDriver (W3C) that these tests speak, and two commands of chromedriver besides.
//!
//! A small client of our own: those that there are bring twenty crates, one of them under a licence that `deny.toml`
//! does not allow, and know neither the log nor the emulation.

use std::fmt;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::client::client;
use testkit::condition::PATIENCE;

/// The name under which a reference to an element stands in JSON; the standard fixes it.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A session: one browser with one window.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    url: String,
}

/// What the driver says instead of a result; shows as `error: message`.
pub(crate) struct Refusal {
    /// The error's code, as `no such element`.
    pub(crate) error: String,
    /// The driver's own words.
    message: String,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.message)
    }
}

impl Session {
    /// Opens a browser.
    ///
    /// # Panics
    /// When the driver cannot start one.
    pub(crate) async fn create(driver_url: &str, capabilities: &Value) -> Self {
        let sessions = format!("{driver_url}/session");
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let created = request(Method::POST, &sessions, Some(&wanted)).await;
        let created = created.unwrap_or_else(|refusal| panic!("the browser does not start: {refusal:?}"));
        let id = created["sessionId"].as_str().unwrap();
        Self {
            url: format!("{sessions}/{id}"),
        }
    }

    /// Sends a command with parameters.
    pub(crate) async fn post(&self, command: &str, parameters: &Value) -> Result<Value, Refusal> {
        request(Method::POST, &format!("{}/{command}", self.url), Some(parameters)).await
    }

    /// Asks for something.
    pub(crate) async fn get(&self, command: &str) -> Result<Value, Refusal> {
        request(Method::GET, &format!("{}/{command}", self.url), None).await
    }

    /// What a script returns. It runs as a function's body, with `arguments`, whatever the page's policy forbids.
    pub(crate) async fn execute(&self, script: &str, arguments: &[Value]) -> Result<Value, Refusal> {
        let parameters = json!({ "script": script, "args": arguments });
        self.post("execute/sync", &parameters).await
    }

    /// As [`Session::execute`], but what the script hands to the last of its `arguments`, a function.
    pub(crate) async fn execute_async(&self, script: &str, arguments: &[Value]) -> Result<Value, Refusal> {
        let parameters = json!({ "script": script, "args": arguments });
        self.post("execute/async", &parameters).await
    }

    /// A command of Chrome's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: &Value) -> Result<Value, Refusal> {
        let parameters = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", &parameters).await
    }

    /// The references of the elements that a CSS selector finds.
    pub(crate) async fn find(&self, selector: &str) -> Result<Vec<String>, Refusal> {
        let parameters = json!({ "using": "css selector", "value": selector });
        let found = self.post("elements", &parameters).await?;
        let elements = found.as_array().into_iter().flatten();
        let references = elements.filter_map(|element| element[ELEMENT].as_str());
        Ok(references.map(str::to_owned).collect())
    }
}

async fn request(method: Method, url: &str, body: Option<&Value>) -> Result<Value, Refusal> {
    // Above the driver's own limits, so that it is the driver who says what takes too long.
    let request = client().request(method, url).timeout(PATIENCE);
    let request = match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    };
    let answer = request.send().await.expect("chromedriver answers");
    let is_done = answer.status().is_success();
    let mut answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let value = answer["value"].take();
    if is_done { Ok(value) } else { Err(refusal(&value)) }
}

fn refusal(value: &Value) -> Refusal {
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    // After the first line comes the driver's stack.
    let message = text("message").lines().next().unwrap_or_default().to_owned();
    Refusal {
        error: text("error"),
        message,
    }
}
