//! A page used by keys alone.

use serde_json::json;
use thirtyfour::Key;

use crate::browser::Browser;

/// More stops than a page of ours has.
const MOST_STOPS: usize = 60;
/// Whether one sees where the focus is: the element is drawn, within the window, and has a frame.
const IS_SEEN: &str = "
    const element = document.activeElement, box = element.getBoundingClientRect(), style = getComputedStyle(element);
    return element.matches(':focus-visible') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
        && box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;";

/// Presses a key and lets it go, wherever the focus is.
pub(crate) async fn press(browser: &Browser, key: Key) {
    let keys = browser.session().action_chain();
    keys.key_down(key.clone()).key_up(key).perform().await.unwrap();
}

/// Types a text where the focus is.
pub(crate) async fn write(browser: &Browser, text: &str) {
    let keys = browser.session().action_chain();
    keys.send_keys(text).perform().await.unwrap();
}

/// Goes on by Tab until the focus is on what a CSS selector names. One sees the focus at each stop.
///
/// # Panics
/// When it does not get there, or is not seen on the way.
pub(crate) async fn tab_to(browser: &Browser, selector: &str) {
    for _ in 0..MOST_STOPS {
        press(browser, Key::Tab).await;
        assert!(is_seen(browser).await, "the focus on {}", focused(browser).await);
        if is_on(browser, selector).await {
            return;
        }
    }
    panic!("{selector} is not reached by Tab");
}

/// Whether the focus is on what a CSS selector names.
pub(crate) async fn is_on(browser: &Browser, selector: &str) -> bool {
    let script = format!("return document.activeElement.matches({})", json!(selector));
    browser.run(&script, &[]).await == true
}

async fn is_seen(browser: &Browser) -> bool {
    browser.run(IS_SEEN, &[]).await == true
}

async fn focused(browser: &Browser) -> String {
    let html = browser
        .run("return document.activeElement.outerHTML.slice(0, 200)", &[])
        .await;
    html.to_string()
}
