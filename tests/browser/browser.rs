//! A browser as the tests use it: what it shows, says and asks.
//!
//! Nothing sleeps: a test waits for what is to be there. What takes too long fails, with what was waited for.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::condition::{PATIENCE, wait_for, wait_until};

use crate::driver::{Driver, named};
use crate::webdriver::{Refusal, Session};

/// What the driver says while a dialog is open.
const DIALOG_IS_OPEN: &str = "unexpected alert open";
/// What it says when an element has left the page since it was found.
const IS_GONE: &str = "stale element reference";

/// How large the window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// 1280 by 900.
    Desktop,
    /// 390 by 844, with fingers and no mouse.
    Phone,
}

/// What `prefers-color-scheme` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// A headless chromium with a profile of its own. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Browser {
    test: &'static str,
    session: Session,
    driver: Driver,
}

/// A line of the browser's console.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line {
    /// `SEVERE` for errors, what the page's policy forbids and what cannot be loaded; `WARNING`; `INFO`.
    pub(crate) level: String,
    #[serde(rename = "message")]
    pub(crate) text: String,
}

impl Browser {
    /// Starts a browser for a test, whose screenshots go by the test's name.
    ///
    /// # Panics
    /// When there is no browser, or it does not start.
    pub(crate) async fn start(test: &'static str, window: Window, scheme: Scheme) -> Self {
        let driver = Driver::start().await;
        let session = Session::create(driver.url(), &capabilities(&driver, window)).await;
        let name = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let preference = json!({ "features": [{ "name": "prefers-color-scheme", "value": name }] });
        session
            .devtools("Emulation.setEmulatedMedia", &preference)
            .await
            .unwrap();
        Self {
            test,
            session,
            driver,
        }
    }

    /// A usual window.
    pub(crate) async fn desktop(test: &'static str) -> Self {
        Self::start(test, Window::Desktop, Scheme::Light).await
    }

    /// What drives it, for what has no function here.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The group of its processes.
    pub(crate) fn process_group(&self) -> u32 {
        self.driver.group()
    }

    /// Goes to a page, and waits until it is loaded, or a dialog stops it.
    ///
    /// # Panics
    /// When it cannot be loaded.
    pub(crate) async fn open(&self, url: &str) {
        match self.session.post("url", &json!({ "url": url })).await {
            Ok(_) => {}
            Err(refusal) if refusal.error == DIALOG_IS_OPEN => {}
            Err(refusal) => panic!("{url} is not loaded: {refusal:?}"),
        }
    }

    /// Where it is.
    pub(crate) async fn url(&self) -> String {
        let url = self.session.get("url").await.unwrap();
        url.as_str().unwrap().to_owned()
    }

