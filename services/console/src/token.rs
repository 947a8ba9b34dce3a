//! The bearer tokens of the API's clients.

use axum::http::{HeaderMap, header};
use registry::SecretRef;
use runtime::StartError;
use runtime::config::Reader;
use subtle::ConstantTimeEq;

/// The shortest token that is taken: shorter ones can be guessed.
const LEAST_BYTES: usize = 16;

/// References to the tokens; more than one while a token is changed.
#[derive(Debug, Clone)]
pub(crate) struct Tokens(Vec<SecretRef>);

impl Tokens {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let text = reader.text(
            "CONSOLE_TOKEN",
            "env:CONSOLE_BEARER_TOKEN",
            "Reference to the token that clients show, as env:NAME or file:PATH; several separated by commas.",
        );
        let mut references = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match SecretRef::try_from(entry.to_owned()) {
                Ok(reference) => references.push(reference),
                Err(error) => reader.error(format!("CONSOLE_TOKEN: {error}")),
            }
        }
        if text.split(',').all(|entry| entry.trim().is_empty()) {
            reader.error("CONSOLE_TOKEN: must name a token, or nobody could use the API".to_owned());
        }
        Self(references)
    }

    /// Whether all of them can be had now.
    ///
    /// # Errors
    /// [`StartError`] when one cannot be read or is too short.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        for reference in &self.0 {
            let resolved = reference.resolve();
            let token = resolved.map_err(|error| StartError::Other(format!("CONSOLE_TOKEN: {error}")))?;
            if token.expose().len() < LEAST_BYTES {
                let error = format!("CONSOLE_TOKEN: {reference} is shorter than {LEAST_BYTES} bytes");
                return Err(StartError::Other(error));
            }
        }
        Ok(())
    }

    /// Whether a request shows one of the tokens. They are read anew, so that a file that was replaced counts.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = bearer(headers) else {
            return false;
        };
        // Each is compared, whatever the others say, so that the time tells nothing.
        self.0.iter().fold(false, |admitted, reference| {
            admitted | is_it(reference, shown.as_bytes())
        })
    }
}

fn is_it(reference: &SecretRef, shown: &[u8]) -> bool {
    match reference.resolve() {
        Ok(token) => {
            token.expose().len() >= LEAST_BYTES && bool::from(token.expose().as_bytes().ct_eq(shown))
        }
        Err(error) => {
            tracing::error!(%error, "a token of the API cannot be read");
            false
        }
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
            SecretRef::try_from(format!("file:{}", path.display())).unwrap()
        });
        Tokens(kept.collect())
    }

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
    }

    #[test]
    fn each_of_the_tokens_opens_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = tokens(&folder, &[TOKEN, "another-long-token"]);
        for good in [
            format!("Bearer {TOKEN}"),
            "bearer another-long-token".to_owned(),
            format!("BEARER  {TOKEN}"),
        ] {
            assert!(tokens.admit(&headers(&good)), "{good}");
        }
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            TOKEN,
            "Bearer 0123456789abcde",
            "Basic 0123456789abcdef",
        ] {
            assert!(!tokens.admit(&headers(bad)), "{bad}");
        }
        assert!(!tokens.admit(&HeaderMap::new()));
    }

    #[test]
    fn a_replaced_token_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = tokens(&folder, &[TOKEN]);
        std::fs::write(folder.path().join("0"), "fedcba9876543210\n").unwrap();
        assert!(tokens.admit(&headers("Bearer fedcba9876543210")));
        assert!(!tokens.admit(&headers(&format!("Bearer {TOKEN}"))));
        // What could be guessed opens nothing, and neither does what is gone.
        std::fs::write(folder.path().join("0"), "short").unwrap();
        assert!(!tokens.admit(&headers("Bearer short")));
        std::fs::remove_file(folder.path().join("0")).unwrap();
        assert!(!tokens.admit(&headers("Bearer fedcba9876543210")));
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
        assert!(Tokens(vec![missing]).check().is_err());
    }
}
