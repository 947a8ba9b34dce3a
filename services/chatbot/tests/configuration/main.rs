//! `deploy/configuration.md` says what can be configured, and nothing else.
//!
//! `UPDATE=1 cargo test -p chatbot --test configuration` (`make config-reference`) writes the tables there.

mod manifest;

use std::fs;
use std::path::Path;

use runtime::config::{FromEnvironment, Reader};
use runtime::service::{CommonConfig, Service};

/// What stands above it in the document is written by people.
const MARK: &str = "<!-- What follows is written by `make config-reference`. -->\n";

#[test]
fn the_documented_configuration_is_that_of_the_types() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/configuration.md");
    let committed = fs::read_to_string(&document).unwrap();
    let (by_hand, _) = committed.split_once(MARK).unwrap();
    let generated = format!("{by_hand}{MARK}\n{}{}", variables(), manifest::reference());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&document, &generated).unwrap();
        return;
    }
    assert_eq!(committed, generated, "run `make config-reference`");
}

/// The variables of all services.
fn variables() -> String {
    let mut common = Reader::new([]);
    CommonConfig::read(&mut common, "any");
    let services = [
        variables_of::<ingress::Ingress>(),
        variables_of::<context_builder::ContextBuilder>(),
        variables_of::<webhook_caller::WebhookCaller>(),
        variables_of::<attachment_fetcher::AttachmentFetcher>(),
        variables_of::<egress::Egress>(),
        variables_of::<console::Console>(),
    ];
    format!(
        "## Variables of the services\n\n### Every service\n\n{}\n{}",
        common.table(),
        services.concat()
    )
}

fn variables_of<S: Service>() -> String {
    let mut own = Reader::new([]);
    S::Config::read(&mut own);
    format!("### `{}`\n\n{}\n", S::NAME, own.table())
}
