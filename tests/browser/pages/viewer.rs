//! What a viewer sees: everything, and nothing that changes it.

use testkit::backend::{always, echo};

use super::{sign_in_with, visit};
use crate::browser::Browser;
use crate::fixture::{OPERATOR, Platform, VIEWER};
use crate::look::{assert_quiet, assert_refused, inspect};

/// Where the forms of a page go, each button's own place among them.
const PLACES: &str = "
    const forms = [...document.forms].filter((form) => form.method === 'post');
    const own = [...document.querySelectorAll('[formaction]')].map((button) => button.formAction);
    return [...forms.map((form) => form.action), ...own].map((url) => new URL(url).pathname)
        .filter((path) => path !== '/logout' && !path.endsWith('/preview'));";

#[tokio::test]
async fn a_viewer_sees_every_page_and_no_form_that_changes_anything() {
    let platform = Platform::start().await;
    platform.backend.respond_with(always(400));
    platform.ask("bob", "Lost").await;
    platform.backend.respond_with(echo);
    let conversation = platform.ask("ada", "Hello").await;
    let (viewer, operator) = (
        Browser::desktop("viewer").await,
        Browser::desktop("no_viewer").await,
    );
    sign_in_with(&platform, &viewer, VIEWER).await;
    sign_in_with(&platform, &operator, OPERATOR).await;
    visit(&platform, &viewer, "/dead-letters").await;
    let letter = viewer
        .run("return document.querySelector('tbody a').pathname", &[])
        .await;
    let conversation = format!("/conversations/{conversation}");
    let mut changes_of_operators = 0;
    for page in [
        "/overview",
        "/bots",
        "/bots/demo",
        "/bots/demo/history",
        "/integrations",
        "/integrations/echo",
        "/connections",
        "/connections/web",
        "/conversations",
        &conversation,
        "/dead-letters",
        letter.as_str().unwrap(),
        "/playground",
    ] {
        visit(&platform, &viewer, page).await;
        assert_eq!(viewer.run(PLACES, &[]).await, serde_json::json!([]), "{page}");
        assert_quiet(&viewer).await;
        visit(&platform, &operator, page).await;
        changes_of_operators += operator.run(PLACES, &[]).await.as_array().unwrap().len();
    }
    assert!(
        changes_of_operators >= 5,
        "the look finds what an operator may do: {changes_of_operators}"
    );

    for page in ["/bots/demo/edit", "/new-integration"] {
        visit(&platform, &viewer, page).await;
        viewer.wait_for_text("forbidden").await;
        assert_refused(&viewer, 403).await;
    }
    inspect(&viewer, "forbidden").await;
}
