//! What all pages have in common.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::take::SEAL;
use crate::session::Session;

/// The sections, in the order of the navigation.
const SECTIONS: [(&str, &str); 7] = [
    ("/overview", "Overview"),
    ("/bots", "Bots"),
    ("/integrations", "Integrations"),
    ("/connections", "Connections"),
    ("/conversations", "Conversations"),
    ("/dead-letters", "Dead letters"),
    ("/playground", "Playground"),
];

/// A page before it has its frame.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    /// The path of its section.
    pub(super) section: &'a str,
    /// Who sees it.
    pub(super) session: Option<&'a Session>,
    pub(super) body: Markup,
}

/// The whole document.
pub(super) fn framed(frame: &Frame) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (frame.title) " · Chatbot console" }
                link rel="icon" href=(assets::ICON.address()) type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE.address());
                script src=(assets::SCRIPT.address()) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { "Chatbot console" }
                    @if let Some(session) = frame.session { (navigation(frame.section, session)) }
                }
                main #main tabindex="-1" {
                    h1 { (frame.title) }
                    (frame.body)
                }
            }
        }
    }
}

fn navigation(here: &str, session: &Session) -> Markup {
    html! {
        nav aria-label="Sections" {
            ul {
                @for (path, name) in SECTIONS {
                    li { a href=(path) aria-current=[(path == here).then_some("page")] { (name) } }
                }
            }
        }
        form.session method="post" action="/logout" {
            (seal(session))
            span.small { "Signed in as " (session.client.role.as_str()) }
            button.quiet { "Sign out" }
        }
    }
}

/// What every form carries.
pub(super) fn seal(session: &Session) -> Markup {
    html! { input type="hidden" name=(SEAL) value=(session.form_seal); }
}

/// A sentence that a form has done what it was sent for.
pub(super) fn done(text: &str) -> Markup {
    html! { div.notice.good role="status" { p { (text) } } }
}