    /// What a script returns, run as a function's body with `arguments`.
    ///
    /// # Panics
    /// When it throws, or a dialog is open.
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let returned = self.session.execute(script, arguments).await;
        returned.unwrap_or_else(|refusal| panic!("a script failed: {refusal:?}: {script}"))
    }

    /// Waits until a script returns true. While a page is left for the next one, scripts fail: that is waited for, too.
    ///
    /// # Panics
    /// When it does not in time.
    pub(crate) async fn wait_until(&self, what: &str, script: &str) {
        wait_until(PATIENCE, what, async || {
            let returned = self.session.execute(script, &[]).await;
            returned.is_ok_and(|returned| returned == true)
        })
        .await;
    }

    /// Waits until the page's text contains this.
    ///
    /// # Panics
    /// When it does not in time.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        let script = format!("return document.body.innerText.includes({})", json!(text));
        self.wait_until(&format!("the text {text:?}"), &script).await;
    }

    /// Clicks the first element of a CSS selector, when there is one.
    ///
    /// # Panics
    /// When there is none in time, or it cannot be clicked.
    pub(crate) async fn click(&self, selector: &str) {
        self.act(selector, "click", &json!({})).await;
    }

    /// Types at the end of the first field of a CSS selector, key by key, when there is one.
    ///
    /// # Panics
    /// When there is none in time, or it takes no text.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        self.act(selector, "value", &json!({ "text": text })).await;
    }

    /// Empties the first field of a CSS selector, when there is one.
    ///
    /// # Panics
    /// When there is none in time, or it is no field.
    pub(crate) async fn clear(&self, selector: &str) {
        self.act(selector, "clear", &json!({})).await;
    }

    async fn act(&self, selector: &str, action: &str, parameters: &Value) {
        wait_for(PATIENCE, &format!("{selector} for {action}"), async || {
            let element = self.session.find(selector).await.ok()?.into_iter().next()?;
            let command = format!("element/{element}/{action}");
            match self.session.post(&command, parameters).await {
                Ok(_) => Some(()),
                Err(refusal) if refusal.error == IS_GONE => None,
                Err(refusal) => panic!("{action} of {selector}: {refusal:?}"),
            }
        })
        .await;
    }

    /// What the open dialog says (`alert`, `confirm`, `prompt`); none without one. It stays open.
    pub(crate) async fn dialog(&self) -> Option<String> {
        match self.session.get("alert/text").await {
            Ok(text) => Some(text.as_str().unwrap_or_default().to_owned()),
            Err(Refusal { error, .. }) if error == "no such alert" => None,
            Err(refusal) => panic!("nobody knows of dialogs: {refusal:?}"),
        }
    }

    /// Closes the open dialog as by its button for no.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) async fn dismiss_dialog(&self) {
        self.session.post("alert/dismiss", &json!({})).await.unwrap();
    }

    /// What was written to the console since this was asked last.
    pub(crate) async fn console(&self) -> Vec<Line> {
        let lines = self.session.post("se/log", &json!({ "type": "browser" })).await;
        serde_json::from_value(lines.unwrap()).unwrap()
    }

    /// The errors and warnings of the console since it was asked last.
    pub(crate) async fn complaints(&self) -> Vec<Line> {
        let mut lines = self.console().await;
        lines.retain(|line| ["SEVERE", "WARNING"].contains(&line.level.as_str()));
        lines
    }

    /// Stores a picture of the window as `target/screenshots/{test}-{name}.png`, and says where.
    ///
    /// # Panics
    /// When it cannot be stored.
    pub(crate) async fn screenshot(&self, name: &str) -> PathBuf {
        let picture = self.session.get("screenshot").await.unwrap();
        let picture = BASE64.decode(picture.as_str().unwrap().as_bytes()).unwrap();
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{}-{name}.png", self.test));
        std::fs::write(&path, picture).unwrap();
        path
    }
}

/// Beside what cargo builds: the tests lie in `target/debug/deps`.
fn screenshots() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().join("screenshots")
}

fn capabilities(driver: &Driver, window: Window) -> Value {
    let mut options = json!({ "binary": named("CHROMIUM_BIN").to_str().unwrap(), "args": arguments(driver) });
    match window {
        Window::Desktop => {}
        Window::Phone => {
            let metrics =
                json!({ "width": 390, "height": 844, "pixelRatio": 2, "touch": true, "mobile": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
    }
    json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
        // A dialog stays, so that a test sees it.
        "unhandledPromptBehavior": "ignore",
    })
}

fn arguments(driver: &Driver) -> Vec<String> {
    let profile = format!("--user-data-dir={}", driver.folder().join("profile").display());
    let mut arguments = vec![
        profile,
        "--headless=new".to_owned(),
        "--window-size=1280,900".to_owned(),
        "--lang=en-US".to_owned(),
        "--disable-gpu".to_owned(),
        // In containers the shared memory is small.
        "--disable-dev-shm-usage".to_owned(),
        // What is elsewhere is not there: no test reaches the network.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
    ];
    if is_root(driver) {
        // Chromium refuses to run as root with its sandbox.
        arguments.push("--no-sandbox".to_owned());
    }
    arguments
}

/// What a process creates belongs to who runs it.
fn is_root(driver: &Driver) -> bool {
    driver.folder().metadata().unwrap().uid() == 0
}
