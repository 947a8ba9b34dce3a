//! Accessibility, as axe-core judges a page.

use serde::Deserialize;

use crate::browser::Browser;

/// By the driver it gets past the page's policy, which forbids scripts of others.
const AXE: &str = include_str!("axe/axe.min.js");
const AUDIT: &str = r"
    const done = arguments[arguments.length - 1];
    const shown = (check) => ({
        rule: check.id,
        impact: check.impact,
        help: check.help,
        elements: check.nodes.map((node) => node.target.join(' ')),
    });
    axe.run(document).then(
        (found) => done({ violations: found.violations.map(shown), passes: found.passes.length }),
        (error) => done({ error: String(error) }),
    );
";

/// How much a fault hinders people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Impact {
    Minor,
    Moderate,
    Serious,
    Critical,
}

/// A rule that the page breaks.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Violation {
    pub(crate) rule: String,
    pub(crate) impact: Impact,
    /// What would be right.
    pub(crate) help: String,
    /// Where, as CSS selectors.
    pub(crate) elements: Vec<String>,
}

/// What was found on a page.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Report {
    pub(crate) violations: Vec<Violation>,
    /// How many rules apply and are kept.
    pub(crate) passes: usize,
}

/// Judges the page that is open, as it looks now.
///
/// # Panics
/// When axe-core fails.
pub(crate) async fn audit(browser: &Browser) -> Report {
    if browser.run("return typeof axe", &[]).await == "undefined" {
        browser.run(AXE, &[]).await;
    }
    let report = browser.session().execute_async(AUDIT, []).await.unwrap();
    let found = report.convert();
    found.unwrap_or_else(|error| panic!("axe-core: {error} in {}", report.json()))
}

/// The page has no fault, not even a minor one.
///
/// # Panics
/// When it has; each is named.
pub(crate) async fn assert_accessible(browser: &Browser) {
    let report = audit(browser).await;
    let page = browser.url().await;
    assert!(report.violations.is_empty(), "{page}: {:#?}", report.violations);
    eprintln!("{page}: axe-core passes {} rules, finds nothing", report.passes);
}
