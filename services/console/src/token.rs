//! The bearer tokens of the API's clients, each with what it opens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, header};
use registry::{Secret, SecretRef};
use runtime::StartError;
use runtime::config::Reader;
use subtle::ConstantTimeEq;

/// The shortest token that is taken: shorter ones can be guessed.
const LEAST_BYTES: usize = 16;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Reads, and has things checked and previewed.
    Viewer,
    /// Changes things, and has webhooks called.
    Operator,
}

impl Role {
    /// As it stands in the log and in the API's description.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

/// A token, by reference.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// What it opens.
    pub(crate) role: Role,
    /// Where it lies; also its name in the log.
    pub(crate) reference: SecretRef,
    /// Whether it could not be read when it was last looked at: told once, as any stranger has it looked at.
    is_unreadable: Arc<AtomicBool>,
}

/// All tokens; more than one of a role for several clients, or while one is changed.
#[derive(Debug, Clone)]
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        const OPERATOR: &str = "CONSOLE_OPERATOR_TOKEN";
        let operators = reader.text(
            OPERATOR,
            "env:CONSOLE_BEARER_TOKEN",
            "Reference to the token of who changes things, as env:NAME or file:PATH; several separated by commas.",
        );
        const VIEWER: &str = "CONSOLE_VIEWER_TOKEN";
        let viewers = reader.text(
            VIEWER,
            "",
            "The same for who only reads and previews. Nobody does when empty.",
        );
        let mut tokens = references(reader, OPERATOR, Role::Operator, &operators);
        if operators.split(',').all(|entry| entry.trim().is_empty()) {
            reader.error(format!(
                "{OPERATOR}: must name a token, or nobody could use the API"
            ));
        }
        tokens.extend(references(reader, VIEWER, Role::Viewer, &viewers));
        Self(tokens)
    }

    /// Whether all of them can be had now.
    ///
    /// # Errors
    /// [`StartError`] when one cannot be read or is too short.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        for Token { role, reference, .. } in &self.0 {
            let refused = |error: String| {
                let error = format!("a token of the role {}: {error}", role.as_str());
                StartError::Other(error)
            };
            let token = reference.resolve().map_err(|error| refused(error.to_string()))?;
            if token.expose().len() < LEAST_BYTES {
                return Err(refused(format!(
                    "{reference} is shorter than {LEAST_BYTES} bytes"
                )));
            }
        }
        Ok(())
    }

    /// Each of them, in the order of [`Tokens::admit`]'s numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    /// Which of the tokens a request shows.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Option<(usize, &Token)> {
        self.which_is(bearer(headers)?)
    }

    /// Which of the tokens this is.
    pub(crate) fn which_is(&self, shown: &str) -> Option<(usize, &Token)> {
        let is_it = |token: &[u8]| bool::from(token.ct_eq(shown.as_bytes())).then_some(());
        self.which(is_it).map(|(number, token, ())| (number, token))
    }

    /// The token of which something is true, and what. They are read anew, so that a file that was replaced counts.
    pub(crate) fn which<T>(&self, is_it: impl Fn(&[u8]) -> Option<T>) -> Option<(usize, &Token, T)> {
        // Each is looked at, whatever the others say, so that the time tells nothing. Viewers come last and win: a token
        // that was given both roles has the smaller one.
        self.iter().enumerate().fold(None, |found, (number, token)| {
            let value = token.value();
            let is_it = value.and_then(|value| is_it(value.expose().as_bytes()));
            is_it.map(|what| (number, token, what)).or(found)
        })
    }
}

fn references(reader: &mut Reader, key: &str, role: Role, text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        match SecretRef::try_from(entry.to_owned()) {
            Ok(reference) => tokens.push(Token::new(role, reference)),
            Err(error) => reader.error(format!("{key}: {error}")),
        }
    }
    tokens
}

impl Token {
    fn new(role: Role, reference: SecretRef) -> Self {
        Self {
            role,
            reference,
            is_unreadable: Arc::default(),
        }
    }

