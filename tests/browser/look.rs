//! How a page looks to different readers.

use serde_json::json;

use crate::axe::assert_accessible;
use crate::browser::{Browser, Scheme};

/// The width of a phone, in CSS pixels.
const PHONE_WIDTH: u32 = 390;
/// Its height.
const PHONE_HEIGHT: u32 = 844;

/// The page has no fault that axe-core finds, and its console no complaints, whether it is light, dark or on a phone. A
/// picture of each is stored.
///
/// # Panics
/// When it has; each is named.
pub(crate) async fn inspect(browser: &Browser, name: &str) {
    assert_accessible(browser).await;
    browser.screenshot(name).await;
    browser.prefer(Scheme::Dark).await;
    assert_accessible(browser).await;
    browser.screenshot(&format!("{name}-dark")).await;
    hold_as_a_phone(browser).await;
    assert_accessible(browser).await;
    assert_fits(browser).await;
    browser.screenshot(&format!("{name}-phone")).await;
    browser
        .devtools("Emulation.clearDeviceMetricsOverride", json!({}))
        .await;
    browser.prefer(Scheme::Light).await;
    assert_quiet(browser).await;
}

/// The console has no complaints since it was asked last.
///
/// # Panics
/// When it has.
pub(crate) async fn assert_quiet(browser: &Browser) {
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{}: {complaints:#?}", browser.url().await);
}

/// The console complains that pages were refused with this status, and of nothing else.
///
/// # Panics
/// When it does not, or of something else.
pub(crate) async fn assert_refused(browser: &Browser, status: u16) {
    let complaints = browser.complaints().await;
    let text = format!("status of {status}");
    let is_all = !complaints.is_empty() && complaints.iter().all(|line| line.message.contains(&text));
    assert!(is_all, "{}: {complaints:#?}", browser.url().await);
}

async fn hold_as_a_phone(browser: &Browser) {
    let metrics =
        json!({ "width": PHONE_WIDTH, "height": PHONE_HEIGHT, "deviceScaleFactor": 2, "mobile": true });
    browser
        .devtools("Emulation.setDeviceMetricsOverride", metrics)
        .await;
    browser
        .wait_until("the window of a phone", "return innerHeight > innerWidth")
        .await;
}

/// Nobody has to scroll sideways.
async fn assert_fits(browser: &Browser) {
    let width = browser
        .run("return document.documentElement.scrollWidth", &[])
        .await;
    assert!(
        width.as_u64() <= Some(u64::from(PHONE_WIDTH)),
        "{}: {width} wide",
        browser.url().await
    );
}
