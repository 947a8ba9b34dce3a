//! Which licences come in: the SPDX expression of every package against the list in `deny.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::metadata::Workspace;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

/// The licences that `deny.toml` allows.
pub(crate) fn allowed(deny_toml: &str) -> BTreeSet<String> {
    toml::from_str::<Deny>(deny_toml)
        .expect("deny.toml has a list licenses.allow")
        .licenses
        .allow
}

/// Packages that may not be used under the licences allowed.
pub(crate) fn not_allowed(workspace: &Workspace, allowed: &BTreeSet<String>) -> Vec<String> {
    workspace
        .external()
        .filter(|package| {
            !package
                .license
                .as_deref()
                .is_some_and(|licence| permits(licence, allowed))
        })
        .map(|package| {
            format!(
                "{}: {}",
                package.name,
                package.license.as_deref().unwrap_or("no licence")
            )
        })
        .collect()
}

/// Whether an SPDX expression can be met by the licences allowed. `AND` binds closer than `OR`; the old `/`
/// means `OR`; a licence `WITH` an exception grants no less than the licence alone.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    any(&mut tokens, allowed) && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = all(tokens, allowed);
    while tokens.next_if_eq(&"OR").is_some() {
        met |= all(tokens, allowed);
    }
    met
}

fn all(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(tokens, allowed);
    while tokens.next_if_eq(&"AND").is_some() {
        met &= one(tokens, allowed);
    }
    met
}

fn one(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    match tokens.next() {
        Some("(") => any(tokens, allowed) & tokens.next_if_eq(&")").is_some(),
        Some(licence) => {
            if tokens.next_if_eq(&"WITH").is_some() {
                tokens.next();
            }
            allowed.contains(licence)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata;

    fn list() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "BSD-3-Clause"].map(str::to_owned).into()
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "Unlicense / MIT",
            "(MIT OR GPL-3.0) AND BSD-3-Clause",
            "GPL-3.0 AND ISC OR MIT",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(permits(good, &list()), "{good} was refused");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT AND (ISC OR GPL-3.0)",
            "MIT MIT",
            "(MIT",
        ] {
            assert!(!permits(bad, &list()), "{bad:?} was accepted");
        }
    }

    #[test]
    fn packages_with_another_licence_or_none_are_found() {
        let workspace = metadata::parse(
            r#"{"packages": [
                {"id": "ours", "name": "ours", "license": null, "dependencies": []},
                {"id": "a", "name": "a", "license": "MIT", "dependencies": []},
                {"id": "b", "name": "b", "license": "GPL-3.0", "dependencies": []},
                {"id": "c", "name": "c", "license": null, "dependencies": []}
            ], "workspace_members": ["ours"], "resolve": {"nodes": []}}"#,
        );
        assert_eq!(not_allowed(&workspace, &list()), ["b: GPL-3.0", "c: no licence"]);
    }

    #[test]
    fn the_list_is_read_from_its_table() {
        assert_eq!(
            allowed("[licenses]\nallow = [\"MIT\"]\n"),
            BTreeSet::from(["MIT".to_owned()])
        );
    }
}
