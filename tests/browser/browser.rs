//! A browser as the tests use it: what it shows, says and asks.
//!
//! Nothing sleeps: a test waits for what is to be there. What takes too long fails, with what was waited for.

use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use testkit::client::client_with;
use testkit::condition::{PATIENCE, wait_for, wait_until};
use thirtyfour::cdp::Cdp;
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::session::handle::SessionHandle;
use thirtyfour::{BrowserLogEntry, By, Capabilities, WebDriver, WebElement};

use crate::driver::{Driver, named};

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
    session: Arc<SessionHandle>,
    driver: Driver,
}

/// What is done with a field or a button.
#[derive(Debug, Clone, Copy)]
enum Action<'a> {
    Click,
    Type(&'a str),
    Clear,
}

impl Browser {
    /// Starts a browser for a test, whose screenshots go by the test's name.
    ///
    /// # Panics
    /// When there is no browser, or it does not start.
    pub(crate) async fn start(test: &'static str, window: Window, scheme: Scheme) -> Self {
        let driver = Driver::start().await;
        let session = session(&driver, window).await;
        let browser = Self {
            test,
            session,
            driver,
        };
        browser.prefer(scheme).await;
        browser
    }

    /// A usual window.
    pub(crate) async fn desktop(test: &'static str) -> Self {
        Self::start(test, Window::Desktop, Scheme::Light).await
    }

    /// What drives it, for what has no function here.
    pub(crate) fn session(&self) -> &Arc<SessionHandle> {
        &self.session
    }

    /// Sends a command of Chrome's own protocol.
    ///
    /// # Panics
    /// When chromium does not know it, or refuses.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let answer = Cdp::new(self.session.clone()).send_raw(command, parameters).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
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
        match self.session.goto(url).await {
            Ok(()) => {}
            Err(error) if matches!(*error, WebDriverErrorInner::UnexpectedAlertOpen(_)) => {}
            Err(error) => panic!("{url} is not loaded: {error}"),
        }
    }

    /// From now on the reader's system is light or dark.
    pub(crate) async fn prefer(&self, scheme: Scheme) {
        let name = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let preference = json!({ "features": [{ "name": "prefers-color-scheme", "value": name }] });
        self.devtools("Emulation.setEmulatedMedia", preference).await;
    }

    /// Where it is.
    pub(crate) async fn url(&self) -> String {
        self.session.current_url().await.unwrap().into()
    }

    /// What a script returns, run as a function's body with `arguments`.
    ///
    /// # Panics
    /// When it throws, or a dialog is open.
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let returned = self.session.execute(script, arguments).await;
        let returned = returned.unwrap_or_else(|error| panic!("a script failed: {error}: {script}"));
        returned.json().clone()
    }

    /// Waits until a script returns true. While a page is left for the next one, scripts fail: that is waited for, too.
    ///
    /// # Panics
    /// When it does not in time.
    pub(crate) async fn wait_until(&self, what: &str, script: &str) {
        let wait = wait_until(PATIENCE, what, async || {
            let returned = self.session.execute(script, []).await;
            returned.is_ok_and(|returned| returned.json() == true)
        });
        if let Err(vain) = AssertUnwindSafe(wait).catch_unwind().await {
            self.tell().await;
            resume_unwind(vain);
        }
    }

    /// Prints what the page shows, for who reads why a test has failed.
    async fn tell(&self) {
        let page = self
            .session
            .execute("return location.href + '\\n' + document.body.innerText", [])
            .await;
        let page = page.map(|page| page.json().as_str().unwrap_or_default().to_owned());
        eprintln!(
            "---- the page ----\n{}",
            page.unwrap_or_else(|error| error.to_string())
        );
    }

    /// Waits until the page's text contains this.
    ///
    /// # Panics
    /// When it does not in time.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        let script = format!("return document.body.innerText.includes({})", json!(text));
        self.wait_until(&format!("the text {text:?}"), &script).await;
    }

    /// Waits until it is at this path, with whatever query, and the page is whole.
    ///
    /// # Panics
    /// When it is not in time.
    pub(crate) async fn wait_for_path(&self, path: &str) {
        let script = format!(
            "return location.pathname === {} && document.readyState === 'complete'",
            json!(path)
        );
        self.wait_until(&format!("the page {path}"), &script).await;
    }

    /// Clicks the first element of a CSS selector, when there is one.
    ///
    /// # Panics
    /// When there is none in time, or it cannot be clicked.
    pub(crate) async fn click(&self, selector: &str) {
        self.act(By::Css(selector), Action::Click).await;
    }

    /// Types at the end of the first field of a CSS selector, key by key, when there is one.
    ///
    /// # Panics
    /// When there is none in time, or it takes no text.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        self.act(By::Css(selector), Action::Type(text)).await;
    }

    /// Clicks the first link of this text, when there is one.
    ///
    /// # Panics
    /// When there is none in time, or it cannot be clicked.
    pub(crate) async fn follow(&self, text: &str) {
        self.act(By::LinkText(text), Action::Click).await;
    }

    /// Empties the first field of a CSS selector, when there is one.
    ///
    /// # Panics
    /// When there is none in time, or it is no field.
    pub(crate) async fn clear(&self, selector: &str) {
        self.act(By::Css(selector), Action::Clear).await;
    }

    async fn act(&self, element: By, action: Action<'_>) {
        let what = format!("{element} for {action:?}");
        wait_for(PATIENCE, &what, async || {
            let element = self.session.find(element.clone()).await.ok()?;
            match action.on(&element).await {
                Ok(()) => Some(()),
                // It has left the page since it was found.
                Err(error) if matches!(*error, WebDriverErrorInner::StaleElementReference(_)) => None,
                Err(error) => panic!("{what}: {error}"),
            }
        })
        .await;
    }

    /// What the open dialog says (`alert`, `confirm`, `prompt`); none without one. It stays open.
    pub(crate) async fn dialog(&self) -> Option<String> {
        match self.session.get_alert_text().await {
            Ok(text) => Some(text),
            Err(error) if matches!(*error, WebDriverErrorInner::NoSuchAlert(_)) => None,
            Err(error) => panic!("nobody knows of dialogs: {error}"),
        }
    }

    /// Closes the open dialog as by its button for no.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) async fn dismiss_dialog(&self) {
        self.session.dismiss_alert().await.unwrap();
    }

    /// What was written to the console since this was asked last.
    pub(crate) async fn console(&self) -> Vec<BrowserLogEntry> {
        self.session.browser_log().await.unwrap()
    }

    /// The errors and warnings of the console since it was asked last: what scripts say, what the page's policy forbids,
    /// and what cannot be loaded.
    pub(crate) async fn complaints(&self) -> Vec<BrowserLogEntry> {
        let mut lines = self.console().await;
        lines.retain(|line| ["SEVERE", "WARNING"].contains(&line.level.as_str()));
        lines
    }

    /// Stores a picture of the window as `target/screenshots/{test}-{name}.png`, and says where.
    ///
    /// # Panics
    /// When it cannot be stored.
    pub(crate) async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{}-{name}.png", self.test));
        self.session.screenshot(&path).await.unwrap();
        path
    }
}

