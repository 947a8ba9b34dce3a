//! Secrets: referred to by name, read where they are used, never shown.

use std::env::VarError;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret lies: `env:NAME` or `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct SecretRef(String);

/// A secret's value. Has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret cannot be had. Names the reference, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The text is no reference.
    #[error("a secret is given by reference, as `env:NAME` or `file:PATH`, never as its value")]
    NotAReference,
    /// The variable is not set, or is not text.
    #[error("secret {reference} cannot be read: the variable {problem}")]
    Variable {
        /// The reference.
        reference: String,
        /// Why. The error of the system would show the value.
        problem: &'static str,
    },
    /// The file cannot be read.
    #[error("secret {reference} cannot be read: {source}")]
    File {
        /// The reference.
        reference: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("secret {reference} is empty")]
    Empty {
        /// The reference.
        reference: String,
    },
}

impl SecretRef {
    /// Reads the secret now, so that a rotated file is seen. Trailing line ends are cut, as editors add them.
    ///
    /// # Errors
    /// [`SecretError`] when it cannot be read or is empty.
    pub fn resolve(&self) -> Result<Secret, SecretError> {
        let reference = || self.0.clone();
        let value = match self.0.split_once(':') {
            Some(("env", name)) => variable(name).map_err(|error| SecretError::Variable {
                reference: reference(),
                problem: match error {
                    VarError::NotPresent => "is not set",
                    VarError::NotUnicode(_) => "is not text",
                },
            })?,
            Some(("file", path)) => std::fs::read_to_string(path).map_err(|source| SecretError::File {
                reference: reference(),
                source,
            })?,
            _ => return Err(SecretError::NotAReference),
        };
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() {
            return Err(SecretError::Empty {
                reference: reference(),
            });
        }
        Ok(Secret(value.to_owned()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place besides runtime::config that reads the environment"
)]
fn variable(name: &str) -> Result<String, std::env::VarError> {
    std::env::var(name)
}

impl TryFrom<String> for SecretRef {
    type Error = SecretError;
    fn try_from(text: String) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env" | "file", name)) if !name.is_empty() => Ok(Self(text)),
            _ => Err(SecretError::NotAReference),
        }
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> String {
        reference.0
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Secret {
    /// Takes a value as a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_place_of_a_reference_is_refused_without_repeating_it() {
        let error = SecretRef::try_from("sk-proj-123".to_owned())
            .unwrap_err()
            .to_string();
        assert!(!error.contains("sk-proj-123"), "{error}");
    }

    #[test]
    fn a_file_is_read_without_its_line_end() {
        let path = std::env::temp_dir().join(format!("secret-{}", std::process::id()));
        std::fs::write(&path, "s3cret\n").unwrap();
        let secret = SecretRef::try_from(format!("file:{}", path.display()))
            .unwrap()
            .resolve()
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(secret.expose(), "s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = SecretRef::try_from("env:NO_SUCH_VARIABLE_HERE".to_owned())
            .unwrap()
            .resolve()
            .unwrap_err();
        assert!(error.to_string().contains("env:NO_SUCH_VARIABLE_HERE"));
    }
}