    /// What it is now; none while it cannot be read, or could be guessed.
    fn value(&self) -> Option<Secret> {
        let token = self.reference.resolve();
        let is_news = self.note(token.is_ok());
        match token {
            Ok(token) => (token.expose().len() >= LEAST_BYTES).then_some(token),
            Err(error) => {
                if is_news {
                    tracing::error!(%error, "a token of the API cannot be read");
                }
                None
            }
        }
    }

    /// Whether it is unreadable and was not before.
    fn note(&self, is_readable: bool) -> bool {
        let was_unreadable = self.is_unreadable.swap(!is_readable, Ordering::Relaxed);
        !is_readable && !was_unreadable
    }
}

/// The token of `Authorization: Bearer …`; the scheme's case does not count (RFC 9110).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn tokens(folder: &tempfile::TempDir, texts: &[&str]) -> Tokens {
        let kept = texts.iter().enumerate().map(|(number, text)| {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, text).unwrap();
            let role = if number == 0 { Role::Operator } else { Role::Viewer };
            let reference = SecretRef::try_from(format!("file:{}", path.display()));
            Token::new(role, reference.unwrap())
        });
        Tokens(kept.collect())
    }

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
    }

    fn role(tokens: &Tokens, authorization: &str) -> Option<Role> {
        tokens.admit(&headers(authorization)).map(|(_, token)| token.role)
    }

    #[test]
    fn each_of_the_tokens_opens_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = tokens(&folder, &[TOKEN, "another-long-token"]);
        for (good, opens) in [
            (format!("Bearer {TOKEN}"), Role::Operator),
            ("bearer another-long-token".to_owned(), Role::Viewer),
            (format!("BEARER  {TOKEN}"), Role::Operator),
        ] {
            assert_eq!(role(&tokens, &good), Some(opens), "{good}");
        }
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            TOKEN,
            "Bearer 0123456789abcde",
            "Basic 0123456789abcdef",
        ] {
            assert_eq!(role(&tokens, bad), None, "{bad}");
        }
        assert!(tokens.admit(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_replaced_token_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = tokens(&folder, &[TOKEN]);
        std::fs::write(folder.path().join("0"), "fedcba9876543210\n").unwrap();
        assert!(role(&tokens, "Bearer fedcba9876543210").is_some());
        assert_eq!(role(&tokens, &format!("Bearer {TOKEN}")), None);
        // What could be guessed opens nothing, and neither does what is gone.
        std::fs::write(folder.path().join("0"), "short").unwrap();
        assert_eq!(role(&tokens, "Bearer short"), None);
        std::fs::remove_file(folder.path().join("0")).unwrap();
        assert_eq!(role(&tokens, "Bearer fedcba9876543210"), None);
    }

    #[test]
    fn that_a_token_cannot_be_read_is_told_once_until_it_can() {
        let reference = SecretRef::try_from("env:NO_SUCH_VARIABLE_HERE".to_owned()).unwrap();
        let token = Token::new(Role::Viewer, reference);
        let told = [true, false, false, true, false].map(|is_readable| token.note(is_readable));
        assert_eq!(told, [false, true, false, false, true]);
    }

    #[test]
    fn a_token_of_both_roles_has_the_smaller_one() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = tokens(&folder, &[TOKEN, TOKEN]);
        assert_eq!(role(&tokens, &format!("Bearer {TOKEN}")), Some(Role::Viewer));
    }

    #[test]
    fn a_token_that_is_missing_or_too_short_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(tokens(&folder, &[TOKEN]).check().is_ok());
        let error = tokens(&folder, &[TOKEN, "hunter2"])
            .check()
            .unwrap_err()
            .to_string();
        assert!(error.contains("shorter") && !error.contains("hunter2"), "{error}");
        let missing = SecretRef::try_from("env:NO_SUCH_VARIABLE_HERE".to_owned()).unwrap();
        let missing = Token::new(Role::Viewer, missing);
        assert!(Tokens(vec![missing]).check().is_err());
    }
}
