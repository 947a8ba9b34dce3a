//! The accounts and users as the server's configuration has them.

use std::fmt::Write as _;

use super::{USERS, User};

/// The user of the system account, for who looks after the servers themselves.
pub const ADMIN: &str = "sys";

const HEAD: &str = "\
# One user for each service, with no more rights than it needs. Made from proto-schemas (`make schemas`): do not edit.
#
# A user is known by the public half of its key. `chatbot nats-keys FOLDER` makes the keys, and FOLDER/auth.conf, which is
# this with the public halves in it; in deploy/nats/auth.conf variables stand for them, which the server takes from its
# environment. The other halves, FOLDER/*.seed, are the secrets: each goes to its own service alone, as
# NATS_NKEY_SEED=file:…
";

/// The variable that holds a user's public key.
pub fn key_variable(user: &str) -> String {
    format!("NKEY_{}", user.to_uppercase().replace('-', "_"))
}

/// The part of a server's configuration that says who may do what, with variables for the public keys.
pub fn server_template() -> String {
    server_config(|user| vec![format!("${}", key_variable(user))])
}

/// The same, with what stands for each user's public keys: one, or two while it is changed.
pub fn server_config(keys: impl Fn(&str) -> Vec<String>) -> String {
    let admins: String = keys(ADMIN)
        .iter()
        .map(|key| format!("      {{ nkey: {key} }}\n"))
        .collect();
    let mut text = HEAD.to_owned();
    // Writing to a String cannot fail.
    let _written = write!(
        text,
        "\nsystem_account: SYS\n\naccounts {{\n  SYS {{\n    users: [\n{admins}    ]\n  }}\n\n  PIPELINE {{\n    jetstream: \
         enabled\n    users: [\n",
    );
    for user in &USERS {
        for key in keys(user.name) {
            text.push_str(&entry(user, &key));
        }
    }
    text.push_str("    ]\n  }\n}\n");
    text
}

fn entry(user: &User, key: &str) -> String {
    let answers = if user.answers {
        // Once to each question, for as long as a webhook may take.
        "          allow_responses: { max: 1, expires: \"10m\" }\n"
    } else {
        ""
    };
    format!(
        "      {{\n        nkey: {key}\n        permissions {{\n          publish: [\n{}          ]\n          subscribe: [\n{}          \
         ]\n{answers}        }}\n      }}\n",
        lines(&user.publishes()),
        lines(&user.subscribes()),
    )
}

fn lines(subjects: &[String]) -> String {
    subjects
        .iter()
        .map(|subject| format!("            \"{subject}\"\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_stands_in_it_once_by_a_variable_of_its_own() {
        let text = server_template();
        for name in USERS.iter().map(|user| user.name).chain([ADMIN]) {
            let uses = text.matches(&format!("nkey: ${}\n", key_variable(name))).count();
            let inline = text.matches(&format!("nkey: ${} ", key_variable(name))).count();
            assert_eq!(uses + inline, 1, "{name}");
        }
        assert_eq!(key_variable("webhook-caller"), "NKEY_WEBHOOK_CALLER");
    }
}