impl Action<'_> {
    async fn on(self, element: &WebElement) -> WebDriverResult<()> {
        match self {
            Self::Click => element.click().await,
            Self::Type(text) => element.send_keys(text).await,
            Self::Clear => element.clear().await,
        }
    }
}

/// Opens a browser, which ends with the driver.
async fn session(driver: &Driver, window: Window) -> Arc<SessionHandle> {
    // Above the driver's own limits, so that it is the driver who says what takes too long.
    let client = client_with(PATIENCE);
    let opened = WebDriver::builder(driver.url(), capabilities(driver, window)).client(client);
    let opened = opened
        .await
        .unwrap_or_else(|error| panic!("the browser does not start: {error}"));
    let session = opened.handle().clone();
    opened.leak().unwrap();
    session
}

/// Beside what cargo builds: the tests lie in `target/debug/deps`.
fn screenshots() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().join("screenshots")
}

fn capabilities(driver: &Driver, window: Window) -> Capabilities {
    let mut options = json!({ "binary": named("CHROMIUM_BIN").to_str().unwrap(), "args": arguments(driver) });
    match window {
        Window::Desktop => {}
        Window::Phone => {
            let metrics =
                json!({ "width": 390, "height": 844, "pixelRatio": 2, "touch": true, "mobile": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
    }
    let wanted = [
        ("browserName", json!("chrome")),
        ("goog:chromeOptions", options),
        ("goog:loggingPrefs", json!({ "browser": "ALL" })),
        // A dialog stays, so that a test sees it.
        ("unhandledPromptBehavior", json!("ignore")),
    ];
    let wanted: Map<String, Value> = wanted
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
    wanted.into()
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
